// Bundles the page into dist/: two scripts, a style sheet, the module and the demo; nothing is loaded from elsewhere.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

const here = (path) => new URL(path, import.meta.url).pathname;
await rm(here("dist"), { recursive: true, force: true });
await mkdir(here("dist"), { recursive: true });
await build({
  entryPoints: { main: here("src/main.ts"), worker: here("src/worker.ts") },
  outdir: here("dist"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
});
for (const file of ["index.html", "style.css", "icon.svg"]) await copyFile(here(file), here(`dist/${file}`));
for (const file of ["planner_bg.wasm", "demo.json", "settings.json"]) await copyFile(here(`generated/${file}`), here(`dist/${file}`));
