"""Compares what dvt and dbt-core 1.12 make of the same project, and checks dvt's artifacts.

usage: compare.py --dvt BIN [--schemas DIR] [--markdown FILE] [--show N] PROJECT...

Each project is copied twice; `dbt build` and `dvt build` run in their own copy (the profile lies in the project and names
an embedded database), then both targets are compared: ids, depends_on, merged configs and all other keys of the manifest,
statuses of run_results, compiled SQL. A project folder may hold `compare.json`: {"command": [...], "then": [[...]], ...};
after a `docs generate` or `source freshness` of `then`, catalog.json or sources.json are compared.
One line per check goes to stdout; the last line counts them as `N passed; M failed; K ignored;`.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Differs between two runs of one program, or names the machine.
VOLATILE = {"created_at", "root_path", "compiled_path", "compiled", "compiled_code", "extra_ctes", "extra_ctes_injected", "build_path", "defer_relation", "index"}
# Sections whose entries are compared key by key.
SECTIONS = ["nodes", "sources", "exposures", "metrics", "groups", "saved_queries", "semantic_models", "unit_tests", "functions", "docs", "macros", "disabled"]
# What dbt may find in our manifest as an earlier state: all but its built-in macros, which are not ours, and the database's name.
STATE = ["state:new", "state:modified.body", "state:modified.configs", "state:modified.persisted_descriptions", "state:modified.contract"]
# What has a status of its own in both programs.
RUN = ("model.", "seed.", "snapshot.", "test.", "unit_test.")
# A key that names one product: dvt writes no product's own keys.
PRODUCT_KEYS = {"snowflake"}
# Lists that dbt makes of sets.
UNORDERED = {"tags", "nodes", "macros"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=pathlib.Path)
    parser.add_argument("--dvt", required=True, type=pathlib.Path)
    parser.add_argument("--schemas", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--show", type=int, default=12)
    parser.add_argument("--keep", type=pathlib.Path, help="work here and leave the copies")
    return parser.parse_args()


class Report:
    def __init__(self):
        self.passed = self.failed = self.ignored = 0
        self.rows = []

    def check(self, what, differences, show):
        if differences:
            self.failed += 1
            print(f"FAILED {what}: {len(differences)} differences")
            for line in differences[:show]:
                print(f"    {line}")
        else:
            self.passed += 1
            print(f"ok     {what}")

    def skip(self, what, why):
        self.ignored += 1
        print(f"skip   {what}: {why}")


def normal(value, key=None):
    """A value without what may differ: sets sorted, volatile keys gone."""
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items() if k not in VOLATILE and k not in PRODUCT_KEYS}
    if isinstance(value, list):
        items = [normal(v) for v in value]
        return sorted(items, key=json.dumps) if key in UNORDERED else items
    return value


def differences(ours, theirs, where=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        out = []
        for key in sorted(set(ours) | set(theirs)):
            here = f"{where}.{key}" if where else key
            if key not in ours:
                out.append(f"{here}: dbt has {short(theirs[key])}, dvt has no such key")
            elif key not in theirs:
                out.append(f"{here}: dvt has {short(ours[key])}, dbt has no such key")
            else:
                out += differences(ours[key], theirs[key], here)
        return out
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) and all(isinstance(v, dict) for v in ours + theirs):
        return [d for i, (a, b) in enumerate(zip(ours, theirs)) for d in differences(a, b, f"{where}[{i}]")]
    return [] if ours == theirs else [f"{where}: dvt {short(ours)}, dbt {short(theirs)}"]


def short(value):
    text = json.dumps(value)
    return text if len(text) < 160 else text[:157] + "..."


def own(manifest, section):
    """A section's entries but those of built-in packages, which are each program's own."""
    entries = manifest.get(section, {})
    internal = {"dbt"} | {f"dbt_{p}" for p in ("duckdb", "postgres", "sqlite", "mysql")}
    if section in ("macros", "docs"):
        return {k: v for k, v in entries.items() if v["package_name"] not in internal}
    return entries


def compare_manifests(report, name, ours, theirs, show):
    counts = {}
    for section in SECTIONS:
        mine, other = own(ours, section), own(theirs, section)
        ids = [f"only dvt: {i}" for i in sorted(set(mine) - set(other))] + [f"only dbt: {i}" for i in sorted(set(other) - set(mine))]
        report.check(f"{name}: ids of {section} ({len(other)})", ids, show)
        both = sorted(set(mine) & set(other))
        if section == "macros":
            # What a macro calls inside built-in packages is each program's own matter.
            keys = ["name", "package_name", "path", "original_file_path", "description", "meta", "docs", "patch_path", "macro_sql", "unique_id"]
            strip = lambda m: {k: m.get(k) for k in keys}
            found = [d for i in both for d in differences(normal(strip(mine[i])), normal(strip(other[i])), i)]
        else:
            found = [d for i in both for d in differences(normal(mine[i]), normal(other[i]), i)]
        equal = len(both) - len({re.split(r"[.](?=[a-z_]+(?:[.:]))", d)[0] for d in found}) if found else len(both)
        counts[section] = (equal, len(other))
        report.check(f"{name}: {section} equal", found, show)
    for section in ["parent_map", "child_map", "group_map"]:
        mine = {k: sorted(v) for k, v in ours[section].items()}
        other = {k: sorted(v) for k, v in theirs[section].items()}
        report.check(f"{name}: {section}", differences(mine, other), show)
    return counts


def compare_statuses(report, name, ours, theirs, show):
    of = lambda results: {r["unique_id"]: (r["status"], r["failures"]) for r in results["results"] if r["unique_id"].startswith(RUN)}
    mine, other = of(ours), of(theirs)
    report.check(f"{name}: statuses of {len(other)} nodes", differences(mine, other), show)
    return sum(1 for k in other if mine.get(k) == other[k]), len(other)


# Statistics that dvt's catalog has on top of dbt-duckdb's, which has none.
OWN_STATS = {"num_rows", "num_bytes"}


def compare_catalogs(report, name, ours, theirs, show):
    """Relations with their columns in order, types, comments and owners; dbt's statistics are there."""
    found = []
    for section in ("nodes", "sources"):
        mine, other = ours[section], theirs[section]
        found += [f"only dvt: {i}" for i in sorted(set(mine) - set(other))] + [f"only dbt: {i}" for i in sorted(set(other) - set(mine))]
        for i in sorted(set(mine) & set(other)):
            plain = lambda e: {**{k: v for k, v in e.items() if k != "stats"}, "order": list(e["columns"])}
            found += differences(plain(mine[i]), plain(other[i]), i)
            added = set(mine[i]["stats"]) - set(other[i]["stats"]) - OWN_STATS
            found += [f"{i}.stats: only dvt has {k}" for k in sorted(added)] + [f"{i}.stats: dvt has no {k}" for k in sorted(set(other[i]["stats"]) - set(mine[i]["stats"]))]
    total = sum(len(theirs[s]) for s in ("nodes", "sources"))
    report.check(f"{name}: catalog of {total} relations", found, show)


def compare_freshness(report, name, ours, theirs, show):
    """Statuses, newest rows and criteria; how long ago something was, and an error's words, differ."""
    plain = lambda r: {k: r.get(k) for k in ("status", "criteria", "max_loaded_at")} | {"keys": sorted(r), "error": bool(r.get("error"))}
    of = lambda document: {r["unique_id"]: plain(r) for r in document["results"]}
    report.check(f"{name}: freshness of {len(theirs['results'])} sources", differences(of(ours), of(theirs)), show)


TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|\s+|.", re.S)


def tokens(sql):
    kept = (t for t in TOKEN.findall(sql) if not t.isspace() and not t.startswith(("--", "/*")))
    return [t if t.startswith(("'", '"')) else t.lower() for t in kept]


def compare_sql(report, name, ours, theirs, show):
    """Compiled files byte for byte; those whose text a built-in macro supplies by their tokens."""
    files = lambda root: {str(p.relative_to(root)): p.read_text() for p in sorted((root / "compiled").rglob("*.sql")) if p.is_file()} if (root / "compiled").is_dir() else {}
    mine, other = files(ours), files(theirs)
    exact = same = 0
    # dbt also writes its hooks and functions.
    extra = lambda p: "/dbt_project.yml/hooks/" in p or "/functions/" in p
    other = {p: text for p, text in other.items() if not extra(p)}
    found = [f"only dvt: {p}" for p in sorted(set(mine) - set(other))] + [f"only dbt: {p}" for p in sorted(set(other) - set(mine))]
    for path in sorted(set(mine) & set(other)):
        if mine[path] == other[path]:
            exact += 1
        elif tokens(mine[path]) == tokens(other[path]):
            same += 1
        else:
            found.append(f"{path}: dvt {short(mine[path])} dbt {short(other[path])}")
    report.check(f"{name}: compiled SQL of {len(other)} files ({exact} byte for byte, {same} by tokens)", found, show)
    return exact, same, len(other)


def dbt(command, folder):
    """Runs dbt-core in this process; its output when it fails."""
    from dbt.cli.main import dbtRunner

    out = io.StringIO()
    before = os.getcwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out):
            result = dbtRunner().invoke([*command, "--profiles-dir", ".", "--no-use-colors", "--no-partial-parse"])
    finally:
        os.chdir(before)
    return result, out.getvalue()


def dvt(binary, command, folder):
    env = dict(os.environ, DBT_PROFILES_DIR=str(folder))
    return subprocess.run([binary, *command], cwd=folder, env=env, capture_output=True, text=True)


def validate(report, name, folder, theirs, schemas, show):
    """The published schemas and the parsers that client tools use."""
    kinds = [("manifest.json", "manifest", "v12"), ("run_results.json", "run-results", "v6"), ("sources.json", "sources", "v3"), ("catalog.json", "catalog", "v1")]
    for file, kind, version in kinds:
        path = folder / file
        if not path.exists():
            continue
        document = json.loads(path.read_text())
        if kind == "catalog":
            for key in ("source_connections", "connection_metadata"):
                document.pop(key, None)
        found = []
        schema = next((p for p in sorted(schemas.rglob("*.json")) if kind in str(p) and version in str(p)), None) if schemas else None
        if schema is None:
            report.skip(f"{name}: {file} against its schema", "no schemas here")
        else:
            import jsonschema

            validator = jsonschema.validators.validator_for(json.loads(schema.read_text()))(json.loads(schema.read_text()))
            errors = sorted(validator.iter_errors(document), key=lambda e: list(map(str, e.absolute_path)))
            found = ["/".join(map(str, e.absolute_path)) + ": " + e.message[:160] for e in errors]
            # The schema of v12 lacks keys that dbt 1.12 itself writes for semantic models.
            found = [f for f in found if not f.startswith(("semantic_models/", "metrics/", "saved_queries/"))]
            report.check(f"{name}: {file} is valid {kind} {version}", found, show)
        try:
            from dbt_artifacts_parser import parser

            read = {"manifest": parser.parse_manifest_v12, "run-results": parser.parse_run_results_v6, "sources": parser.parse_sources_v3, "catalog": parser.parse_catalog_v1}[kind]
            try:
                read(json.loads((theirs / file).read_text()))
            except Exception:
                report.skip(f"{name}: dbt-artifacts-parser reads {file}", "it refuses dbt's own")
                continue
            read(document)
            report.check(f"{name}: dbt-artifacts-parser reads {file}", [], show)
        except ImportError:
            report.skip(f"{name}: dbt-artifacts-parser", "not installed")
        except Exception as error:  # the parser raises many kinds
            report.check(f"{name}: dbt-artifacts-parser reads {file}", str(error).splitlines()[:4], show)


def state(report, name, theirs, ours, show):
    """dbt-core reads our manifest as an earlier state: nothing is modified."""
    result, out = dbt(["ls", "--quiet", "--select", *STATE, "--state", str(ours / "target")], theirs)
    found = [] if result.success else [str(result.exception or out)]
    found += [f"modified or new to dbt: {i}" for i in (result.result or [])] if result.success else []
    report.check(f"{name}: dbt ls --state finds nothing modified", found, show)


def compare(report, project, args, work):
    name = project.name
    options = json.loads((project / "compare.json").read_text()) if (project / "compare.json").exists() else {}
    ours, theirs = work / name / "dvt" / name, work / name / "dbt" / name
    for folder in (ours, theirs):
        shutil.copytree(project, folder, ignore=shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb", "dvt.log"))
    before = options.get("before", [])
    command = options.get("command", ["build"])
    if (project / "packages.yml").exists() or (project / "dependencies.yml").exists():
        before = [["deps"], *before]
    read = lambda folder, file: json.loads((folder / "target" / file).read_text())
    # What runs adds to the manifest: it is compared as parsed.
    for step in [*before, ["parse"]]:
        result, out = dbt(step, theirs)
        if result.exception:
            report.check(f"{name}: dbt {' '.join(step)}", [str(result.exception)], args.show)
            return
        if step == ["deps"]:
            continue  # dvt reads local packages where they are
        done = dvt(args.dvt, step, ours)
        if done.returncode:
            report.check(f"{name}: dvt {' '.join(step)}", (done.stdout + done.stderr).splitlines()[-20:], 20)
            if step == ["parse"]:
                return
    counts = compare_manifests(report, name, read(ours, "manifest.json"), read(theirs, "manifest.json"), args.show)
    semantic = lambda folder: {k: sorted(v, key=lambda e: e["name"]) if isinstance(v, list) else v for k, v in read(folder, "semantic_manifest.json").items()}
    if (ours / "target" / "semantic_manifest.json").exists():
        report.check(f"{name}: semantic_manifest.json", differences(normal(semantic(ours)), normal(semantic(theirs))), args.show)
    else:
        report.check(f"{name}: semantic_manifest.json", ["dvt writes none"], args.show)
    if command != ["parse"]:
        dbt(command, theirs)
        done = dvt(args.dvt, command, ours)
        if done.returncode == 2:
            report.check(f"{name}: dvt {' '.join(command)}", (done.stdout + done.stderr).splitlines()[-20:], 20)
            return
    statuses = sql = None
    if command[0] != "parse" and (ours / "target" / "run_results.json").exists():
        if command[0] != "compile":
            statuses = compare_statuses(report, name, read(ours, "run_results.json"), read(theirs, "run_results.json"), args.show)
        sql = compare_sql(report, name, ours / "target", theirs / "target", args.show)
    for step in options.get("then", []):
        dbt(step, theirs)
        done = dvt(args.dvt, step, ours)
        file, against = {"docs": ("catalog.json", compare_catalogs), "source": ("sources.json", compare_freshness)}[step[0]]
        if done.returncode == 2 or not (ours / "target" / file).exists():
            report.check(f"{name}: dvt {' '.join(step)}", (done.stdout + done.stderr).splitlines()[-20:], 20)
            continue
        against(report, name, read(ours, file), read(theirs, file), args.show)
    validate(report, name, ours / "target", theirs / "target", args.schemas, args.show)
    state(report, name, theirs, ours, args.show)
    report.rows.append((name, counts, statuses, sql))


def markdown(rows):
    head = "| project | nodes | sources | other resources | macros | statuses | compiled SQL: equal bytes + equal tokens of files |\n|---|---|---|---|---|---|---|\n"
    pair = lambda p: f"{p[0]} of {p[1]}" if p else "–"
    out = head
    for name, counts, statuses, sql in rows:
        rest = [counts[s] for s in SECTIONS if s not in ("nodes", "sources", "macros")]
        other = (sum(p[0] for p in rest), sum(p[1] for p in rest))
        text = f"{sql[0]} + {sql[1]} of {sql[2]}" if sql else "–"
        out += f"| {name} | {pair(counts['nodes'])} | {pair(counts['sources'])} | {pair(other)} | {pair(counts['macros'])} | {pair(statuses)} | {text} |\n"
    return out


def main():
    args = arguments()
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    args.dvt = args.dvt.resolve()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        work = (args.keep or pathlib.Path(folder)).resolve()
        os.environ["DVT_PROFILES_DIR"] = str(work / "home")
        (work / "home").mkdir(parents=True, exist_ok=True)
        for project in args.projects:
            if args.keep:
                shutil.rmtree(work / project.name, ignore_errors=True)
            compare(report, project.resolve(), args, work)
    print(markdown(report.rows))
    if args.markdown:
        args.markdown.write_text(markdown(report.rows))
    print(f"{report.passed} passed; {report.failed} failed; {report.ignored} ignored;")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
