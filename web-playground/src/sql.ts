// SQL to read: coloured, and one-line statements broken where a person would break them. Text is only shown, never changed.
import { StandardSQL } from "@codemirror/lang-sql";
import { classHighlighter, highlightTree } from "@lezer/highlight";
import { h, icon } from "./dom.js";

const BREAKS = new Set(["from", "where", "limit", "group", "order"]);

/** A block of SQL with a button that copies it as it is. */
export function sqlBlock(sql: string, label: string): HTMLElement {
  const text = sql.trim();
  const copy = h("button", { class: "copy quiet", type: "button", title: "Copy the SQL", "aria-label": `Copy the SQL: ${label}` }, icon("copy"));
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text).catch(() => undefined);
    copy.classList.add("done");
    setTimeout(() => copy.classList.remove("done"), 900);
  });
  return h("div", { class: "sql", role: "group", "aria-label": label }, h("pre", { tabindex: 0 }, h("code", {}, ...coloured(text))), copy);
}

/** Coloured spans of one line or more. */
export function coloured(text: string): (HTMLElement | string)[] {
  const oneLine = !text.includes("\n");
  const out: (HTMLElement | string)[] = [];
  let from = 0;
  let depth = 0;
  const plain = (end: number) => {
    const piece = text.slice(from, end);
    for (const c of piece) depth += c === "(" ? 1 : c === ")" ? -1 : 0;
    out.push(piece);
  };
  highlightTree(StandardSQL.language.parser.parse(text), classHighlighter, (start, end, classes) => {
    plain(start);
    const word = text.slice(start, end);
    for (const c of word) depth += c === "(" ? 1 : c === ")" ? -1 : 0;
    if (oneLine && depth === 0 && classes.includes("tok-keyword")) {
      const lower = word.toLowerCase();
      if (BREAKS.has(lower)) out.push("\n");
      else if (lower === "and") out.push("\n  ");
    }
    out.push(h("span", { class: classes }, word));
    from = end;
  });
  plain(text.length);
  return out;
}
