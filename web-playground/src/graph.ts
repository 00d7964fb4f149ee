// The strip of models: sources on the left, each model right of all it reads, coloured by where it is built.
import { h, hue, icon, show, svg } from "./dom.js";
import type { Answer, Model } from "./types.js";

const WIDTH = 182;
const GAP = 44;
const ROW = 34;
const HEIGHT = 26;

export function pathIcon(model: Model): string {
  return model.ephemeral ? "inlined" : model.path === "federation" ? "federated" : "native";
}

export function pathWord(model: Model): string {
  return model.ephemeral ? "inlined" : model.path === "federation" ? "federated" : "native";
}

interface Box {
  id: string;
  column: number;
  row: number;
}

/** Columns by longest way; in a column, boxes stand near what they read. */
function layout(answer: Answer): Box[] {
  const used = new Set(answer.models.flatMap((m) => m.depends_on));
  const column = new Map<string, number>();
  for (const source of answer.sources) if (used.has(source.unique_id)) column.set(source.unique_id, 0);
  for (const model of answer.models) column.set(model.unique_id, 1 + Math.max(0, ...model.depends_on.map((d) => column.get(d) ?? 0)));
  const columns: string[][] = [];
  for (const [id, at] of column) (columns[at] ??= []).push(id);
  const order = new Map(answer.targets.map((t, i) => [t.name, i]));
  columns[0]?.sort((a, b) => {
    const target = (id: string) => order.get(answer.sources.find((s) => s.unique_id === id)!.target) ?? 0;
    return target(a) - target(b) || a.localeCompare(b);
  });
  const tallest = Math.max(1, ...columns.map((c) => c?.length ?? 0));
  const row = new Map<string, number>();
  const boxes: Box[] = [];
  columns.forEach((ids, at) => {
    const wish = (id: string) => {
      const parents = answer.models.find((m) => m.unique_id === id)?.depends_on.map((d) => row.get(d)).filter((r) => r !== undefined) ?? [];
      return parents.length ? parents.reduce((a, b) => a + b, 0) / parents.length : 0;
    };
    const sorted = at === 0 ? ids : [...ids].sort((a, b) => wish(a) - wish(b));
    const top = (tallest - sorted.length) / 2;
    sorted.forEach((id, i) => {
      row.set(id, top + i);
      boxes.push({ id, column: at, row: top + i });
    });
  });
  return boxes;
}

export function showGraph(parent: Element, answer: Answer, selected: string, openModel: (id: string) => void, openSource: (id: string) => void): void {
  const boxes = layout(answer);
  const at = new Map(boxes.map((b) => [b.id, b]));
  const x = (b: Box) => b.column * (WIDTH + GAP);
  const y = (b: Box) => b.row * ROW;
  const width = Math.max(...boxes.map((b) => x(b) + WIDTH), 0);
  const height = Math.max(...boxes.map((b) => y(b) + HEIGHT), 0);
  const failing = new Set(answer.diagnostics.filter((d) => d.severity === "error" && d.node).map((d) => d.node));
  const near = answer.models.find((m) => m.unique_id === selected);
  const edges = answer.models.flatMap((m) =>
    m.depends_on.flatMap((d) => {
      const [from, to] = [at.get(d), at.get(m.unique_id)];
      if (!from || !to) return [];
      const [x1, y1, x2, y2] = [x(from) + WIDTH, y(from) + HEIGHT / 2, x(to), y(to) + HEIGHT / 2];
      const bend = Math.max(18, (x2 - x1) / 2);
      const strong = m.unique_id === selected || d === selected;
      return [svg("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, class: strong ? "edge strong" : "edge" })];
    }),
  );
  const box = (b: Box) => {
    const style = (target: string) => `left:${x(b)}px;top:${y(b)}px;width:${WIDTH}px;height:${HEIGHT}px;--hue:${hue(answer.targets, target)}`;
    const source = answer.sources.find((s) => s.unique_id === b.id);
    if (source) {
      const title = `source ${source.source}.${source.name} on ${source.target}`;
      const related = near?.depends_on.includes(b.id) ? " related" : "";
      return h(
        "button",
        { class: `box source${related}`, type: "button", style: style(source.target), title, "aria-label": title, "aria-pressed": b.id === selected ? "true" : "false", "data-key": b.id, "data-source": source.name, onclick: () => openSource(b.id) },
        icon("source"),
        h("span", {}, source.name),
      );
    }
    const model = answer.models.find((m) => m.unique_id === b.id)!;
    const where = model.ephemeral ? "inlined where it is read" : model.path === "federation" ? `federated, lands in ${model.target}` : `runs on ${model.target}`;
    const title = `${model.name}: ${where}`;
    return h(
      "button",
      {
        class: `box model ${pathWord(model)}${failing.has(b.id) ? " failing" : ""}`,
        type: "button",
        style: style(model.target),
        title,
        "aria-label": title,
        "aria-pressed": b.id === selected ? "true" : "false",
        "data-key": b.id,
        "data-model": model.name,
        onclick: () => openModel(b.id),
      },
      icon(pathIcon(model)),
      h("span", {}, model.name),
      failing.has(b.id) ? icon("error", "has an error") : null,
    );
  };
  show(
    parent,
    h(
      "div",
      { class: "canvas", style: `width:${width}px;height:${height}px` },
      svg("svg", { class: "edges", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, edges),
      boxes.map(box),
    ),
  );
}

/** What the colours and drawings mean. */
export function showLegend(parent: Element, answer: Answer): void {
  show(
    parent,
    h("span", { class: "key" }, icon("native"), "runs on one target"),
    h("span", { class: "key" }, icon("federated"), "federates"),
    h("span", { class: "key" }, icon("inlined"), "inlined"),
    h("span", { class: "rule" }),
    answer.targets.map((t) => h("span", { class: "key" }, h("i", { class: "dot", style: `--hue:${hue(answer.targets, t.name)}` }), h("b", {}, t.name), h("span", { class: "dim" }, t.adapter))),
  );
}
