#!/usr/bin/env python3
"""Parse, compile and ls of generated projects by dvt, dbt-core 1.12 and dbt-core 2.0, one after the other on one machine.

Usage: dbt.py --dvt FILE --dbt FILE --dbt2 FILE --generator FILE [--sizes 1000,10000] [--jaffle FOLDER]

Prints a Markdown table: seconds of CPU (user and system, children included) and peak resident MB of one process each.
Cold is without a kept parse, warm is the same command again. Every program gets its own copy of the project.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

PROFILE = "default:\n  target: t\n  outputs:\n    t: {type: duckdb, path: x.duckdb, schema: main, threads: 2}\n"


def cost(command, folder, env):
    """CPU seconds, wall seconds, peak MB and the exit code of one run."""
    started = time.monotonic()
    log = open(folder / "said.txt", "wb")
    child = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    log.close()
    return used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024, child.returncode


def row(what, cells):
    print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


def main():
    options = argparse.ArgumentParser()
    for name in ("dvt", "dbt", "dbt2", "generator"):
        options.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options.add_argument("--sizes", default="1000,10000")
    options.add_argument("--jaffle", type=pathlib.Path)
    given = options.parse_args()
    # Not resolved: a Python program finds its packages by where it is called.
    programs = [("dvt", given.dvt.absolute()), ("dbt-core 1.12.6", given.dbt.absolute()), ("dbt-core 2.0.0a4", given.dbt2.absolute())]
    row("what", [name for name, _ in programs])
    row("---", ["---"] * len(programs))
    with tempfile.TemporaryDirectory() as world:
        world = pathlib.Path(world)
        home = world / "home"
        home.mkdir()
        (home / "profiles.yml").write_text(PROFILE)
        env = {**os.environ, "DBT_PROFILES_DIR": str(home), "DVT_PROFILES_DIR": str(home), "DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "0"}
        for size in (int(n) for n in given.sizes.split(",")):
            subprocess.run([sys.executable, given.generator, str(size), world / "made"], check=True, stdout=subprocess.DEVNULL)
            folders = {name: shutil.copytree(world / "made", world / name.replace(" ", "-"), dirs_exist_ok=False) for name, _ in programs}
            for what, words in (("parse, cold", ["parse"]), ("parse, warm", ["parse"]), ("ls, warm", ["ls"]), ("compile, warm", ["compile"])):
                cells = []
                for name, program in programs:
                    cpu, wall, peak, code = cost([program, *words], folders[name], env)
                    cells.append(f"{cpu:.2f} s, {peak:.0f} MB" if code == 0 else f"exit {code} after {wall:.0f} s")
                row(f"{size:,} models: {what}", cells)
            for folder in [*folders.values(), world / "made"]:
                shutil.rmtree(folder)
        if given.jaffle:
            (home / "profiles.yml").write_text(PROFILE.replace("default:", "jaffle_shop:"))
            cells = []
            for name, program in programs:
                folder = shutil.copytree(given.jaffle, world / name.replace(" ", "-"))
                cost([program, "build"], folder, env)
                runs = [cost([program, "build"], folder, env) for _ in range(3)]
                best = min(runs, key=lambda r: r[1])
                cells.append(f"{best[1]:.2f} s wall, {best[2]:.0f} MB" if best[3] == 0 else f"exit {best[3]}")
            row("jaffle_shop `build` on DuckDB, again", cells)


if __name__ == "__main__":
    main()
