// The planner in its Worker: one question in, one answer out. Who asks what, and for how long, is planner.ts's matter.
import { explain, initSync } from "../generated/planner.js";

let panic = "";
(globalThis as Record<string, unknown>).dvtPlannerPanicked = (message: string) => {
  panic = message;
};

self.onmessage = ({ data }: MessageEvent) => {
  if (data.module) {
    initSync({ module: data.module });
    postMessage({ ready: true });
    return;
  }
  const since = performance.now();
  try {
    const answer = explain(data.question);
    postMessage({ id: data.id, answer, ms: performance.now() - since });
  } catch (error) {
    postMessage({ id: data.id, failed: panic || String(error) });
  }
};
