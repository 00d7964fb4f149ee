// What can stand here: names of models and sources in ref() and source(), columns after an alias.
import type { Completion, CompletionContext, CompletionResult, CompletionSource } from "@codemirror/autocomplete";
import type { Answer, Schema } from "./types.js";

export function completions(answer: () => Answer): CompletionSource {
  return (context) => inRef(context, answer()) ?? inSource(context, answer()) ?? afterAlias(context, answer());
}

function inRef(context: CompletionContext, answer: Answer): CompletionResult | null {
  const typed = context.matchBefore(/\bref\(\s*['"]\w*/);
  if (!typed) return null;
  const options = answer.models.map((m): Completion => ({ label: m.name, type: "class", detail: m.ephemeral ? "inlined" : m.target }));
  return { from: typed.from + /\w*$/.exec(typed.text)!.index, options };
}

function inSource(context: CompletionContext, answer: Answer): CompletionResult | null {
  const typed = context.matchBefore(/\bsource\(\s*['"]\w*(['"]\s*,\s*['"]\w*)?/);
  if (!typed) return null;
  const from = typed.from + /\w*$/.exec(typed.text)!.index;
  const first = /\(\s*['"](\w*)['"]\s*,/.exec(typed.text)?.[1];
  if (first === undefined) {
    const names = [...new Set(answer.sources.map((s) => s.source))];
    return { from, options: names.map((label): Completion => ({ label, type: "namespace" })) };
  }
  return { from, options: answer.sources.filter((s) => s.source === first).map((s): Completion => ({ label: s.name, type: "class", detail: s.target })) };
}

function afterAlias(context: CompletionContext, answer: Answer): CompletionResult | null {
  const typed = context.matchBefore(/\b\w+\.\w*/);
  if (!typed) return null;
  const [alias = ""] = typed.text.split(".");
  const schema = schemas(context.state.doc.toString(), answer).get(alias.toLowerCase());
  if (!schema) return null;
  const options = schema.columns.map((c): Completion => ({ label: c.name, type: "property", detail: c.canonical ?? "" }));
  return { from: typed.from + alias.length + 1, options, validFor: /^\w*$/ };
}

/** Aliases of the refs and sources in the text. */
function schemas(text: string, answer: Answer): Map<string, Schema> {
  const out = new Map<string, Schema>();
  const call = /\{\{\s*(ref|source)\(\s*['"](\w+)['"](?:\s*,\s*['"](\w+)['"])?\s*\)\s*\}\}(?:\s+as)?\s+(\w+)/gi;
  for (const [, kind, first, second, alias] of text.matchAll(call)) {
    const schema =
      kind!.toLowerCase() === "ref"
        ? answer.models.find((m) => m.name === (second ?? first))?.schema
        : answer.sources.find((s) => s.source === first && s.name === second)?.schema;
    if (schema) out.set(alias!.toLowerCase(), schema);
  }
  return out;
}
