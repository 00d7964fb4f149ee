// The project's files: the demo's, with the person's changes over them. Every change is kept at once in this browser's
// storage, whatever the planner makes of it.
import type { Files } from "./types.js";

const KEY = "dvt.playground.edits";
const BEFORE = "dvt.playground.edits.before-link";

/** Path to new text; null for a file that was removed. */
type Edits = Record<string, string | null>;

export class Project {
  private edits: Edits = {};

  constructor(private readonly base: Files) {
    this.edits = read(KEY);
  }

  get files(): Files {
    const out: Files = { ...this.base };
    for (const [path, text] of Object.entries(this.edits)) {
      if (text === null) delete out[path];
      else out[path] = text;
    }
    return out;
  }

  paths(): string[] {
    return Object.keys(this.files).sort();
  }

  text(path: string): string | undefined {
    return this.files[path];
  }

  original(path: string): string | undefined {
    return this.base[path];
  }

  changed(path: string): boolean {
    return path in this.edits;
  }

  changes(): number {
    return Object.keys(this.edits).length;
  }

  write(path: string, text: string): void {
    if (this.base[path] === text) delete this.edits[path];
    else this.edits[path] = text;
    this.keep();
  }

  remove(path: string): void {
    if (path in this.base) this.edits[path] = null;
    else delete this.edits[path];
    this.keep();
  }

  restore(path: string): void {
    delete this.edits[path];
    this.keep();
  }

  reset(): Edits {
    const before = this.edits;
    this.edits = {};
    this.keep();
    return before;
  }

  put(edits: Edits): void {
    this.edits = { ...edits };
    this.keep();
  }

  /** The changes for a link's fragment. */
  async fragment(): Promise<string> {
    const packed = new Blob([JSON.stringify(this.edits)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return `edits=${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  }

  /** Takes the changes of a link; what was here is kept and returned. Null when the fragment is none of ours. */
  async open(fragment: string): Promise<Edits | null> {
    const packed = /^#?edits=([\w-]+)$/.exec(fragment)?.[1];
    if (!packed) return null;
    const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const edits = clean(JSON.parse(await new Response(plain).text()));
    const before = this.edits;
    store(BEFORE, before);
    this.put(edits);
    return before;
  }

  private keep(): void {
    store(KEY, this.edits);
  }
}

function store(key: string, edits: Edits): void {
  try {
    localStorage.setItem(key, JSON.stringify(edits));
  } catch {
    // Storage may be full or forbidden; the page works on.
  }
}

function read(key: string): Edits {
  try {
    return clean(JSON.parse(localStorage.getItem(key) ?? "{}"));
  } catch {
    return {};
  }
}

function clean(value: unknown): Edits {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  return Object.fromEntries(entries.filter(([, text]) => text === null || typeof text === "string")) as Edits;
}
