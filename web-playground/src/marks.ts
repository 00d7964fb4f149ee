// Conditions that moved to a source or stayed in the compute, shown where they stand in the open file.
import { StateEffect, StateField, type Extension } from "@codemirror/state";
import { Decoration, EditorView, hoverTooltip, type DecorationSet } from "@codemirror/view";
import { h } from "./dom.js";

export interface Mark {
  from: number;
  to: number;
  kind: "pushed" | "kept";
  title: string;
  detail: string;
}

const set = StateEffect.define<Mark[]>();

const field = StateField.define<{ marks: Mark[]; shown: DecorationSet }>({
  create: () => ({ marks: [], shown: Decoration.none }),
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(set)) {
        const shown = effect.value.map((m) => Decoration.mark({ class: `cm-${m.kind}` }).range(m.from, m.to));
        return { marks: effect.value, shown: Decoration.set(shown, true) };
      }
    }
    if (!transaction.docChanged) return value;
    const marks = value.marks.map((m) => ({ ...m, from: transaction.changes.mapPos(m.from, 1), to: transaction.changes.mapPos(m.to, -1) })).filter((m) => m.from < m.to);
    return { marks, shown: value.shown.map(transaction.changes) };
  },
  provide: (f) => EditorView.decorations.from(f, (v) => v.shown),
});

const hover = hoverTooltip((view, at) => {
  const found = view.state.field(field).marks.filter((m) => m.from <= at && at <= m.to);
  const first = found[0];
  if (!first) return null;
  return {
    pos: first.from,
    end: first.to,
    above: true,
    create: () => ({ dom: h("div", { class: "tip" }, found.map((m) => h("p", {}, h("strong", {}, m.title), m.detail ? ` ${m.detail}` : ""))) }),
  };
});

export const marks: Extension = [field, hover];

export function showMarks(view: EditorView, list: Mark[]): void {
  view.dispatch({ effects: set.of(list) });
}

/** Where a condition ends in the text: its characters in order, spaces aside; the line's end where a template wrote part. */
export function conditionEnd(text: string, start: number, sql: string): number {
  let at = start;
  for (const c of sql.toLowerCase()) {
    if (/\s/.test(c)) continue;
    while (at < text.length && /\s/.test(text[at]!)) at++;
    if (text[at]?.toLowerCase() !== c) {
      const end = text.indexOf("\n", start);
      return end < 0 ? text.length : end;
    }
    at++;
  }
  return at;
}
