// The shapes of the planner's answer (planner-wasm/component/wit/planner.wit tells them in words).

export interface Span {
  file: string;
  line: number;
  column: number;
}

export interface Diagnostic {
  severity: "note" | "warning" | "error";
  code: string;
  message: string;
  span: Span | null;
  hint: string | null;
  node: string | null;
}

export interface Condition {
  sql: string;
  at?: Span | null;
}

export interface Scan {
  /** What the residual calls it. */
  name: string;
  source: string;
  relation: string;
  sql: string;
  columns: string[];
  pushed: (Condition & { class: "exact" | "superset"; settled?: boolean })[];
  kept: (Condition & { code: string; reason: string })[];
  estimated: { rows: number | null; bytes: number | null } | null;
}

export interface Delegate {
  source: string;
  sql: string;
  relations: string[];
}

export interface Plan {
  scans: Scan[];
  delegates: Delegate[];
  residual: { sql: string } | null;
}

export interface Model extends Plan {
  unique_id: string;
  name: string;
  file: string;
  path: "pushdown" | "federation";
  target: string;
  compute: string | null;
  compute_type: string | null;
  dialect: string;
  materialized: string;
  ephemeral: boolean;
  description: string;
  depends_on: string[];
  compiled: string | null;
  sink: { target: string; relation: string | null; materialized: string };
  notes: { code: string; message: string }[];
  schema: Schema | null;
  /** What it would read without pushdown. */
  whole: Plan | null;
}

export interface Schema {
  columns: { name: string; native: string; canonical: string | null; refused: string | null; collation: string }[];
  rows: number | null;
}

export interface Source {
  unique_id: string;
  source: string;
  name: string;
  target: string;
  at: Span;
  schema: Schema | null;
}

export interface Answer {
  project?: string;
  default_target?: string;
  models: Model[];
  sources: Source[];
  targets: { name: string; adapter: string; dialect: string }[];
  diagnostics: Diagnostic[];
  codes: Record<string, { title: string; explanation: string }>;
}

export type Files = Record<string, string>;

/** What the planner is asked; `demo.json` is one. */
export interface Question {
  files: Files;
  env: Record<string, string>;
  [key: string]: unknown;
}

/** An environment variable that the demo reads, with what it may be; the first is what it is unset. */
export interface Setting {
  env: string;
  label: string;
  values: string[];
}
