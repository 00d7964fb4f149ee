// Asks the planner in a Worker. The newest question wins; one that takes too long, or that kills the planner, ends with
// its Worker, and a new Worker stands ready. Nothing of the person's text lives here.

export interface Listener {
  answered(answer: string, ms: number): void;
  busy(): void;
  /** The Worker is gone and a new one takes its place; `reason` is for a person. */
  stopped(reason: string): void;
}

interface Asked {
  id: number;
  question: string;
}

export class Planner {
  private worker: Worker | null = null;
  private ready = false;
  private running: Asked | null = null;
  private waiting: Asked | null = null;
  private timer = 0;
  private last = 0;
  /** Workers in a row that failed before they were ready: something is wrong that another start does not mend. */
  private stillborn = 0;

  private constructor(
    private readonly module: WebAssembly.Module,
    private readonly script: string,
    private readonly listener: Listener,
    private readonly limit: number,
  ) {
    this.start();
  }

  /** Everything a new Worker needs is kept in memory: a restart asks the network for nothing. */
  static async load(listener: Listener, limit: number): Promise<Planner> {
    const [module, script] = await Promise.all([
      WebAssembly.compileStreaming(fetch("planner_bg.wasm")),
      fetch("worker.js").then((r) => r.blob()),
    ]);
    return new Planner(module, URL.createObjectURL(new Blob([script], { type: "text/javascript" })), listener, limit);
  }

  ask(question: string): void {
    this.waiting = { id: ++this.last, question };
    this.next();
  }

  private start(): void {
    this.ready = false;
    const worker = new Worker(this.script, { type: "module" });
    this.worker = worker;
    worker.onmessage = ({ data }) => worker === this.worker && this.heard(data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.worker) this.restart(event.message || "the planner's Worker failed");
    };
    worker.postMessage({ module: this.module });
  }

  private next(): void {
    if (!this.ready || this.running || !this.waiting) return;
    this.running = this.waiting;
    this.waiting = null;
    this.listener.busy();
    this.worker?.postMessage(this.running);
    this.timer = window.setTimeout(() => {
      const seconds = Math.round(this.limit / 1000);
      this.restart(`Planning took longer than ${seconds} seconds and was stopped: does a template loop for ever?`);
    }, this.limit);
  }

  private heard(data: { ready?: boolean; id?: number; answer?: string; ms?: number; failed?: string }): void {
    if (data.ready) {
      this.ready = true;
      this.stillborn = 0;
    } else if (data.failed !== undefined) {
      this.restart(`The planner stopped: ${data.failed}`);
      return;
    } else if (data.id === this.running?.id && data.answer !== undefined) {
      clearTimeout(this.timer);
      this.running = null;
      // An answer to an older text would flicker; the newer one is on its way.
      if (!this.waiting) this.listener.answered(data.answer, data.ms ?? 0);
    }
    this.next();
  }

  private restart(reason: string): void {
    clearTimeout(this.timer);
    this.worker?.terminate();
    this.running = null;
    this.stillborn = this.ready ? 0 : this.stillborn + 1;
    if (this.stillborn < 3) this.start();
    this.listener.stopped(reason);
  }
}
