// The project's files as a tree: arrows move, Enter opens.
import { h, icon, show } from "./dom.js";
import type { Diagnostic } from "./types.js";

interface Folder {
  folders: Map<string, Folder>;
  files: string[];
}

export interface TreeActions {
  open(path: string): void;
}

export function showTree(parent: Element, paths: string[], open: string, changed: (path: string) => boolean, diagnostics: Diagnostic[], actions: TreeActions): void {
  const root: Folder = { folders: new Map(), files: [] };
  for (const path of paths) {
    const parts = path.split("/");
    let at = root;
    for (const part of parts.slice(0, -1)) {
      const next = at.folders.get(part) ?? { folders: new Map(), files: [] };
      at.folders.set(part, next);
      at = next;
    }
    at.files.push(path);
  }
  const worst = (path: string) => {
    const own = diagnostics.filter((d) => d.span?.file === path).map((d) => d.severity);
    return (["error", "warning"] as const).find((s) => own.includes(s));
  };
  const rows = (folder: Folder, level: number): HTMLElement[] => [
    ...[...folder.folders].flatMap(([name, inner]) => [
      h("div", { class: "row folder", role: "presentation", style: `--level:${level}` }, icon("folder"), h("span", {}, name)),
      ...rows(inner, level + 1),
    ]),
    ...folder.files.map((path) => {
      const name = path.split("/").at(-1)!;
      const trouble = worst(path);
      return h(
        "button",
        {
          class: `row file${trouble ? ` has-${trouble}` : ""}`,
          type: "button",
          style: `--level:${level}`,
          title: path,
          "data-key": `file:${path}`,
          "data-path": path,
          "aria-current": path === open ? "true" : undefined,
          tabindex: path === open ? 0 : -1,
          onclick: () => actions.open(path),
        },
        icon("file"),
        h("span", { class: "name" }, name),
        changed(path) ? h("span", { class: "changed", title: "changed" }, h("span", { class: "sr" }, "changed")) : null,
        trouble ? icon(trouble, trouble) : null,
      );
    }),
  ];
  show(parent, rows(root, 0));
}

/** Up, down, Home and End move between the files. */
export function treeKeys(parent: HTMLElement): void {
  parent.addEventListener("keydown", (event) => {
    const files = [...parent.querySelectorAll<HTMLElement>("button.file")];
    const at = files.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: files.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    files[Math.min(Math.max(to, 0), files.length - 1)]?.focus();
  });
}
