"""Runs client tools of dbt on dvt's artifacts, and with dvt as their dbt executable.

usage: clients.py --dvt BIN [--dbt BIN] PROJECT

Needs the tools in the Python that runs it: dbt-coverage, dbterd, dagster-dbt (with dagster), astronomer-cosmos (with Airflow).
A tool that is not installed is skipped, and said so. With --dbt, each tool also runs on dbt-core's side and must say the same.
PROJECT is a folder with a dbt project that builds on an embedded database named by its file; its profile is written here:
an output `dev` of type duckdb. Not part of `make test`: the tools weigh hundreds of megabytes.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(sys.executable).parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=pathlib.Path)
    parser.add_argument("--dvt", required=True, type=pathlib.Path)
    parser.add_argument("--dbt", type=pathlib.Path)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


class Side:
    """One program on its own copy of the project, built and documented."""

    def __init__(self, name, binary, project, work):
        self.name = name
        self.folder = work / name / "project"
        shutil.copytree(project, self.folder, ignore=shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb", "profiles.yml"))
        text = (self.folder / "dbt_project.yml").read_text()
        self.profile = re.search(r"^profile:\s*['\"]?([\w-]+)", text, re.M).group(1)
        profile = {self.profile: {"target": "dev", "outputs": {"dev": {"type": "duckdb", "path": str(self.folder / "shop.duckdb"), "schema": "live", "threads": 2}}}}
        (self.folder / "profiles.yml").write_text(json.dumps(profile))
        # Tools look for a program named `dbt`.
        self.binary = work / name / "dbt"
        self.binary.symlink_to(binary.resolve())
        self.env = dict(os.environ, DBT_PROFILES_DIR=str(self.folder), DVT_PROFILES_DIR=str(work / "home"), DBT_SEND_ANONYMOUS_USAGE_STATS="false")
        for command in (["build"], ["docs", "generate"]):
            self.run([str(self.binary), "--quiet", *command])

    def run(self, words, **more):
        done = subprocess.run(words, cwd=self.folder, env=dict(self.env, **more), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def worker(self, tool, **more):
        """Runs one of the functions below in a process of its own; its last line is its answer."""
        out = self.run([sys.executable, __file__, str(self.folder), "--dvt", str(self.binary), "--worker", tool, str(self.binary), self.profile], **more)
        return json.loads(out.strip().splitlines()[-1])


def coverage(side):
    return {kind: side.run([str(HERE / "dbt-coverage"), "compute", kind]) for kind in ("doc", "test")}


def erd(side):
    side.run([str(HERE / "dbterd"), "run", "--artifacts-dir", "target"])
    return (side.folder / "target" / "output.dbml").read_text()


def dagster(side):
    return side.worker("dagster", DAGSTER_DBT_PARSE_PROJECT_ON_LOAD="1")


def cosmos(side):
    home = side.folder.parent / "airflow"
    (home / "dags").mkdir(parents=True)
    airflow = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False", "AIRFLOW__COSMOS__ENABLE_CACHE": "False"}
    program = f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\nfrom airflow.sdk import DAG\nimport clients\n"
    program += f"for mode in ('ls', 'manifest'):\n    globals()[mode] = clients.dag({str(side.folder)!r}, {str(side.binary)!r}, {side.profile!r}, mode)\n"
    (home / "dags" / "shop.py").write_text(program)
    airflow_cli = str(HERE / "airflow")
    side.run([airflow_cli, "db", "migrate"], **airflow)
    side.run([airflow_cli, "dags", "reserialize"], **airflow)
    shape = side.worker("cosmos", **airflow)
    (side.folder / "shop.duckdb").unlink()
    out = side.run([airflow_cli, "dags", "test", "shop_ls"], **airflow)
    return {"tasks": shape, "succeeded": len(re.findall(r"new_state=success", out))}


def dag(folder, binary, profile, mode):
    import datetime

    from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
    from cosmos.constants import InvocationMode, LoadMode, TestBehavior

    folder = pathlib.Path(folder)
    manifest = folder / "target" / "manifest.json"
    return DbtDag(
        dag_id=f"shop_{mode}",
        project_config=ProjectConfig(str(folder), manifest_path=str(manifest) if mode == "manifest" else None),
        profile_config=ProfileConfig(profile_name=profile, target_name="dev", profiles_yml_filepath=folder / "profiles.yml"),
        execution_config=ExecutionConfig(dbt_executable_path=binary, invocation_mode=InvocationMode.SUBPROCESS),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_LS if mode == "ls" else LoadMode.DBT_MANIFEST,
            dbt_executable_path=binary,
            test_behavior=TestBehavior.AFTER_EACH,
            invocation_mode=InvocationMode.SUBPROCESS,
        ),
        operator_args={"install_deps": False},
        start_date=datetime.datetime(2024, 1, 1),
        schedule=None,
    )


def cosmos_worker(folder, binary, profile):
    out = {}
    for mode in ("ls", "manifest"):
        made = dag(folder, binary, profile, mode)
        out[mode] = {t: sorted(made.get_task(t).downstream_task_ids) for t in sorted(made.task_ids)}
    return out


def dagster_worker(folder, binary, profile):
    from dagster import AssetExecutionContext, materialize
    from dagster_dbt import DbtCliResource, dbt_assets

    cli = DbtCliResource(project_dir=folder, profiles_dir=folder, dbt_executable=binary, target="dev")
    parse = cli.cli(["parse"], target_path=pathlib.Path(folder) / "target").wait()
    events = []

    @dbt_assets(manifest=parse.target_path / "manifest.json")
    def everything(context: AssetExecutionContext, dbt: DbtCliResource):
        invocation = dbt.cli(["build"], context=context)
        for event in invocation.stream():
            # Durations and the invocation's id differ from run to run.
            told = {k: str(v.value) for k, v in event.metadata.items() if k not in ("Execution Duration", "invocation_id")}
            events.append([type(event).__name__, getattr(event, "check_name", None), getattr(event, "passed", None), told])
            yield event
        events.append(["run_results", len(invocation.get_artifact("run_results.json")["results"])])

    done = materialize([everything], resources={"dbt": cli})
    return {"success": done.success, "events": sorted(events, key=json.dumps)}


TOOLS = [("dbt-coverage", "dbt_coverage", coverage), ("dbterd", "dbterd", erd), ("dagster-dbt", "dagster_dbt", dagster), ("astronomer-cosmos", "cosmos", cosmos)]


def said(answer):
    """An answer in a few words."""
    if isinstance(answer, dict) and "events" in answer:
        return f"success {answer['success']}, {len(answer['events']) - 1} events"
    if isinstance(answer, dict) and "tasks" in answer:
        return f"{', '.join(f'{len(t)} tasks by {m}' for m, t in answer['tasks'].items())}, {answer['succeeded']} of them run to success"
    text = answer if isinstance(answer, str) else "\n".join(answer.values())
    return f"{len(text.splitlines())} lines" + "".join(f", {' '.join(line.split())}" for line in text.splitlines() if line.startswith("Total"))


def main():
    args = arguments()
    if args.worker:
        tool, binary, profile = args.worker
        print(json.dumps({"dagster": dagster_worker, "cosmos": cosmos_worker}[tool](str(args.project), binary, profile)))
        return
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder).resolve()
        (work / "home").mkdir()
        sides = [Side(name, binary, args.project.resolve(), work) for name, binary in (("dvt", args.dvt), ("dbt", args.dbt)) if binary]
        for tool, module, run in TOOLS:
            if importlib.util.find_spec(module) is None:
                print(f"skip   {tool}: not installed")
                continue
            try:
                answers = [run(side) for side in sides]
            except RuntimeError as error:
                failed += 1
                print(f"FAILED {tool}: {error}")
                continue
            if any(a != answers[0] for a in answers[1:]):
                failed += 1
                print(f"FAILED {tool}: dvt {json.dumps(answers[0])[:2000]}\n    dbt {json.dumps(answers[1])[:2000]}")
            else:
                print(f"ok     {tool}: {said(answers[0])}{', equal with dbt' if args.dbt else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
