"""Every task of the project: `nox` runs the checks, `nox -s demo` shows the main job on real engines.

Sessions that need engines use those that run on this machine. Under CI=true, or where CONTAINERKIT_ENGINES names some
(`base`, `all`, `docker28,podman58r`, …), engines/engines.sh starts them, which takes root on a Debian machine; what was
not running before is stopped again. An engine asked for and missing is a failure, a machine without engines a skip.
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

# The rooms of tests/, by what they need
WITHOUT_ENGINE = ("tests/unit", "tests/typing", "tests/faults")
WITH_ENGINE = ("tests/conformance",)
EXAMPLES = ("tests/examples",)


def groups(*names: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, *names)


# ------------------------------------------------------------------------------------------------------- results


def record(session: nox.Session, result: str, reason: str = "") -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    said = {"session": session.name, "outcome": result, "reason": reason}
    (RESULTS / f"{session.name}.json").write_text(json.dumps(said) + "\n")


def outcome(session: nox.Session) -> str:
    return str(json.loads((RESULTS / f"{session.name}.json").read_text())["outcome"])


def recorded(function: Callable[[nox.Session], None]) -> Callable[[nox.Session], None]:
    """Leave in build/results what became of the session, also when it dies half-way."""

    @functools.wraps(function)
    def wrapper(session: nox.Session) -> None:
        for old in RESULTS.glob(f"{session.name}[.-]*"):
            old.unlink()
        record(session, "failed", "interrupted")  # what stands if nox itself is killed
        try:
            function(session)
        except Exception as exc:
            if outcome(session) != "skipped":
                record(session, "failed", str(exc).partition("\n")[0])
            raise
        record(session, "passed")

    return wrapper


def skip(session: nox.Session, reason: str) -> None:
    record(session, "skipped", reason)
    session.skip(reason)


def junit(session: nox.Session, part: str = "") -> str:
    return f"--junitxml={RESULTS}/{session.name}-{part or 'all'}.xml"


def rooms(session: nox.Session, folders: Sequence[str]) -> list[str]:
    """Those of the folders that hold tests: pytest takes an empty one for a mistake."""
    found = [folder for folder in folders if any((HERE / folder).rglob("test_*.py"))]
    if not found:
        skip(session, f"no tests in {', '.join(folders)}")
    return found


# ------------------------------------------------------------------------------------------------------- engines


@dataclass(frozen=True)
class Engine:
    """A running engine, and the words to put before a command that is to reach it and the ports it publishes."""

    name: str
    url: str
    prefix: tuple[str, ...] = ()


@contextmanager
def engines(session: nox.Session, *, start: bool = False) -> Iterator[list[Engine]]:
    """The engines to work with; `start`: where none runs, start the base group rather than give up."""
    wanted = re.split(r"[\s,]+", os.environ.get("CONTAINERKIT_ENGINES", "").strip())
    if wanted == [""]:
        wanted = ["base"] if CI else []
    required = CI or bool(wanted) or "--require-engines" in session.posargs
    if not wanted:
        found = discovered(session)
        if found:
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
        yield started(session, *wanted)
    finally:
        if new := [engine.name for engine in started(session) if engine.name not in before]:
            session.run(ENGINES, "down", *new, external=True)


def started(session: nox.Session, *names: str) -> list[Engine]:
    """The running engines of engines.sh."""
    output = session.run(ENGINES, "json", *expanded(session, names), external=True, silent=True, log=False)
    return [
        Engine(item["name"], item["url"], (ENGINES, "exec", item["name"], "--"))
        for item in json.loads(output if isinstance(output, str) else "[]")
    ]


def expanded(session: nox.Session, names: Sequence[str]) -> list[str]:
    output = session.run(ENGINES, "list", *names, external=True, silent=True, log=False) if names else ""
    lines = output.splitlines() if isinstance(output, str) else []
    return [line.split()[0] for line in lines if not line.startswith("group ")]


def discovered(session: nox.Session) -> list[Engine]:
    """The user's own engines, found by the package itself."""
    code = (
        "import containerkit as ck, json; "
        "print(json.dumps([[f'{e.kind}-{e.source}', e.url] for e in ck.discover() if e.reachable]))"
    )
    output = session.run("python", "-c", code, silent=True)
    found = json.loads(output.strip().splitlines()[-1]) if isinstance(output, str) else []
    unique = {url: re.sub(r"[^\w.-]+", "-", name) for name, url in reversed(found)}
    return [Engine(name, url) for url, name in reversed(unique.items())]


def each_engine(session: nox.Session, found: Sequence[Engine], *command: str, with_junit: bool = False) -> None:
    """Run the command once per engine, all of them even if one fails; tests on as many at once as there are cores."""
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

    with ThreadPoolExecutor((os.cpu_count() or 1) if with_junit else 1) as pool:
        passed = list(pool.map(run, found))
    if not all(passed):
        names = (engine.name for engine, good in zip(found, passed, strict=True) if not good)
        session.error(f"failed on {', '.join(names)}")


def pytest_args(session: nox.Session) -> list[str]:
    return [arg for arg in session.posargs if arg != "--require-engines"]


# ------------------------------------------------------------------------------------------------------- sessions


@nox.session
@recorded
def lint(session: nox.Session) -> None:
    """Style and mistakes (ruff)."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
@recorded
def types(session: nox.Session) -> None:
    """mypy --strict over everything."""
    session.install("-e", ".[notebook]", "nox", *groups("types", "tests", "examples"))
    session.run("mypy")


@nox.session
@recorded
def tests(session: nox.Session) -> None:
    """The tests that need no engine, with coverage."""
    session.install("-e", ".", *groups("tests"))
    found = rooms(session, WITHOUT_ENGINE)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *found, junit(session), *pytest_args(session))
    session.run("coverage", "report", "--skip-covered", "--show-missing")


@nox.session
@recorded
def conformance(session: nox.Session) -> None:
    """The one suite every engine has to pass, once per engine."""
    session.install("-e", ".", *groups("tests"))
    found = rooms(session, WITH_ENGINE)
    with engines(session) as running:
        fetch_registry(session, running)
        each_engine(session, running, "-m", "pytest", *found, *pytest_args(session), with_junit=True)


def fetch_registry(session: nox.Session, running: Sequence[Engine]) -> None:
    """Get what the registries of the tests are made of, while there is a network: where engines are is none."""
    if shutil.which("apt-get") is None:
        return  # the tests say why they are skipped
    image = RESULTS.parent / "registry.tar"
    session.run("python", "-m", "tests.registry.image", str(image))
    for engine in running:
        if engine.prefix and not engine.name.startswith("vm"):
            session.run(ENGINES, "compose", engine.name, "version", external=True, silent=True)
    session.env["CK_REGISTRY_IMAGE"] = str(image)


@nox.session
@recorded
def faults(session: nox.Session) -> None:
    """Replay each engine's recorded answers with a fault in each: 2,000 cases per engine, a sample of 400 in CI."""
    session.install("-e", ".", *groups("tests"))
    count = "400" if CI else "2000"
    with engines(session) as running:
        each_engine(session, running, "-m", "tests.faults", "--cases", count, *pytest_args(session))


@nox.session
@recorded
def examples(session: nox.Session) -> None:
    """Every script and notebook of examples/, once per engine."""
    session.install("-e", ".[notebook]", *groups("tests", "examples"))
    found = rooms(session, EXAMPLES)
    with engines(session) as running:
        each_engine(session, running, "-m", "pytest", *found, *pytest_args(session), with_junit=True)


@nox.session
@recorded
def demo(session: nox.Session) -> None:
    """The main job on real input: ten images from a Debian base on each engine. `-- full`: a base of 2 GB."""
    session.install("-e", ".")
    size = "full" if "full" in session.posargs else "small"
    base = Path(session.create_tmp()) / f"debian-{size}.tar"
    session.run("python", "engines/base_image.py", str(base), "--size", size)
    with engines(session, start=True) as running:
        each_engine(session, running, "examples/ten_images.py", str(base))


IMPORT_ALL = """
import importlib, pkgutil, sys
import containerkit
assert containerkit.__version__ == sys.argv[1], (containerkit.__version__, sys.argv[1])
count, optional = 0, {"pytest", "matplotlib", "IPython", "isal"}
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


@nox.session
@recorded
def package(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel with nothing else, import every module."""
    session.install("build", "virtualenv")
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder / "dist"))
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    session.run("python", "-m", "virtualenv", "--quiet", "--clear", str(folder / "bare"))
    python = str(folder / "bare" / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    with session.chdir(folder):  # away from the checkout: the installed package has to do
        session.run(python, "-c", IMPORT_ALL, wheel.name.split("-")[1], external=True)
        session.run(str(folder / "bare" / "bin" / "containerkit"), "--version", external=True)
    session.log(f"{wheel.name} {wheel.stat().st_size} bytes, {sdist.name} {sdist.stat().st_size} bytes")
