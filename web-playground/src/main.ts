// The page: what is open, what was answered, and who is told when either changes.
import { completions } from "./complete.js";
import { h, icon, show } from "./dom.js";
import { Editor } from "./editor.js";
import { showGraph, showLegend } from "./graph.js";
import { conditionEnd, type Mark } from "./marks.js";
import { showPlan, showSource } from "./plan.js";
import { Planner } from "./planner.js";
import { showProblems } from "./problems.js";
import { Project } from "./project.js";
import { showTree, treeKeys } from "./tree.js";
import type { Answer, Files, Model, Question, Setting, Span } from "./types.js";

/** After the last key, before the planner is asked. */
const PAUSE_MS = 120;
/** A plan of the demo takes a few dozen; beyond this a template loops. */
const LIMIT_MS = 5000;
const OPEN = "dvt.playground.open";
const THEME = "dvt.playground.theme";

const at = (id: string) => document.getElementById(id)!;
const none: Answer = { models: [], sources: [], targets: [], diagnostics: [], codes: {} };

/** Storage may be forbidden; the page works on. */
const remembered = (key: string) => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};
const remember = (key: string, value: string) => {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above.
  }
};

async function start(): Promise<void> {
  const [demo, settings] = await Promise.all([
    fetch("demo.json").then((r) => r.json() as Promise<Question>),
    fetch("settings.json").then((r) => r.json() as Promise<Setting[]>),
  ]);
  const project = new Project(demo.files);
  let open = "";
  let selected = "";
  /** A file whose model is not known yet. */
  let awaited = "";
  let timer = 0;
  /** What the planner said last, and the last of its answers that had models. */
  let answer = none;
  let shown = none;
  /** The text that the planner was asked about: its places are places in that. */
  let asked: Files = {};
  /** Whether the planner was stopped over the text as it is. */
  let lost = false;

  const editor = new Editor(at("editor"), (path, text) => {
    project.write(path, text);
    files();
    later();
  }, completions(() => shown));

  const question = () => JSON.stringify({ ...demo, files: project.files, env: environment() });
  const environment = () => {
    const chosen = [...at("settings").querySelectorAll("select")].filter((s) => s.selectedIndex > 0);
    return { ...demo.env, ...Object.fromEntries(chosen.map((s) => [s.name, s.value])) };
  };
  show(
    at("settings"),
    settings.map((s) => {
      const kept = remembered(`dvt.playground.env.${s.env}`);
      const changed = (e: Event) => (remember(`dvt.playground.env.${s.env}`, (e.target as HTMLSelectElement).value), now());
      const option = (v: string) => h("option", { value: v, selected: v === kept }, v);
      return h("label", { title: `The environment variable ${s.env}` }, s.label, h("select", { name: s.env, onchange: changed }, s.values.map(option)));
    }),
  );
  const planner = await Planner.load(
    {
      busy: () => status("busy", "planning…"),
      answered(text, ms) {
        answer = JSON.parse(text) as Answer;
        lost = false;
        if (answer.models.length > 0) shown = answer;
        document.documentElement.dataset.answered = String(Number(document.documentElement.dataset.answered ?? 0) + 1);
        const errors = answer.diagnostics.filter((d) => d.severity === "error").length;
        status(errors ? "bad" : "good", errors ? `${errors} error${errors === 1 ? "" : "s"}` : `planned in ${Math.max(1, Math.round(ms))} ms`);
        trouble("");
        all();
      },
      stopped(reason) {
        lost = true;
        status("bad", "stopped");
        trouble(reason);
        all();
      },
    },
    LIMIT_MS,
  );
  const now = () => {
    asked = project.files;
    planner.ask(question());
  };
  const later = () => {
    clearTimeout(timer);
    timer = window.setTimeout(now, PAUSE_MS);
  };

  function status(kind: string, text: string): void {
    const box = at("status");
    box.className = `status ${kind}`;
    box.textContent = text;
  }

  function trouble(text: string): void {
    const box = at("trouble");
    box.hidden = text === "";
    show(box, text ? [icon("error"), h("span", {}, text, " A new planner stands ready; your text is safe."), h("button", { type: "button", onclick: now }, "Plan again")] : null);
  }

  function toast(text: string, action?: string, act?: () => void): void {
    const box = at("toast");
    const close = () => box.replaceChildren();
    show(box, h("div", {}, text, action ? h("button", { type: "button", onclick: () => (close(), act?.()) }, action) : null));
    setTimeout(close, 7000);
  }

  const model = (): Model | undefined => shown.models.find((m) => m.unique_id === selected);
  const unpushed = () => (at("unpushed") as HTMLInputElement).checked;

  function go(place: Span): void {
    if (project.text(place.file) === undefined) return;
    openFile(place.file, place);
    view("edit");
  }

  function openFile(path: string, place?: Span): void {
    const text = project.text(path);
    if (text === undefined) return;
    open = path;
    remember(OPEN, path);
    editor.open(path, text, place);
    const own = shown.models.find((m) => m.file === path);
    if (own) selected = own.unique_id;
    awaited = own ? "" : path;
    all();
  }

  function openModel(id: string): void {
    selected = id;
    const file = model()?.file;
    if (file) openFile(file);
    if (narrow()) view("plan");
  }

  function openSource(id: string): void {
    const source = shown.sources.find((s) => s.unique_id === id);
    if (!source) return;
    openFile(source.at.file, source.at);
    selected = id;
    all();
    if (narrow()) view("plan");
  }

  function files(): void {
    showTree(at("tree"), project.paths(), open, (p) => project.changed(p), answer.diagnostics, { open: (p) => (openFile(p), narrow() && view("edit")) });
    const [, folder, name] = /^(.*\/)?([^/]*)$/.exec(open) ?? [];
    show(at("path"), h("span", { class: "folder" }, folder ?? ""), h("b", {}, name ?? ""), project.changed(open) ? h("span", { class: "changed" }, h("span", { class: "sr" }, "changed")) : null);
    (at("restore") as HTMLButtonElement).disabled = !project.changed(open) || project.original(open) === undefined;
    const changes = project.changes();
    (at("reset") as HTMLButtonElement).disabled = changes === 0;
  }

  function marks(): Mark[] {
    const text = editor.text();
    if (unpushed() || lost) return [];
    return (model()?.scans ?? []).flatMap((scan) => {
      const make = (c: { sql: string; at?: Span | null }, kind: Mark["kind"], title: string, detail: string): Mark[] => {
        if (!c.at || c.at.file !== open || answer !== shown) return [];
        const from = editor.offset(c.at);
        const to = conditionEnd(text, from, c.sql);
        return from < to ? [{ from, to, kind, title, detail }] : [];
      };
      return [
        ...scan.pushed.flatMap((p) => make(p, "pushed", `Runs on ${scan.source}`, `(${p.class}) while ${scan.relation} is read`)),
        ...scan.kept.flatMap((k) => make(k, "kept", `${k.code}: stays in the compute.`, k.reason)),
      ];
    });
  }

  function all(): void {
    const arrived = answer === shown && awaited === open && shown.models.find((m) => m.file === open);
    if (arrived) {
      selected = arrived.unique_id;
      awaited = "";
    }
    const source = shown.sources.find((s) => s.unique_id === selected);
    if (!source && !shown.models.some((m) => m.unique_id === selected)) {
      selected = (shown.models.find((m) => m.file === open) ?? shown.models.find((m) => m.path === "federation") ?? shown.models[0])?.unique_id ?? "";
    }
    files();
    if (asked[open] === editor.text()) {
      editor.tell(lost ? [] : answer.diagnostics, answer.codes);
      editor.mark(marks());
    }
    showProblems(at("problems"), at("problem-count"), lost ? null : answer, go);
    showGraph(at("graph"), answer.models.length ? answer : { ...shown, diagnostics: answer.diagnostics }, selected, openModel, openSource);
    showLegend(at("legend"), shown);
    if (source) showSource(at("plan"), shown, source);
    else showPlan(at("plan"), answer.models.length ? answer : shown, model(), unpushed(), { go, openModel });
    at("stale").hidden = !lost && (answer === shown || shown === none);
  }

  const narrow = () => matchMedia("(max-width: 820px)").matches;
  function view(name: string): void {
    document.body.dataset.view = name;
    for (const tab of document.querySelectorAll<HTMLElement>("#tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
  }

  at("tabs").addEventListener("click", (event) => {
    const name = (event.target as HTMLElement).closest("button")?.dataset.view;
    if (name) view(name);
  });
  at("unpushed").addEventListener("change", all);
  at("restore").addEventListener("click", () => {
    const before = project.text(open) ?? "";
    project.restore(open);
    editor.open(open, project.text(open) ?? "");
    later();
    files();
    const path = open;
    toast(`${path} is as it was.`, "Undo", () => {
      project.write(path, before);
      openFile(path);
      now();
    });
  });
  at("reset").addEventListener("click", () => {
    const before = project.reset();
    reopen();
    toast("Every file is as it was.", "Undo", () => {
      project.put(before);
      reopen();
    });
  });
  at("link").addEventListener("click", async () => {
    const url = `${location.origin}${location.pathname}#${await project.fragment()}`;
    await navigator.clipboard?.writeText(url).catch(() => undefined);
    history.replaceState(null, "", url);
    toast("The link to your changes is copied, and in the address bar.");
  });
  at("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember(THEME, root.dataset.theme);
  });
  const dialog = at("new-file") as HTMLDialogElement;
  at("add").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", () => {
    const input = dialog.querySelector("input")!;
    const path = input.value.trim().replace(/^\/+/, "");
    if (dialog.returnValue !== "create" || !path) return;
    if (project.text(path) === undefined) project.write(path, path.endsWith(".sql") ? "select 1 as one\n" : "");
    input.value = "models/";
    openFile(path);
    now();
  });
  at("remove").addEventListener("click", () => {
    const path = open;
    const text = project.text(path) ?? "";
    project.remove(path);
    editor.forget(path);
    openFile(project.paths()[0] ?? "");
    now();
    toast(`${path} is removed.`, "Undo", () => {
      project.write(path, text);
      openFile(path);
      now();
    });
  });
  treeKeys(at("tree"));

  function reopen(): void {
    openFile(project.text(open) === undefined ? (project.paths()[0] ?? "") : open);
    now();
  }

  async function fromLink(): Promise<void> {
    const before = await project.open(location.hash).catch(() => null);
    if (!before) return;
    history.replaceState(null, "", location.pathname + location.search);
    toast("These are the changes of the link you opened.", "Back to mine", () => {
      project.put(before);
      reopen();
    });
  }
  await fromLink();
  window.addEventListener("hashchange", () => void fromLink().then(reopen));

  view("edit");
  const first = remembered(OPEN) ?? "models/marts/customer_revenue.sql";
  openFile(project.text(first) === undefined ? project.paths()[0]! : first);
  now();
}

const theme = remembered(THEME);
if (theme) document.documentElement.dataset.theme = theme;
start().catch((error: unknown) => {
  const box = at("trouble");
  box.hidden = false;
  box.textContent = `The playground cannot start: ${error instanceof Error ? error.message : String(error)}`;
});
