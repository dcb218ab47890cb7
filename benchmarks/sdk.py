"""What the SDK costs its users, beside its anchors: openai-python, anthropic, stripe-python, githubkit.

    python benchmarks/sdk.py [--rounds 5]

Fails when a goal is not met.
"""

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import Any

import clients
from figures import Rounds, Spread, table
from peers.course_models import decoders, page
from preparing import compile_ours, of_clients, say

ROOT = Path(__file__).parents[1]
ANCHORS = ("openai-python", "anthropic", "stripe-python", "githubkit")
DISTRIBUTIONS = {
    "ours": ["unpuzzle-sdk"],
    "openai-python": ["openai"],
    "anthropic": ["anthropic"],
    "stripe-python": ["stripe"],
    "githubkit": ["githubkit", "githubkit-schemas", "githubkit-schemas-2026-03-10"],
}
DECODES = 20
MYPY = ("--config-file=", "--no-incremental", "--cache-dir", os.devnull)
SCRIPTS = {
    "ours": "from unpuzzle_sdk import Unpuzzle\nfor course in Unpuzzle(token='x').courses.list():\n    print(course.title)\n",
    "openai-python": "from openai import OpenAI\nfor file in OpenAI(api_key='x').files.list():\n    print(file.filename)\n",
    "anthropic": "from anthropic import Anthropic\nfor m in Anthropic(api_key='x').models.list():\n    print(m.display_name)\n",
    "stripe-python": (
        "from stripe import StripeClient\n"
        "for customer in StripeClient('x').v1.customers.list().auto_paging_iter():\n    print(customer.id)\n"
    ),
    "githubkit": (
        "from githubkit import GitHub\nclient = GitHub('x')\n"
        "for known in client.rest.licenses.get_all_commonly_used().parsed_data:\n    print(known.name)\n"
    ),
}
HEAD = ["", "goal", "ours", *ANCHORS, "met"]
Row = tuple[str, float, Rounds]


def decoding(rounds: int) -> Row:
    found = decoders(json.dumps(page()).encode())
    used: Rounds = {name: [] for name in found}
    gc.collect()
    gc.freeze()
    for _ in range(rounds * 3):
        for name, decode in found.items():
            used[name].append(cpu_ms(decode))
    return "decoding a page of 100 courses, ms", 1.2, used


def cpu_ms(call: Callable[[], Any]) -> float:
    began = time.process_time()
    for _ in range(DECODES):
        call()
    return (time.process_time() - began) / DECODES * 1e3


def checking(rounds: int) -> Row:
    used: Rounds = {name: [] for name in SCRIPTS}
    with tempfile.TemporaryDirectory() as folder:
        python = bare_environment(Path(folder))
        for number in range(rounds):
            for name, script in SCRIPTS.items():
                path = Path(folder) / "program.py"
                path.write_text(script)
                used[name].append(cpu_of(["mypy", *MYPY, "--python-executable", python, path]))
            say(f"mypy, round {number + 1}: {', '.join(f'{name} {costs[-1]:.1f} s' for name, costs in used.items())}")
    return "cold mypy of a user's script, s", 2.0, used


def bare_environment(folder: Path) -> Path:
    """An environment with the clients and what they need: mypy reads on into whatever else there is."""
    names = {"openai", "anthropic", "stripe", "githubkit", "hishel"}
    pinned = [line.partition(" ")[0] for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines()]
    peers = [line for line in pinned if line.partition("==")[0] in names]
    subprocess.run([sys.executable, "-m", "venv", folder / "bare"], check=True)
    python = folder / "bare/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", *peers, ROOT / "sdk"], check=True)
    return python


def cpu_of(command: list[Any]) -> float:
    began = clients.cpu_of_children()
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return clients.cpu_of_children() - began


def installed_mb(name: str) -> float:
    """The sources as they are installed, without what Python compiles of them."""
    return sum(file.stat().st_size for file in installed(name)) / 1e6


def installed(name: str) -> Iterator[Path]:
    if name == "ours":
        yield from (path for path in (ROOT / "sdk/unpuzzle_sdk").rglob("*") if path.is_file() and path.suffix != ".pyc")
        return
    for project in DISTRIBUTIONS[name]:
        found = distribution(project)
        yield from (Path(str(file.locate())) for file in found.files or () if file.suffix not in (".pyc", ".exe"))


def dependencies(name: str) -> float:
    needed = distribution(DISTRIBUTIONS[name][0]).requires or []
    return len([requirement for requirement in needed if "extra ==" not in requirement])


def wheel_mb() -> float:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "sdk"
        shutil.copytree(ROOT / "sdk", source, ignore=shutil.ignore_patterns("__pycache__", "tests", "codegen"))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(source)]
        subprocess.run(command, check=True)
        return next(Path(folder).glob("*.whl")).stat().st_size / 1e6


def completeness() -> float:
    command = [sys.executable, "-m", "pyright", "--verifytypes", "unpuzzle_sdk", "--ignoreexternal", "--outputjson"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where it looks for packages
    found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}).stdout
    return float(json.loads(found)["typeCompleteness"]["completenessScore"]) * 100


def generating() -> list[float]:
    """Seconds of CPU for the one generate command, in a copy of the tree."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("openapi", "sdk", "cli"):
            shutil.copytree(ROOT / part, Path(folder) / part, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        (Path(folder) / "server/unpuzzle_server").mkdir(parents=True)
        began = clients.cpu_of_children()
        for script in ("openapi/bundle.py", "sdk/codegen/generate.py", "cli/codegen/generate.py"):
            subprocess.run([sys.executable, f"{folder}/{script}"], check=True, stdout=subprocess.DEVNULL)
        return [clients.cpu_of_children() - began]


def rows(rounds: int) -> Iterator[tuple[str, float, Rounds]]:
    found = of_clients(rounds)
    yield "import, ms", 5, found.cpu_ms["import"]
    yield "first resource before the first request, ms", 50, found.cpu_ms["first resource"]
    yield "a call on top of its HTTP library, µs", 60, found.overhead_us()
    yield decoding(rounds)
    yield checking(min(rounds, 3))
    yield "installed sources, MB", 4, {name: [installed_mb(name)] for name in DISTRIBUTIONS}
    yield "wheel, MB", 1, {"ours": [wheel_mb()]}
    yield "runtime dependencies", 2, {name: [dependencies(name)] for name in DISTRIBUTIONS}
    yield "the generate command, s", 10, {"ours": generating()}


def cells(row: Row) -> list[str]:
    what, goal, used = row
    shown = [str(Spread.of(used[name])) if len(used.get(name, ())) > 1 else one(used.get(name)) for name in ("ours", *ANCHORS)]
    return [what, f"≤ {goal:g}", *shown, "yes" if met(row) else "**no**"]


def one(values: list[float] | None) -> str:
    return f"{values[0]:.3g}" if values else ""


def met(row: Row) -> bool:
    _, goal, used = row
    return median(used["ours"]) <= goal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    compile_ours()
    measured = list(rows(rounds))
    complete = completeness()
    shown = [*map(cells, measured), ["type completeness by pyright, %", "100", f"{complete:g}", "", "", "", "", "yes"]]
    print(table(HEAD, shown))
    return 0 if all(map(met, measured)) and complete == 100 else 1


if __name__ == "__main__":
    sys.exit(main())
