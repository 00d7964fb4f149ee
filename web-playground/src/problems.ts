// Everything the planner has to say, in one list; a click goes to the place.
import { h, icon, show } from "./dom.js";
import type { Answer, Diagnostic, Span } from "./types.js";

const RANK = { error: 0, warning: 1, note: 2 };

export function sorted(diagnostics: Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

/** `answer` is null when the planner was stopped. */
export function showProblems(parent: Element, count: Element, answer: Answer | null, go: (at: Span) => void): void {
  if (!answer) {
    show(count, "not known");
    count.className = "count bad";
    show(parent, h("li", { class: "empty" }, "The planner was stopped before it could say."));
    return;
  }
  const all = sorted(answer.diagnostics);
  const of = (severity: string) => all.filter((d) => d.severity === severity).length;
  const words = [count1(of("error"), "error"), count1(of("warning"), "warning"), count1(of("note"), "note")].filter(Boolean);
  show(count, words.length ? words.join(", ") : "none");
  count.className = of("error") ? "count bad" : of("warning") ? "count careful" : "count";
  show(
    parent,
    all.length === 0 ? h("li", { class: "empty" }, icon("check"), "The project reads well.") : null,
    all.map((d, i) =>
      h(
        "li",
        { class: d.severity },
        h(
          "button",
          { type: "button", disabled: d.span ? undefined : true, "data-key": `problem:${i}`, onclick: () => d.span && go(d.span), title: answer.codes[d.code]?.explanation },
          icon(d.severity, d.severity),
          h("span", { class: "code" }, d.code),
          h(
            "span",
            { class: "words" },
            h("span", { class: "message" }, d.message, d.hint ? h("span", { class: "hint" }, `hint: ${d.hint}`) : null),
            d.span ? h("span", { class: "place" }, `${d.span.file}:${d.span.line}:${d.span.column}`) : null,
          ),
        ),
      ),
    ),
  );
}

function count1(n: number, word: string): string {
  return n === 0 ? "" : `${n} ${word}${n === 1 ? "" : "s"}`;
}
