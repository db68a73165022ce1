"""Every task of the project, as nox sessions: `nox` checks the code, `nox -s demo` shows the main job on real engines.

Sessions and what they need:

    lint          ruff                                            nothing
    types         mypy --strict                                   nothing
    tests         unit tests, with the coverage gate              nothing
    mutants       mutation tests, by hand or weekly               nothing
    lesson        the notebooks in a browser                      an engine
    docs          the site, by hand: a broken link is a failure   nothing
    package       build, install bare, type-check a script        nothing
    conformance   the suite that every engine passes              engines
    kill          programs killed at random moments, by hand      engines
    fuzz          20,000 mutations of image archives, by hand     nothing
    faults        recorded answers with a fault each, by hand     engines
    examples      scripts, notebooks, blocks of the pages         engines
    demo          ten images on real input                        engines; starts some if none runs

Sessions that need engines use the engines that answer on this machine. With CI=true, or with CONTAINERKIT_ENGINES set
(`base`, `all`, `docker28,podman58r`, …), engines/engines.sh starts engines and stops them again; that needs root on a
Debian machine. A requested engine that is missing is a failure. Without a request, no engine is a skip.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import STDOUT

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.reuse_existing_virtualenvs = True

CI = os.environ.get("CI", "").lower() in {"1", "true"}
EVERYTHING = ["lint", "types", "tests", "conformance", "examples", "demo", "package"]
nox.options.sessions = EVERYTHING if CI else ["lint", "types", "tests"]

HERE = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")
RESULTS = HERE / "build" / "results"
ENGINES = str(HERE / "engines" / "engines.sh")

WITHOUT_ENGINE = ("tests/unit", "tests/faults")
WITH_ENGINE = ("tests/conformance",)
EXAMPLES = ("tests/examples",)
#: Percent of the branches of the whole package, and of each file, that the unit tests have to cover.
COVERED, COVERED_PER_FILE = 95, 83


def groups(*names: str) -> tuple[str, ...]:
    """Return the requirements of dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(PYPROJECT, *names)


def pytest_args(session: nox.Session) -> list[str]:
    """Return the arguments after `--` that are for pytest."""
    return [arg for arg in session.posargs if arg != "--require-engines"]


# ------------------------------------------------------------------------------------------------------- results
# Each session leaves NAME.session.json and JUnit files in build/results; .ci/summary.py adds them up.


def record(session: nox.Session, outcome: str, reason: str = "") -> None:
    """Write the outcome of a session: "passed", "failed" or "skipped"."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {"session": session.name, "outcome": outcome, "reason": reason}
    (RESULTS / f"{session.name}.session.json").write_text(json.dumps(document) + "\n")


def outcome_of(session: nox.Session) -> str:
    """Return the outcome that was written last."""
    return str(json.loads((RESULTS / f"{session.name}.session.json").read_text())["outcome"])


def recorded(function: Callable[[nox.Session], None]) -> Callable[[nox.Session], None]:
    """Decorate a session: record its outcome, also if it is interrupted."""

    @functools.wraps(function)
    def wrapper(session: nox.Session) -> None:
        for old in RESULTS.glob(f"{session.name}[.-]*"):
            old.unlink()
        record(session, "failed", "interrupted")  # stays if nox itself is killed
        try:
            function(session)
        except Exception as exc:
            if outcome_of(session) != "skipped":
                record(session, "failed", str(exc).partition("\n")[0])
            raise
        record(session, "passed")

    return wrapper


def skip(session: nox.Session, reason: str) -> None:
    """Record a skip, and end the session."""
    record(session, "skipped", reason)
    session.skip(reason)


def junit(session: nox.Session, part: str = "") -> str:
    """Return the pytest option that writes a JUnit report into the results."""
    return f"--junitxml={RESULTS}/{session.name}-{part or 'all'}.xml"


# ------------------------------------------------------------------------------------------------------- engines


@dataclass(frozen=True)
class Engine:
    """A running engine.

    Attributes:
        prefix: the words before a command that has to reach the ports which the engine publishes.
    """

    name: str
    url: str
    prefix: tuple[str, ...] = ()


@contextmanager
def engines(session: nox.Session, *, start: bool = False) -> Iterator[list[Engine]]:
    """Yield the engines to work with, and stop those that were started for it.

    Args:
        start: start the base group if no engine runs, instead of skipping the session.
    """
    wanted = re.split(r"[\s,]+", os.environ.get("CONTAINERKIT_ENGINES", "").strip())
    if wanted == [""]:
        wanted = ["base"] if CI else []
    required = CI or bool(wanted) or "--require-engines" in session.posargs
    if not wanted:
        if found := discovered(session):
            yield found
            return
        can_start = start and os.geteuid() == 0 and shutil.which("apt-get") is not None
        if not can_start:
            reason = "no Docker or Podman answers here, and engines/engines.sh needs root on a Debian machine"
            if required or start:
                session.error(reason)
            skip(session, reason)
        wanted = ["base"]
    before = {engine.name for engine in started(session)}
    try:
        session.run(ENGINES, "up", *wanted, external=True)
        running = started(session, *wanted)
        if missing := set(expanded(session, wanted)) - {engine.name for engine in running}:
            session.error(f"not running: {', '.join(sorted(missing))}")
        yield running
    finally:
        if new := [engine.name for engine in started(session) if engine.name not in before]:
            session.run(ENGINES, "down", *new, external=True)


def started(session: nox.Session, *names: str) -> list[Engine]:
    """Return the running engines of engines.sh: those of a name or group, or all."""
    output = session.run(ENGINES, "json", *expanded(session, names), external=True, silent=True, log=False)
    return [
        Engine(item["name"], item["url"], (ENGINES, "exec", item["name"], "--"))
        for item in json.loads(output if isinstance(output, str) else "[]")
    ]


def expanded(session: nox.Session, names: Sequence[str]) -> list[str]:
    """Return the engines that names and groups stand for."""
    output = session.run(ENGINES, "list", *names, external=True, silent=True, log=False) if names else ""
    lines = output.splitlines() if isinstance(output, str) else []
    return [line.split()[0] for line in lines if not line.startswith("group ")]


def discovered(session: nox.Session) -> list[Engine]:
    """Return the user's own engines, which the package finds."""
    code = (
        "import containerkit as ck, json; "
        "print(json.dumps([[f'{e.kind}-{e.source}', e.url] for e in ck.discover() if e.reachable]))"
    )
    output = session.run("python", "-c", code, silent=True)
    found = json.loads(output.strip().splitlines()[-1]) if isinstance(output, str) else []
    unique = {url: re.sub(r"[^\w.-]+", "-", name) for name, url in reversed(found)}
    return [Engine(name, url) for url, name in reversed(unique.items())]


def each_engine(session: nox.Session, found: Sequence[Engine], *command: str, with_junit: bool = False) -> None:
    """Run a Python command once per engine, and fail at the end if it failed on any.

    Args:
        with_junit: the command is pytest: write a report, and run on one engine more at once than there are cores.
    """
    python = str(Path(session.bin) / "python")
    logs = Path(session.create_tmp()).resolve()

    def run(engine: Engine) -> bool:
        session.log(f"--- {engine.name}: {engine.url}")
        extra = [junit(session, engine.name)] if with_junit else []
        env = {"CONTAINERKIT_ENGINE": engine.url, "CK_ENGINE": engine.name}
        line = [*engine.prefix, python, *command, *extra]
        try:
            if not with_junit:
                session.run(*line, env=env, external=True)
                return True
            with (logs / f"{engine.name}.log").open("w") as log:
                session.run(*line, env=env, external=True, log=False, stdout=log, stderr=STDOUT)
        except CommandFailed:
            return False
        finally:
            if with_junit:
                session.log(f"--- {engine.name}\n{(logs / f'{engine.name}.log').read_text()}")
        return True

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1 if with_junit else 1) as pool:  # a test often waits
        passed = list(pool.map(run, found))
    if not all(passed):
        names = (engine.name for engine, good in zip(found, passed, strict=True) if not good)
        session.error(f"failed on {', '.join(names)}")


# ------------------------------------------------------------------------------------------------------- sessions


@nox.session
@recorded
def lint(session: nox.Session) -> None:
    """Check style and common mistakes with ruff."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
@recorded
def types(session: nox.Session) -> None:
    """Check types with mypy --strict."""
    session.install("-e", ".[notebook]", "nox", *groups("types", "tests", "examples"))
    session.run("mypy")


@nox.session
@recorded
def tests(session: nox.Session) -> None:
    """Run the tests that need no engine, and fail below the required coverage."""
    session.install("-e", ".", *groups("tests"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *WITHOUT_ENGINE, junit(session), *pytest_args(session))
    if not session.posargs:
        session.run("coverage", "report", "--skip-covered", "--show-missing", f"--fail-under={COVERED}")
        session.run("coverage", "json", "--quiet", "-o", str(RESULTS / "coverage.json"))
        files = json.loads((RESULTS / "coverage.json").read_text())["files"]
        low = [name for name, found in files.items() if found["summary"]["percent_covered"] < COVERED_PER_FILE]
        if low:
            session.error(f"below {COVERED_PER_FILE} % of the branches: {', '.join(low)}")


@nox.session
@recorded
def fuzz(session: nox.Session) -> None:
    """Read mutated image archives; `nox -s fuzz -- 20000 0` chooses their number and the first seed."""
    session.install("-e", ".", *groups("tests"))
    session.run("python", "-m", "tests.faults.fuzz_archives", *(session.posargs or ["20000", "0"]))


@nox.session
@recorded
def mutants(session: nox.Session) -> None:
    """Change the code in small ways, and count the changes that a test notices. `-- --sample 8` takes minutes."""
    session.install("-e", ".", *groups("tests", "mutants"))
    folder = Path(session.create_tmp()).resolve() / "work"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "tests.mutants", str(folder), *session.posargs)


@nox.session
@recorded
def conformance(session: nox.Session) -> None:
    """Run the suite that every engine has to pass, once per engine."""
    session.install("-e", ".", *groups("tests"))
    with engines(session) as running:
        fetch_registry(session, running)
        each_engine(session, running, "-m", "pytest", *WITH_ENGINE, *pytest_args(session), with_junit=True)


def fetch_registry(session: nox.Session, running: Sequence[Engine]) -> None:
    """Fetch what the registries of the tests consist of: beside an engine there is no network."""
    if shutil.which("apt-get") is None:
        return  # the tests that need a registry are skipped, with the reason
    image = RESULTS.parent / "registry.tar"
    session.run("python", "-m", "tests.registry.image", str(image))
    for engine in running:
        if engine.prefix and not engine.name.startswith("vm"):
            session.run(ENGINES, "compose", engine.name, "version", external=True, silent=True)
    session.env["CK_REGISTRY_IMAGE"] = str(image)


@nox.session
@recorded
def faults(session: nox.Session) -> None:
    """Replay each engine's recorded answers with a fault in each: 2,000 cases, or `-- --cases 400`."""
    session.install("-e", ".", *groups("tests"))
    with engines(session) as running:
        each_engine(session, running, "-m", "tests.faults", "--cases", "2000", *pytest_args(session))


@nox.session
@recorded
def kill(session: nox.Session) -> None:
    """Kill programs at random moments on each engine: 100 cases, or `-- --cases 20`."""
    session.install("-e", ".", *groups("tests"))
    with engines(session) as running:
        each_engine(session, running, "-m", "tests.kill", "--cases", "100", *pytest_args(session))


@nox.session
@recorded
def examples(session: nox.Session) -> None:
    """Run every script and notebook of examples/, and every block of the pages, once per engine."""
    session.install("-e", ".[notebook]", *groups("tests", "examples"))
    if shutil.which("apt-get"):  # else the notebook about networks shows no capture
        image = RESULTS.parent / "tcpdump.tar"
        session.run("python", "-m", "tests.examples.tcpdump_image", str(image))
        session.env["CK_TCPDUMP_IMAGE"] = str(image)
    with engines(session) as running:
        each_engine(session, running, "-m", "pytest", *EXAMPLES, *pytest_args(session), with_junit=True)


@nox.session
@recorded
def demo(session: nox.Session) -> None:
    """Derive ten images from a Debian base on each engine, and show what they cost. `-- full`: a base of 2 GB."""
    session.install("-e", ".")
    size = "full" if "full" in session.posargs else "small"
    base = Path(session.create_tmp()) / f"debian-{size}.tar"
    session.run("python", "engines/base_image.py", str(base), "--size", size)
    with engines(session, start=True) as running:
        each_engine(session, running, "examples/ten_images.py", str(base))


@nox.session
def lesson(session: nox.Session) -> None:
    """Open the notebooks in Jupyter; `nox -s lesson -- es` opens the Spanish ones. Other arguments go to Jupyter."""
    session.install("-e", ".[notebook]", *groups("lesson"))
    language, *rest = session.posargs if session.posargs[:1] in (["en"], ["es"]) else ("en", *session.posargs)
    root = ("--allow-root",) if os.geteuid() == 0 else ()
    session.run("jupyter-lab", *root, *rest, f"examples/notebooks/{language}/first_steps.ipynb")


@nox.session
@recorded
def docs(session: nox.Session) -> None:
    """Build the documentation as a site in build/site; a broken link, or a page without a place, is a failure."""
    session.install(*groups("docs"))
    session.run("properdocs", "build", "--strict")


IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
import containerkit
assert containerkit.__version__ == sys.argv[1], (containerkit.__version__, sys.argv[1])
assert (pathlib.Path(containerkit.__file__).parent / "py.typed").exists(), "py.typed is missing"
count, optional = 0, {"pytest", "IPython", "isal", "textual"}
for module in pkgutil.walk_packages(containerkit.__path__, "containerkit."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
        count += 1
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in optional:
            raise
print(f"containerkit {containerkit.__version__}: {count} modules import in a bare environment")
"""

#: The moment that a build writes into its archives (SOURCE_DATE_EPOCH): 2020-02-02.
EPOCH = "1580601600"


@nox.session
@recorded
def package(session: nox.Session) -> None:
    """Build twice with equal bytes, install bare, import every module, type-check a user's script."""
    session.install("build", "virtualenv", *groups("package"))
    folder = Path(session.create_tmp()).resolve()
    for name in ("dist", "again"):
        shutil.rmtree(folder / name, ignore_errors=True)
        session.run("python", "-m", "build", "--outdir", str(folder / name), env={"SOURCE_DATE_EPOCH": EPOCH})
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    for made in (wheel, sdist):
        if made.read_bytes() != (folder / "again" / made.name).read_bytes():
            session.error(f"{made.name} differs from one build to the next")
    session.run("python", "-m", "virtualenv", "--quiet", "--clear", str(folder / "bare"))
    python = str(folder / "bare" / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    script = shutil.copy(HERE / "tests" / "typing" / "user_script.py", folder)
    with session.chdir(folder):  # outside of the checkout, so that the installed package is used
        session.run(python, "-c", IMPORT_ALL, wheel.name.split("-")[1], external=True)
        session.run(str(folder / "bare" / "bin" / "containerkit"), "--version", external=True)
        session.run(python, script, external=True)
        session.run("mypy", "--strict", "--python-executable", python, script)
        session.run("basedpyright", "--pythonpath", python, "--level", "error", script)
    session.log(f"{wheel.name} {wheel.stat().st_size} bytes, {sdist.name} {sdist.stat().st_size} bytes")
