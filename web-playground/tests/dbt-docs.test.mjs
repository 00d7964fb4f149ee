// dbt's own static docs page, from the pinned dbt-core, over artifacts that dvt wrote: models, columns and lineage.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../serve.mjs";
import { shot } from "./page.mjs";

const PROJECT = fileURLToPath(new URL("../../tests/projects/conformance_catalog", import.meta.url));
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");

let folder, server, browser, url;

/** The page inside the pinned dbt-core: it is not copied into this repository. */
function docsPage() {
  const venv = process.env.DBT_VENV ?? join(cache, "dvt", "dbt-1.12.6");
  const python = readdirSync(join(venv, "lib")).find((name) => name.startsWith("python3"));
  return join(venv, "lib", python, "site-packages", "dbt", "task", "docs", "index.html");
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "dvt-docs-"));
  const project = join(folder, "project");
  cpSync(PROJECT, project, { recursive: true, filter: (path) => !/\/(target|logs)$/.test(path) });
  mkdirSync(join(folder, "home"));
  const build = process.env.CARGO_TARGET_DIR ?? join(cache, "dvt", "target");
  const env = { ...process.env, DVT_PROFILES_DIR: join(folder, "home"), DBT_PROFILES_DIR: project, DVT_PLUGIN_PATH: process.env.DVT_PLUGIN_PATH ?? join(build, "plugins") };
  for (const words of [["build"], ["docs", "generate"]]) execFileSync(join(build, "release", "dvt"), words, { cwd: project, env });
  const site = join(folder, "site");
  mkdirSync(site);
  for (const name of ["manifest.json", "catalog.json"]) copyFileSync(join(project, "target", name), join(site, name));
  copyFileSync(docsPage(), join(site, "index.html"));
  ({ server, url } = await serve(0, site));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  server?.close();
  if (folder && existsSync(folder)) rmSync(folder, { recursive: true });
});

/** A node's page; `errors` are the page's own, not those of addresses that it may not reach here. */
async function opened(route) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  const page = await context.newPage();
  const errors = [];
  await context.route("**/*", (r) => (r.request().url().startsWith(url) ? r.continue() : r.abort()));
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("console", (m) => {
    const from = m.location().url ?? url;
    // dbt's page asks for addresses that its own templates left unfilled, whatever the artifacts say.
    if (m.type() === "error" && from.startsWith(url) && !/%7B/.test(from)) errors.push(`${m.text()} ${from}`);
  });
  await page.goto(`${url}#!/${route}`);
  await page.waitForFunction(() => document.body.innerText.includes("conformance_catalog"), undefined, { timeout: 30_000 });
  return { page, errors, context };
}

const cells = (page) => page.$$eval("table tbody tr", (rows) => rows.map((row) => [...row.querySelectorAll("td")].slice(0, 3).map((c) => c.innerText.trim())));

test("dbt's docs page shows a model's columns with the types of the database, its text and what it reads", async () => {
  const { page, errors, context } = await opened("model/model.conformance_catalog.as_table");
  await page.waitForSelector("table tbody tr td");
  const shown = await cells(page);
  const types = Object.fromEntries(shown.filter((row) => row.length === 3).map(([name, type]) => [name, type]));
  assert.equal(types.amount, "DECIMAL(12,3)", JSON.stringify(shown));
  assert.equal(types.ids, "INTEGER[]");
  assert.equal(types.on_day, "DATE");
  assert.equal(shown.find(([name]) => name === "id")[2], "A number");
  const text = await page.innerText("body");
  for (const words of ["A table, said in Markdown.", "catalog.live.as_table", "table"]) assert.ok(text.includes(words), `${words}\n${text}`);
  assert.deepEqual(errors, []);
  await shot(page, "dbt-docs-model");
  await context.close();
});

test("dbt's docs page draws the lineage and lists sources, seeds and snapshots", async () => {
  const { page, errors, context } = await opened("model/model.conformance_catalog.as_view?g_v=1&g_i=%2Bas_view%2B");
  await page.waitForSelector("canvas");
  const text = await page.innerText("body");
  for (const name of ["as_table", "as_view", "grown"]) assert.ok(text.includes(name), `${name}\n${text}`);
  await shot(page, "dbt-docs-lineage");
  await page.goto(`${url}#!/source/source.conformance_catalog.raw.events`);
  await page.waitForFunction(() => document.body.innerText.includes("The seed as a source"));
  await page.waitForFunction(() => document.body.innerText.includes("TIMESTAMP"));
  await page.goto(`${url}#!/snapshot/snapshot.conformance_catalog.kept`);
  await page.waitForFunction(() => document.body.innerText.includes("dbt_valid_from"));
  assert.deepEqual(errors, []);
  await shot(page, "dbt-docs-snapshot");
  await context.close();
});
