// What a person sees and does, in a real browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MART, answered, answers, badge, openFile, openModel, opened, plan, problems, shot, type, world } from "./page.mjs";

let close;
before(async () => ({ close } = await world()));
after(() => close());

const textOf = (page) => page.$eval(".cm-content", (e) => e.cmTile?.view?.state.doc.toString() ?? e.innerText);
const squiggled = (page) => page.$$eval(".cm-lintRange-error", (marks) => marks.map((m) => m.textContent));

test("every model of the demo shows a path and SQL, and nothing is asked of another host", async () => {
  const { page, requests, errors, context } = await opened();
  const names = await page.$$eval("[data-model]", (boxes) => boxes.map((b) => b.dataset.model));
  assert.deepEqual([...names].sort(), ["brand_revenue", "customer_revenue", "daily_orders", "region_report", "stg_customers", "stg_lineitems", "stg_orders", "stg_parts"]);
  for (const name of names) {
    await openModel(page, name);
    assert.match(await badge(page), /Runs on|Federates on|Inlined/, name);
    assert.match(await page.textContent("#plan .sql code"), /select/i, name);
  }
  assert.deepEqual(await problems(page), []);
  assert.deepEqual(errors, []);
  const origin = new URL(page.url()).origin;
  assert.ok(requests.length >= 5 && requests.every((r) => r.startsWith(origin) || r.startsWith("blob:")), requests.join("\n"));
  await shot(page, "region_report");
  await context.close();
});

test("a federated model shows what each source is asked, what stayed and why, and what the compute runs", async () => {
  const { page, context } = await opened();
  await openModel(page, "customer_revenue");
  assert.match(await badge(page), /Federates on duckdb.*Reads crm and sales.*lands in warehouse/s);
  const orders = await page.textContent('[aria-label="sales.main.stg_orders on sales"]');
  assert.match(orders, /3 of 5 columns · table of 150,000 rows/);
  assert.match(orders, /"ordered_on" >= DATE '1995-01-01'/);
  assert.match(orders, /upper\(o\.status\) = 'F'.*DVT005.*not known to mean the same/s);
  assert.match(await page.textContent("[data-part=residual]"), /from dvt_scan_0 c/);
  assert.deepEqual(await page.$$eval(".cm-kept", (m) => m.map((e) => e.textContent).join("")), "upper(o.status) = 'F'");
  await shot(page, "customer_revenue");
  await context.close();
});

test("a source shows its columns as they are there and in transit, and opens where it is declared", async () => {
  const { page, context } = await opened();
  await page.click('[data-source="customer"]');
  assert.match(await plan(page), /Lives on crm.*c_acctbal/s);
  assert.match(await page.textContent("#path"), /sources\.yml/);
  await shot(page, "source");
  await context.close();
});

test("a filter typed into a model stands in the pushed SQL", async () => {
  const { page, context } = await opened();
  await openFile(page, "models/marts/brand_revenue.sql");
  await type(page, (await textOf(page)).replace("group by", "  and p.brand = 'Brand#12'\ngroup by"));
  assert.match(await page.textContent('[aria-label="parts.main.stg_parts on parts"] .sql'), /WHERE "brand" = 'Brand#12'/);
  await shot(page, "filter");
  await context.close();
});

test("a column added upstream can be used downstream before anything was built", async () => {
  const { page, context } = await opened();
  await openFile(page, "models/staging/sales/stg_orders.sql");
  await type(page, "select o_orderkey as order_id, o_custkey as customer_id, o_orderstatus as status, o_totalprice as total_price, o_orderdate as ordered_on, o_clerk as clerk\nfrom {{ source('sales', 'orders') }}");
  await openFile(page, "models/marts/daily_orders.sql");
  await type(page, "select o.clerk, count(*) as n from {{ ref('stg_orders') }} o join {{ ref('stg_customers') }} c on c.customer_id = o.customer_id where o.clerk = 'x' group by all");
  assert.deepEqual(await problems(page), []);
  assert.match(await page.textContent('[aria-label="sales.main.stg_orders on sales"] .sql'), /WHERE "clerk" = 'x'/);
  await type(page, "select o.clerkk from {{ ref('stg_orders') }} o join {{ ref('stg_customers') }} c on c.customer_id = o.customer_id");
  assert.deepEqual(await problems(page).then((p) => p.map((x) => [x.code, x.place])), [["DVT010", "models/marts/daily_orders.sql:1:10"]]);
  await context.close();
});

test("a syntax error in SQL shows its code at its line, and mending it clears it", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  const good = await textOf(page);
  await type(page, good.replace("and upper(o.status)", "and and upper(o.status)"));
  const [problem] = await problems(page);
  assert.deepEqual([problem.code, problem.place], ["DVT3001", `${MART}:10:11`]);
  assert.match(await badge(page), /DVT3001: cannot be planned/);
  assert.equal((await squiggled(page)).length, 1);
  await page.hover(".cm-lintRange-error");
  await page.waitForSelector(".cm-tooltip .why");
  assert.match(await page.textContent(".cm-tooltip"), /DVT3001 SQL cannot be parsed/);
  await shot(page, "sql-error");
  await type(page, good);
  assert.deepEqual(await problems(page), []);
  assert.deepEqual(await squiggled(page), []);
  await context.close();
});

test("a syntax error in Jinja shows its code at its line, keeps the last plan in sight, and clears", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  const good = await textOf(page);
  await type(page, good.replace("{{ ref('stg_orders') }}", "{{ ref('stg_orders' }}"));
  const [problem] = await problems(page);
  assert.deepEqual([problem.code, problem.place.split(":")[1]], ["DVT2001", "5"]);
  assert.ok(await page.isVisible("#stale"));
  assert.match(await badge(page), /Federates on duckdb/);
  await shot(page, "jinja-error");
  await type(page, good);
  assert.deepEqual(await problems(page), []);
  assert.ok(await page.isHidden("#stale"));
  await context.close();
});

test("a syntax error in YAML shows its code at its line and clears; a name that is not there is said with what is", async () => {
  const { page, context } = await opened();
  await openFile(page, "models/sources.yml");
  const good = await textOf(page);
  await type(page, good.replace("  - name: sales", "  - name: [sales"));
  const [problem] = await problems(page);
  assert.equal(problem.code, "DVT1002");
  const line = Number(problem.place.split(":")[1]);
  assert.ok(problem.place.startsWith("models/sources.yml:") && line >= 7 && line <= 8, problem.place);
  await type(page, good.replace("connection: parts", "connection: part"));
  const [unknown] = await problems(page);
  assert.equal(unknown.code, "DVT2101");
  assert.match(unknown.message, /known targets: crm, parts, sales, warehouse/);
  assert.equal(unknown.place.split(":")[1], "12");
  await type(page, good);
  assert.deepEqual(await problems(page), []);
  await context.close();
});

test("a model that comes to read one target only runs there", async () => {
  const { page, context } = await opened();
  await openModel(page, "daily_orders");
  assert.match(await badge(page), /Federates on duckdb/);
  await type(page, "{{ config(target='sales', materialized='table') }}\nselect ordered_on, count(*) as orders from {{ ref('stg_orders') }} group by 1");
  assert.match(await badge(page), /Runs on sales/);
  assert.match(await page.getAttribute('[data-model="daily_orders"]', "aria-label"), /runs on sales/);
  await shot(page, "native");
  await context.close();
});

test("sales and warehouse can move to another product, whose own SQL is then pushed", async () => {
  const { page, context } = await opened();
  await openModel(page, "customer_revenue");
  const seen = await answers(page);
  await page.selectOption("select[name=DVT_DEMO_DB]", "postgres");
  await answered(page, seen);
  assert.deepEqual(await problems(page), []);
  assert.match(await page.textContent("#legend"), /warehouse\s*postgres/);
  assert.match(await page.textContent('[aria-label="postgres.public.stg_orders on sales"]'), /FROM "postgres"\."public"\."stg_orders"|FROM "public"\."stg_orders"/);
  await shot(page, "postgres");
  await page.reload();
  await answered(page, 0);
  assert.match(await page.textContent("#legend"), /warehouse\s*postgres/);
  await context.close();
});

test("without pushdown whole tables are read, and the difference is shown", async () => {
  const { page, context } = await opened();
  await openModel(page, "customer_revenue");
  assert.match(await plan(page), /14 of 28columns are read/);
  await page.click(".switch");
  assert.match(await page.textContent(".sums"), /28columns read, instead of 14/);
  const orders = await page.textContent('[aria-label="sales.main.stg_orders on sales"]');
  assert.match(orders, /"total_price".*with pushdown.*"ordered_on" >= DATE/s);
  await shot(page, "no-pushdown");
  await context.close();
});

test("a reload keeps what was typed; restore and reset bring back what was there", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  const good = await textOf(page);
  await type(page, `-- mine\n${good}`);
  await page.reload();
  await answered(page, 0);
  assert.match(await page.textContent("#path"), /customer_revenue/);
  assert.ok((await textOf(page)).startsWith("-- mine"));
  let seen = await answers(page);
  await page.click("#restore");
  await answered(page, seen);
  assert.equal(await textOf(page), good);
  await type(page, "select 1 as one");
  await openFile(page, "models/sources.yml");
  await type(page, "version: 2");
  seen = await answers(page);
  await page.click("#reset");
  await answered(page, seen);
  assert.deepEqual(await problems(page), []);
  await openFile(page, MART);
  assert.equal(await textOf(page), good);
  assert.ok(await page.isDisabled("#reset"));
  await context.close();
});

test("a link carries the changes to another person, who can go back to their own", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  await type(page, "select 1 as linked");
  await page.click("#link");
  await page.waitForFunction(() => location.hash.startsWith("#edits="));
  const url = page.url();
  await context.close();
  const other = await opened();
  await openFile(other.page, MART);
  await type(other.page, "select 2 as own");
  await other.page.goto(url);
  await other.page.waitForFunction(() => document.querySelector(".cm-content")?.textContent?.includes("linked"));
  await other.page.click("#toast button");
  await other.page.waitForFunction(() => document.querySelector(".cm-content")?.textContent?.includes("2 as own"));
  await other.context.close();
});

test("a template that loops does not freeze the page: its Worker is stopped, the text stays, the next edit plans", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  const good = await textOf(page);
  const loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}select 1 as one";
  await page.click(".cm-content");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(loop);
  await page.waitForSelector("#trouble:not([hidden])", { timeout: 30_000 });
  assert.match(await page.textContent("#trouble"), /longer than 5 seconds.*your text is safe/s);
  assert.equal(await textOf(page), loop);
  await shot(page, "loop");
  await context.setOffline(true);
  await type(page, good);
  assert.ok(await page.isHidden("#trouble"));
  assert.match(await badge(page), /Federates on duckdb/);
  await context.close();
});

test("a template that eats all memory ends its planner, not the page", async () => {
  const { page, context } = await opened();
  await openFile(page, MART);
  const good = await textOf(page);
  await page.click(".cm-content");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText("{% set n = namespace(x='x' * 1000000) %}{% for i in range(30) %}{% set n.x = n.x ~ n.x %}{% endfor %}select '{{ n.x }}' as one");
  await page.waitForSelector("#trouble:not([hidden])", { timeout: 30_000 });
  assert.match(await page.textContent("#trouble"), /The planner stopped|longer than/);
  await type(page, good);
  assert.match(await badge(page), /Federates on duckdb/);
  await context.close();
});

test("names are offered: models in ref(), columns after an alias", async () => {
  const { page, context } = await opened();
  await openFile(page, "models/marts/brand_revenue.sql");
  await type(page, "select x. from {{ ref('stg_parts') }} x join {{ ref('stg_lineitems') }} l on l.part_id = x.part_id");
  await page.keyboard.press("Control+Home");
  for (let i = 0; i < 9; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.type("br");
  await page.waitForSelector(".cm-tooltip-autocomplete li");
  assert.match(await page.textContent(".cm-tooltip-autocomplete"), /brand/);
  await page.click(".cm-tooltip-autocomplete li");
  assert.match(await textOf(page), /^select x\.brand from/);
  await context.close();
});

test("the newest edit wins", async () => {
  const { page, context } = await opened();
  await openFile(page, "models/marts/brand_revenue.sql");
  const good = await textOf(page);
  await page.click(".cm-content");
  for (let n = 1; n <= 12; n++) {
    await page.keyboard.press("Control+a");
    await page.keyboard.insertText(good.replace("group by", `and p.brand = 'Brand#${n}'\ngroup by`));
  }
  await page.waitForFunction(() => document.querySelector('[aria-label="parts.main.stg_parts on parts"] .sql')?.textContent.includes("Brand#12'"), null, { timeout: 15_000 });
  await context.close();
});

test("the keyboard alone opens a file, edits it and reaches its problem", async () => {
  const { page, context } = await opened();
  await page.focus('button[data-path="models/marts/customer_revenue.sql"]');
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#path"), /brand_revenue/);
  await page.focus(".cm-content");
  const seen = await answers(page);
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText(" having");
  await answered(page, seen);
  assert.equal((await problems(page))[0].code, "DVT3001");
  await page.focus('[data-key="problem:0"]');
  await page.keyboard.press("Enter");
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("cm-content")));
  await context.close();
});

test("a new file is a model at once, and can be removed again", async () => {
  const { page, context } = await opened();
  await page.click("#add");
  await page.fill("#new-file input", "models/marts/fresh.sql");
  const seen = await answers(page);
  await page.click("#new-file button.main");
  await answered(page, seen);
  assert.match(await badge(page), /Runs on warehouse/);
  assert.equal(await page.$$eval("[data-model=fresh]", (b) => b.length), 1);
  const again = await answers(page);
  await page.click("#remove");
  await answered(page, again);
  assert.equal(await page.$$eval("[data-model=fresh]", (b) => b.length), 0);
  await context.close();
});

for (const [name, options] of Object.entries({
  "wide and light": { viewport: { width: 1600, height: 1000 }, colorScheme: "light" },
  "wide and dark": { viewport: { width: 1600, height: 1000 }, colorScheme: "dark" },
  "of a tablet": { viewport: { width: 1024, height: 768 }, colorScheme: "light" },
  "of a phone": { viewport: { width: 390, height: 844 }, colorScheme: "dark" },
})) {
  test(`nothing is cut off on a screen ${name}`, async () => {
    const { page, context } = await opened(options);
    const slug = name.replaceAll(" ", "-");
    const phone = options.viewport.width < 820;
    for (const view of phone ? ["files", "edit", "plan"] : ["all"]) {
      if (phone) await page.click(`#tabs [data-view=${view}]`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${view}: the page is ${wide} pixels too wide`);
      await shot(page, `${slug}-${view}`);
    }
    await context.close();
  });
}
