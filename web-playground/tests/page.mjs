// The built page in Debian's Chromium, each test in a profile of its own that can reach nothing but the page's server.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { serve } from "../serve.mjs";

export const MART = "models/marts/customer_revenue.sql";

let running;

/** Chromium and the server, started once for a file of tests. */
export async function world() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const { server, url } = await serve();
  // Chromium's own sandbox needs what a container may not have; the only page it sees is ours.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  running = { server, url, browser };
  return { url, close: async () => (await browser.close(), server.close()) };
}

/** A fresh person with the page open and its first plan shown. `requests` are the addresses asked for. */
export async function opened(options = {}) {
  const context = await running.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const requests = [];
  const errors = [];
  await context.route("**/*", (route) => {
    requests.push(route.request().url());
    return route.request().url().startsWith(running.url) ? route.continue() : route.abort();
  });
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  await page.goto(running.url);
  await answered(page, 0);
  return { page, context, requests, errors };
}

export async function answers(page) {
  return Number((await page.evaluate(() => document.documentElement.dataset.answered)) ?? 0);
}

/** Waits for an answer after the `before`th. */
export async function answered(page, before) {
  await page.waitForFunction((n) => Number(document.documentElement.dataset.answered ?? 0) > n, before, { timeout: 30_000 });
}

export async function openFile(page, path) {
  await page.click(`button[data-path="${path}"]`);
  await page.waitForFunction((p) => document.querySelector("#path")?.textContent?.startsWith(p), path);
}

/** Replaces the open file's text by typing and waits for the plan of it. */
export async function type(page, text) {
  const before = await answers(page);
  await page.click(".cm-content");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
  await answered(page, before);
}

export async function openModel(page, name) {
  await page.click(`[data-model="${name}"]`);
  await page.waitForFunction((n) => document.querySelector("#plan h2")?.textContent === n, name);
}

export const plan = (page) => page.textContent("#plan");
export const badge = (page) => page.textContent("#plan .badge");

/** The problems as `code place message`. */
export async function problems(page) {
  return page.$$eval("#problems li:not(.empty)", (rows) =>
    rows.map((r) => ({
      code: r.querySelector(".code").textContent,
      place: r.querySelector(".place")?.textContent ?? "",
      message: r.querySelector(".message").textContent,
      severity: r.className,
    })),
  );
}

/** A picture for a person, when SHOTS names a folder. */
export async function shot(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}
