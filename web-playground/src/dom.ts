// Elements from values. Text is always text: nothing that a person or the planner wrote becomes markup.

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

const SVG = "http://www.w3.org/2000/svg";

export function h(tag: string, props: Props = {}, ...children: (Child | Child[])[]): HTMLElement {
  return fill(document.createElement(tag), props, children) as HTMLElement;
}

export function svg(tag: string, props: Props = {}, ...children: (Child | Child[])[]): SVGElement {
  return fill(document.createElementNS(SVG, tag), props, children) as SVGElement;
}

function fill(element: Element, props: Props, children: (Child | Child[])[]): Element {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value as EventListener);
    else if (key === "class") element.setAttribute("class", String(value));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Replaces what `parent` holds; the element with the same `data-key` keeps the focus. */
export function show(parent: Element, ...children: (Child | Child[])[]): void {
  const active = document.activeElement;
  const key = active && parent.contains(active) ? active.getAttribute("data-key") : null;
  parent.replaceChildren();
  fill(parent, {}, children);
  if (key) (parent.querySelector(`[data-key="${CSS.escape(key)}"]`) as HTMLElement | null)?.focus({ preventScroll: true });
}

const ICONS: Record<string, string> = {
  native: "M4 5.2C4 3.9 6.2 3 9 3s5 .9 5 2.2v7.6C14 14.1 11.8 15 9 15s-5-.9-5-2.2zM4 5.2c0 1.3 2.2 2.2 5 2.2s5-.9 5-2.2M4 9c0 1.3 2.2 2.2 5 2.2S14 10.300 14 9",
  federated: "M2.500 4h3c3 0 3 5 6 5h4M2.500 14h3c3 0 3-5 6-5M13 6.500 15.500 9 13 11.500",
  inlined: "M6 4.500 2.500 9 6 13.500M12 4.500 15.500 9 12 13.500M10 3.500 8 14.500",
  source: "M3 4h12v10H3zM3 7.500h12M7.500 7.500V14",
  file: "M5 2.500h5.500L14 6v9.500H5zM10.500 2.500V6H14",
  folder: "M2.500 5V14.500h13V6.500H9L7.500 4.500h-5z",
  error: "M9 2.500a6.500 6.500 0 1 1 0 13a6.500 6.500 0 0 1 0-13zM9 5.500v4.200M9 12.300v.2",
  warning: "M9 3 16 15H2zM9 7.500v3.700M9 13v.2",
  note: "M9 2.500a6.500 6.500 0 1 1 0 13a6.500 6.500 0 0 1 0-13zM9 8.500v4M9 5.600v.2",
  check: "M3.500 9.500 7.500 13.500 14.500 5",
  stay: "M9 3.500v8M5.500 8 9 11.500 12.500 8M3.500 14.500h11",
  copy: "M6.500 6.500h8v8h-8zM11.500 6.500v-3h-8v8h3",
  link: "M7.500 10.500a3 3 0 0 0 4.300 0l2.400-2.400a3 3 0 0 0-4.300-4.300L9 4.700M10.500 7.500a3 3 0 0 0-4.300 0L3.800 9.900a3 3 0 0 0 4.300 4.300l.9-.9",
  reset: "M3.500 9a5.500 5.500 0 1 0 1.800-4.100L3.500 6.500M3.500 3v3.500H7",
  plus: "M9 4v10M4 9h10",
  bin: "M3.500 5h11M7 5V3.500h4V5M5 5l.7 10h6.600L13 5",
  theme: "M9 2.500a6.500 6.500 0 1 0 0 13zM9 2.500a6.500 6.500 0 0 1 0 13",
  down: "M5 7l4 4 4-4",
};

/** A line drawing; words beside it carry the meaning. */
export function icon(name: string, title?: string): SVGElement {
  const path = svg("path", { d: ICONS[name] ?? "" });
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 18 18", "aria-hidden": title ? undefined : "true", role: title ? "img" : undefined }, title ? svg("title", {}, title) : null, path);
}

/** Colour of a target: by its place in the list, the same wherever it is named. */
export function hue(targets: { name: string }[], name: string): string {
  const at = targets.findIndex((t) => t.name === name);
  return `var(--target-${at < 0 ? 0 : (at % 6) + 1})`;
}
