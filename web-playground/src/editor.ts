// The editor: one file at a time, each with its own undo history and cursor, with the planner's words at their places.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionSource } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { jinja } from "@codemirror/lang-jinja";
import { sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic as Lint } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorSelection, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { h } from "./dom.js";
import { marks, showMarks, type Mark } from "./marks.js";
import type { Answer, Diagnostic, Span } from "./types.js";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.attributeName], color: "var(--code-name)" },
  { tag: [tags.function(tags.variableName), tags.standard(tags.name), tags.typeName], color: "var(--code-function)" },
  { tag: [tags.special(tags.brace), tags.brace, tags.squareBracket, tags.paren, tags.punctuation, tags.operator], color: "var(--code-sign)" },
]);

function language(path: string): Extension {
  if (path.endsWith(".sql")) return jinja({ base: sql() });
  if (/\.ya?ml$/.test(path)) return yaml();
  return [];
}

export interface Changed {
  (path: string, text: string): void;
}

export class Editor {
  readonly view: EditorView;
  private path = "";
  private readonly states = new Map<string, EditorState>();

  constructor(parent: HTMLElement, private readonly changed: Changed, private readonly complete: CompletionSource) {
    this.view = new EditorView({ parent });
  }

  /** Shows a file; `at` puts the cursor there. */
  open(path: string, text: string, at?: Span): void {
    if (path !== this.path) {
      if (this.path) this.states.set(this.path, this.view.state);
      this.path = path;
      const known = this.states.get(path);
      this.view.setState(known && known.doc.toString() === text ? known : this.fresh(path, text));
    } else if (this.view.state.doc.toString() !== text) {
      this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    }
    if (at) {
      const anchor = this.offset(at);
      this.view.dispatch({ selection: EditorSelection.cursor(anchor), effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
      this.view.focus();
    }
  }

  forget(path: string): void {
    this.states.delete(path);
    if (path === this.path) this.path = "";
  }

  /** Shows the diagnostics of the open file. */
  tell(diagnostics: Diagnostic[], codes: Answer["codes"]): void {
    const lints = diagnostics.filter((d) => d.span?.file === this.path).map((d) => this.lint(d, codes));
    this.view.dispatch(setDiagnostics(this.view.state, lints));
  }

  mark(list: Mark[]): void {
    showMarks(this.view, list);
  }

  text(): string {
    return this.view.state.doc.toString();
  }

  /** Lines count from 1, columns in characters from 1; what lies outside the text is moved into it. */
  offset(at: Span): number {
    const line = this.view.state.doc.line(Math.min(Math.max(at.line, 1), this.view.state.doc.lines));
    const before = Array.from(line.text).slice(0, Math.max(at.column - 1, 0)).join("");
    return Math.min(line.from + before.length, line.to);
  }

  private lint(d: Diagnostic, codes: Answer["codes"]): Lint {
    const from = this.offset(d.span!);
    const line = this.view.state.doc.lineAt(from);
    const word = /^(\w+|"[^"]*"|`[^`]*`|\{[{%]|.)/.exec(line.text.slice(from - line.from))?.[0] ?? "";
    const to = word ? from + word.length : from;
    return {
      // At a line's end there is nothing to underline: take the last character before.
      from: to > from ? from : Math.max(line.from, from - 1),
      to,
      severity: d.severity === "note" ? "info" : d.severity,
      message: `${d.code}: ${d.message}`,
      renderMessage: () => {
        const code = codes[d.code];
        return h(
          "div",
          { class: "tip" },
          h("p", {}, h("strong", {}, `${d.code} ${code?.title ?? ""}`)),
          h("p", {}, d.message),
          d.hint ? h("p", { class: "hint" }, `hint: ${d.hint}`) : null,
          code ? h("p", { class: "why" }, code.explanation) : null,
        );
      },
    };
  }

  private fresh(path: string, text: string): EditorState {
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ override: [this.complete] }),
        highlightSelectionMatches(),
        search({ top: true }),
        lintGutter(),
        marks,
        language(path),
        syntaxHighlighting(colours),
        EditorState.tabSize.of(2),
        EditorView.lineWrapping,
        // Tab stays free: it moves on to the next part of the page.
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
        EditorView.contentAttributes.of({ "aria-label": `Text of ${path}`, spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) this.changed(path, update.state.doc.toString());
        }),
      ],
    });
  }
}
