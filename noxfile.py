"""The sessions of the project. `nox -s demo` shows it, `nox -s tests` proves it; both need Python 3.11 and PyPI only."""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

ROOT = Path(__file__).parent
GROUPS = nox.project.load_toml("pyproject.toml")["dependency-groups"]
PARTS = ["./server", "./sdk", "./cli[conformance]"]


def install(session: nox.Session, *groups: str, parts: list[str] = PARTS) -> None:
    """The parts of the project, editable, and what a session needs besides."""
    needs = [requirement for group in groups for requirement in GROUPS[group]]
    editable = [argument for part in parts for argument in ("-e", part)]
    session.install("--quiet", "--disable-pip-version-check", *editable, *needs)


@nox.session
def demo(session: nox.Session) -> None:
    """Start a server on a free port with an empty data directory and play the story through the SDK."""
    install(session, parts=["./server", "./sdk"])
    session.run("python", "demo/story.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Every test, the contract gate included; it ends with what took longest."""
    by_three_processes(session, "--durations", "10", "--durations-min", "5")


@nox.session
def contract(session: nox.Session) -> None:
    """The contract tests alone: the lint of the spec, Schemathesis against a real server, parity."""
    by_three_processes(session, "contract-tests")


def by_three_processes(session: nox.Session, *arguments: str) -> None:
    """Runs tests by processes that take whole files, in the order of the root's conftest.py. Three, since some tests wait."""
    install(session, "test", "generate")
    shared = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    # One order of sets: all processes must find the same tests.
    session.run("python", "-m", "pytest", *shared, *arguments, *session.posargs, env={"PYTHONHASHSEED": "0"})


@nox.session
def fuzz(session: nox.Session) -> None:
    """The contract gate at random and at length; prints the seed that repeats it: `nox -s fuzz -- --seed 123`."""
    install(session, "test")
    sources = os.pathsep.join(str(ROOT / part) for part in ("contract-tests", "server/tests"))
    session.run("python", "contract-tests/gate/fuzz.py", *session.posargs, env={"PYTHONPATH": sources})


@nox.session
def conformance(session: nox.Session) -> None:
    """Hold any server to the contract: `nox -s conformance -- --base-url URL --profile full --yes`."""
    session.install("--quiet", "--disable-pip-version-check", "-e", "./sdk", "-e", "./cli[conformance]")
    session.run("unpuzzle", "conformance", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Plant each of the seeded faults and ask the contract tests for it; prints the table: `-- --only NAME --jobs 2 --resume`."""
    install(session, "test", "generate")
    sources = os.pathsep.join(str(ROOT / part) for part in ("contract-tests", "server/tests"))
    session.run("python", "-W", "ignore", "contract-tests/mutants/run.py", *session.posargs, env={"PYTHONPATH": sources})


@nox.session
def crash(session: nox.Session) -> None:
    """Kill -9 servers, workers and what they stand on, amid tasks, mail, checkouts, uploads, enrolments: `-- --runs 9`."""
    install(session, "test", parts=["./server", "./sdk"])
    for amid in ("", "_mail", "_payments", "_uploads", "_bulk"):
        session.run("python", "-W", "ignore", f"server/tests/crash{amid}.py", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Against what others wrote: an issuer, Stripes, Supabase's commands, a browser, shells; needs npm, Chromium, zsh, fish."""
    install(session, "test", "style", "peers")
    sources = os.pathsep.join(str(ROOT / part) for part in ("server/tests/peers", "server/tests"))
    apart = session.create_tmp()  # a licence of its own, so an environment of its own
    session.run("python", "-m", "venv", f"{apart}/localstripe")
    session.run(f"{apart}/localstripe/bin/pip", "install", "--quiet", *GROUPS["apart"], external=True)
    stripe = ("server/tests/peers/other_stripe.py", f"{apart}/localstripe/bin/python")
    session.run("python", "-W", "ignore", *stripe, env={"PYTHONPATH": sources})
    for peer in ("certified_issuer", "supabase_cli", "other_model", "chromium", "certificate_page"):
        session.run("python", "-W", "ignore", f"server/tests/peers/{peer}.py", env={"PYTHONPATH": sources})
    session.run("python", "-m", "pytest", "cli/tests/test_shells.py", env={"SHELLS": "bash,zsh,fish"})


@nox.session
def compat(session: nox.Session) -> None:
    """What the last release had, the contract, the SDK and the command line still have, unless the major version moves."""
    session.install("--quiet", *GROUPS["compat"])
    session.run("python", "-m", "compatibility", *session.posargs, env={"PYTHONPATH": str(ROOT / "release")})


@nox.session
def release(session: nox.Session) -> None:
    """Build wheels and sdists, check them, and use them in fresh environments, with the newest dependencies and the lowest."""
    session.install("--quiet", *GROUPS["release"])
    session.run("python", "release/distributions.py")
    session.run("python", "release/trial.py")


@nox.session
def generate(session: nox.Session) -> None:
    """Make the contract from its parts, and the SDK and the CLI's commands from the contract."""
    install(session, "generate", parts=[])
    session.run("python", "openapi/bundle.py")
    session.run("python", "sdk/codegen/generate.py")
    session.run("python", "cli/codegen/generate.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and who may import whom."""
    install(session, "lint", "test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on every part, pyright on the SDK as its users see it."""
    install(session, "types", "test")
    session.run("mypy", "server/unpuzzle_server", "server/tests/harness.py")
    session.run("mypy", "sdk/unpuzzle_sdk")
    session.run("mypy", "cli/unpuzzle_cli")
    session.run("mypy", "release/compatibility", *(f"release/{name}.py" for name in ("distributions", "trial", "smoke")))
    session.run("pyright", "sdk/unpuzzle_sdk")
    session.run("mypy", "sdk/tests/user_code.py")
    # By way of the environment, since to type checkers what is installed shows less of itself than what stands beside.
    session.run("pyright", "--project", "sdk/tests/pyrightconfig.json", "--pythonpath", f"{session.bin}/python")
    session.run("pyright", "--verifytypes", "unpuzzle_sdk", "--ignoreexternal")


@nox.session
def style(session: nox.Session) -> None:
    """Redocly's and Spectral's strictest rules on the contract; needs npm's registry besides PyPI."""
    session.install("--quiet", *GROUPS["style"])
    session.run("python", "contract-tests/lint/style.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Run every program of the README, the docs and the SDK's docstrings, and build the site into build/site."""
    install(session, "test", "docs")
    session.run("python", "-m", "pytest", "docs", "sdk/tests/test_docstrings.py", *session.posargs)
    # Its makers' advertisement for another builder would stand among the warnings.
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """What the speed claims rest on: ours beside its peers in one run."""
    install(session, "generate")
    session.install("--quiet", "-r", "benchmarks/requirements.txt")
    session.run("python", "benchmarks/run.py", *session.posargs)
    session.run("python", "benchmarks/sdk.py", *(["--rounds", "1"] if "--quick" in session.posargs else []))
    session.run("python", "benchmarks/tutor.py")
    small = ["--megabytes", "100", "--rounds", "1"] if "--quick" in session.posargs else []
    session.run("python", "benchmarks/uploads.py", *small)
    session.run("python", "benchmarks/streams.py")
    session.run("python", "benchmarks/analytics.py")
    apart = session.create_tmp()  # other command lines have requirements of their own
    session.run("python", "-m", "venv", f"{apart}/commands")
    session.run(f"{apart}/commands/bin/pip", "install", "--quiet", *GROUPS["commands"], external=True)
    path = os.pathsep.join((f"{apart}/commands/bin", os.environ["PATH"]))
    session.run("python", "benchmarks/commands.py", env={"PATH": path})
