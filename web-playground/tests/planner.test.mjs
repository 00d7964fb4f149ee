// The module itself: its size, and that it says what the native planner says, byte by byte.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";
import { opened, world } from "./page.mjs";

const here = (path) => new URL(path, import.meta.url).pathname;
const MEGABYTE = 1024 * 1024;
const native = process.env.NATIVE_PLANNER;

let close;
before(async () => ({ close } = await world()));
after(() => close());

/** Asks the page's module in a Worker of its own, as the page does. */
async function asked(page, questions) {
  return page.evaluate(async (all) => {
    const module = await WebAssembly.compileStreaming(fetch("planner_bg.wasm"));
    const script = URL.createObjectURL(new Blob([await (await fetch("worker.js")).blob()], { type: "text/javascript" }));
    const worker = new Worker(script, { type: "module" });
    const heard = () => new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    const ready = heard();
    worker.postMessage({ module });
    await ready;
    const answers = [];
    for (const question of all) {
      const answer = heard();
      worker.postMessage({ id: 1, question });
      answers.push(await answer);
    }
    worker.terminate();
    return answers;
  }, questions);
}

test("the module is at most one megabyte on the wire", () => {
  const wasm = readFileSync(here("../dist/planner_bg.wasm"));
  const bytes = brotliCompressSync(wasm, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
  console.log(`planner_bg.wasm: ${wasm.length} bytes, ${bytes} with brotli`);
  assert.ok(bytes <= MEGABYTE, `${bytes} bytes with brotli`);
});

test("plans in the browser are the native planner's, byte by byte, for the demo and for what people make of it", async () => {
  assert.ok(native, "NATIVE_PLANNER names the native planner's program (tests/run_suites.sh sets it)");
  const demo = JSON.parse(readFileSync(here("../dist/demo.json"), "utf8"));
  const edited = (path, change) => ({ ...demo, files: { ...demo.files, [path]: change(demo.files[path] ?? "") } });
  const mart = "models/marts/customer_revenue.sql";
  const questions = [
    demo,
    edited(mart, (t) => t.replace("group by", "and c.nation = 'é\\'s' and o.order_id in (1, 2) group by")),
    edited(mart, (t) => t.replace("and upper", "and and upper")),
    edited(mart, (t) => t.replace("{{ ref", "{{ reff")),
    edited(mart, () => `select ${"(".repeat(3000)}1${")".repeat(3000)} from {{ ref('stg_orders') }}, {{ ref('stg_parts') }}`),
    edited(mart, () => `select {{ ${"(".repeat(3000)}1${")".repeat(3000)} }}`),
    edited("macros/deep.sql", () => "{% macro down(n) %}{{ down(n - 1) if n > 0 }}{% endmacro %}{{ down(5000) }}"),
    edited("models/sources.yml", (t) => t.replace("- name: sales", "- name: [sales")),
    edited("models/sources.yml", (t) => t.replace("connection: parts", "connection: crm")),
    edited("dbt_project.yml", () => ""),
    edited("computes.yml", () => "tpch_demo: {target: far, computes: {far: {type: spark}}}"),
    { ...demo, target: "sales" },
  ].map((q) => JSON.stringify(q));
  const { page, context } = await opened();
  const answers = await asked(page, [...questions, "no JSON"]);
  [...questions, "no JSON"].forEach((question, i) => {
    const here = execFileSync(native, { input: question, maxBuffer: 1 << 26 }).toString();
    assert.equal(answers[i].failed, undefined, `question ${i}`);
    assert.equal(answers[i].answer, here, `question ${i}`);
  });
  await context.close();
});
