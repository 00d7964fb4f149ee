// What one model does: its path, what each source is asked, what moved there and what stayed, what the compute runs.
import { h, hue, icon, show } from "./dom.js";
import { pathIcon } from "./graph.js";
import { coloured, sqlBlock } from "./sql.js";
import type { Answer, Condition, Model, Plan, Scan, Schema, Source, Span } from "./types.js";

export interface PlanActions {
  go(at: Span): void;
  openModel(id: string): void;
}

const words = new Intl.NumberFormat("en");

export function showPlan(parent: HTMLElement, answer: Answer, model: Model | undefined, unpushed: boolean, actions: PlanActions): void {
  const folded = new Set([...parent.querySelectorAll<HTMLDetailsElement>("details")].filter((d) => !d.open).map((d) => d.dataset.part));
  const unfolded = new Set([...parent.querySelectorAll<HTMLDetailsElement>("details[open]")].map((d) => d.dataset.part));
  const top = parent.scrollTop;
  if (!model) {
    show(parent, h("p", { class: "empty" }, "Choose a model above, or open its file, to see what it does."));
    return;
  }
  const part = (name: string, title: string, open: boolean, ...body: HTMLElement[]) =>
    h("details", { "data-part": name, open: unfolded.has(name) || (open && !folded.has(name)) }, h("summary", {}, icon("down"), h("h3", {}, title)), ...body);
  const error = answer.diagnostics.find((d) => d.severity === "error" && d.node === model.unique_id);
  show(
    parent,
    h(
      "header",
      { class: "model-head" },
      h("h2", {}, model.name),
      h("span", { class: "chip" }, model.materialized),
      h("span", { class: "chip" }, `dialect ${model.dialect}`),
    ),
    model.description ? h("p", { class: "description" }, model.description) : null,
    error
      ? h(
          "div",
          { class: "badge failing", role: "group", "aria-label": "execution path" },
          icon("error"),
          h("div", {}, h("strong", {}, `${error.code}: cannot be planned`), h("p", {}, error.message), error.hint ? h("p", { class: "dim" }, `hint: ${error.hint}`) : null),
          error.span ? h("button", { type: "button", onclick: () => actions.go(error.span!) }, "show") : null,
        )
      : badge(answer, model, actions),
    error ? null : flow(answer, model, unpushed),
    ...(error ? [] : reads(answer, model, unpushed, part, actions)),
    model.compiled === null || (model.delegates.length > 0 && !unpushed)
      ? null
      : part("compiled", model.path === "pushdown" && !model.ephemeral ? `SQL that ${model.target} runs` : "Compiled SQL", model.path === "pushdown" || model.ephemeral, sqlBlock(model.compiled, "compiled SQL")),
    model.schema ? part("columns", `Its ${model.schema.columns.length} columns`, false, columns(model.schema)) : null,
  );
  parent.scrollTop = top;
}

/** A source: where it is and what is known of its columns. */
export function showSource(parent: HTMLElement, answer: Answer, source: Source): void {
  const target = answer.targets.find((t) => t.name === source.target);
  show(
    parent,
    h("header", { class: "model-head" }, h("h2", {}, `${source.source}.${source.name}`), h("span", { class: "chip" }, "source"), h("span", { class: "chip" }, target?.adapter ?? "")),
    h(
      "div",
      { class: "badge native", style: `--hue:${hue(answer.targets, source.target)}` },
      icon("source"),
      h("div", {}, h("strong", {}, "Lives on ", h("code", { class: "target" }, source.target)), h("p", {}, source.schema ? `Recorded from a real database${source.schema.rows == null ? "" : `: ${words.format(source.schema.rows)} rows`}.` : "Nothing is recorded of it: a federated model cannot read it here.")),
    ),
    source.schema ? columns(source.schema) : null,
  );
}

function columns(schema: Schema): HTMLElement {
  const type = (c: Schema["columns"][number]) =>
    c.canonical ? h("code", {}, c.canonical) : h("span", { class: "untyped", title: c.refused ?? "" }, "not known");
  return h(
    "table",
    { class: "columns" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "column"), h("th", { scope: "col" }, "there"), h("th", { scope: "col" }, "in transit"))),
    h("tbody", {}, schema.columns.map((c) => h("tr", {}, h("td", {}, h("code", {}, c.name)), h("td", { class: "dim" }, c.native.toLowerCase()), h("td", {}, type(c))))),
  );
}

type Part = (name: string, title: string, open: boolean, ...body: HTMLElement[]) => HTMLElement;

function badge(answer: Answer, model: Model, actions: PlanActions): HTMLElement {
  const box = (title: (HTMLElement | string)[], ...text: (HTMLElement | string)[]) =>
    h(
      "div",
      { class: `badge ${pathIcon(model)}`, role: "group", "aria-label": "execution path", style: `--hue:${hue(answer.targets, model.target)}` },
      icon(pathIcon(model)),
      h("div", {}, h("strong", {}, ...title), h("p", {}, ...text)),
    );
  const code = (name: string) => h("code", { style: `--hue:${hue(answer.targets, name)}`, class: "target" }, name);
  if (model.ephemeral) {
    const readers = answer.models.filter((m) => m.depends_on.includes(model.unique_id));
    const links = readers.flatMap((m, i) => [i ? ", " : "", h("button", { type: "button", class: "linkish", onclick: () => actions.openModel(m.unique_id) }, m.name)]);
    return box(["Inlined"], "Never built; stands inside ", ...(links.length ? links : ["nothing: no model reads it"]), ".");
  }
  if (model.path === "pushdown") {
    return box(["Runs on ", code(model.target)], "Everything it reads is there: the text goes to that database as it is, like dbt does it.");
  }
  const sources = [...new Set([...model.scans, ...model.delegates].map((s) => s.source))];
  const list = sources.flatMap((s, i) => [i === 0 ? "" : i === sources.length - 1 ? " and " : ", ", code(s)]);
  const name = h("code", { class: "target compute" }, model.compute_type ?? model.compute ?? "");
  const named = model.compute && model.compute !== model.compute_type ? h("small", { class: "dim" }, ` compute ${model.compute}`) : "";
  return box(
    model.delegates.length > 0 ? ["Federates"] : ["Federates on ", name, named],
    "Reads ",
    ...list,
    model.delegates.length > 0 ? ": one database answers the whole query; the rows land in " : "; computes the rest; lands in ",
    code(model.target),
    model.materialized === "view" ? " as a table (a federated model cannot be a view)." : ".",
  );
}

/** Sources, compute and target in one line. */
function flow(answer: Answer, model: Model, unpushed: boolean): HTMLElement | null {
  if (model.path === "pushdown") return null;
  const plan = unpushed && model.whole ? model.whole : model;
  const names = [...new Set([...plan.scans, ...plan.delegates].map((s) => s.source))];
  const chip = (name: string, note: string) => h("span", { class: "stop", style: `--hue:${hue(answer.targets, name)}` }, h("b", {}, name), h("small", {}, note));
  const columns = (name: string) => plan.scans.filter((s) => s.source === name).reduce((n, s) => n + s.columns.length, 0);
  const note = (name: string) => (plan.delegates.some((d) => d.source === name) ? "whole query" : `${columns(name)} columns`);
  return h(
    "div",
    { class: "flow", "aria-hidden": "true" },
    h("span", { class: "stops" }, names.map((n) => chip(n, note(n)))),
    h("span", { class: "arrow" }),
    plan.residual ? h("span", { class: "stop compute" }, h("b", {}, model.compute_type ?? ""), h("small", {}, "compute")) : null,
    plan.residual ? h("span", { class: "arrow" }) : null,
    chip(model.target, model.sink.relation ?? ""),
  );
}

function reads(answer: Answer, model: Model, unpushed: boolean, part: Part, actions: PlanActions): HTMLElement[] {
  const out: HTMLElement[] = [];
  if (model.ephemeral) return out;
  const plan: Plan = unpushed && model.whole ? model.whole : model;
  if (model.path === "federation" && model.whole) out.push(summary(model, model.whole, unpushed));
  for (const delegate of plan.delegates) {
    const title = model.path === "pushdown" ? `SQL that ${delegate.source} runs` : `Whole query on ${delegate.source}`;
    out.push(part("delegate", title, true, sqlBlock(delegate.sql, title)));
  }
  if (plan.scans.length > 0) {
    const cards = plan.scans.map((scan) => card(answer, model, scan, unpushed, actions));
    out.push(part("scans", "What each source is asked", true, h("div", { class: "cards" }, ...cards)));
  }
  if (plan.residual) out.push(part("residual", `What ${model.compute_type} computes`, true, sqlBlock(plan.residual.sql, "residual SQL")));
  return out;
}

/** Pushdown in numbers, and what its absence costs. */
function summary(model: Model, whole: Plan, unpushed: boolean): HTMLElement {
  const columns = (plan: Plan) => plan.scans.reduce((n, s) => n + s.columns.length, 0);
  const pushed = model.scans.reduce((n, s) => n + s.pushed.length, 0);
  const kept = model.scans.reduce((n, s) => n + s.kept.length, 0);
  const cell = (value: string, label: string) => h("div", {}, h("b", {}, value), h("span", {}, label));
  const all = columns(whole);
  if (unpushed) {
    return h(
      "div",
      { class: "sums off" },
      cell(`${all}`, model.delegates.length > 0 ? "columns read, instead of one query" : `columns read, instead of ${columns(model)}`),
      cell("0", `conditions at the source, instead of ${pushed}`),
      cell("every row", "of every table crosses the wire"),
    );
  }
  return h(
    "div",
    { class: "sums" },
    cell(model.delegates.length > 0 ? "1 query" : `${columns(model)} of ${all}`, model.delegates.length > 0 ? "answers everything" : "columns are read"),
    cell(`${pushed} of ${pushed + kept}`, "conditions run at the source"),
    cell(`${model.scans.length + model.delegates.length}`, "reads, one per relation"),
  );
}

function card(answer: Answer, model: Model, scan: Scan, unpushed: boolean, actions: PlanActions): HTMLElement {
  const index = (model.whole?.scans ?? []).findIndex((s) => s === scan);
  const before = unpushed ? model.scans[index] : undefined;
  const width = model.whole?.scans.find((s) => s.source === scan.source && s.relation === scan.relation)?.columns.length ?? scan.columns.length;
  const facts = [`${scan.columns.length} of ${width} columns`];
  if (scan.estimated?.rows != null) facts.push(`table of ${words.format(scan.estimated.rows)} rows`);
  return h(
    "section",
    { class: "card", style: `--hue:${hue(answer.targets, scan.source)}`, "aria-label": `${scan.relation} on ${scan.source}` },
    h("header", {}, h("i", { class: "dot" }), h("b", {}, scan.source), h("span", { class: "relation" }, scan.relation), h("span", { class: "as", title: "What the compute calls it" }, scan.name), h("span", { class: "dim" }, facts.join(" · "))),
    sqlBlock(scan.sql, `pushed SQL for ${scan.relation} on ${scan.source}`),
    before ? h("div", { class: "before" }, h("span", { class: "dim" }, "with pushdown"), h("pre", {}, h("code", {}, ...coloured(before.sql)))) : null,
    h(
      "ul",
      { class: "conditions" },
      ...scan.pushed.map((p) => condition(p, "pushed", p.settled ? "The source keeps just these rows, and nobody asks again." : p.class === "exact" ? "The source keeps just these rows." : "The source may keep more rows; the compute filters again.", p.class, actions)),
      ...scan.kept.map((k) => condition(k, "kept", k.reason, k.code, actions)),
    ),
  );
}

function condition(c: Condition, kind: "pushed" | "kept", why: string, tag: string, actions: PlanActions): HTMLElement {
  const text = h("code", {}, ...coloured(c.sql));
  const at = c.at;
  return h(
    "li",
    { class: kind },
    icon(kind === "pushed" ? "check" : "stay", kind === "pushed" ? "pushed" : "stayed"),
    at ? h("button", { type: "button", class: "condition", title: `Show in ${at.file}`, onclick: () => actions.go(at) }, text) : text,
    h("span", { class: "tag" }, tag),
    h("span", { class: "why" }, why),
  );
}
