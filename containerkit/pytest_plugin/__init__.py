"""Fixtures for tests that need containers: an engine, containers, a network, or an engine in memory.

Every pytest run loads this package where containerkit is installed, so it imports nothing heavy before a fixture is
used::

    def test_greeting(containers):
        assert "hello" in containers("busybox:1", "echo hello").logs()

`engines` opens engines, `factory` starts containers for one scope, `shared` for all workers of pytest-xdist (which
read of them in `recorded`), `summary` sums up.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .engines import Engines
from .factory import ContainerFactory
from .shared import SharedContainers
from .summary import Summary

if TYPE_CHECKING:
    from containerkit import Engine, Network
    from containerkit.testing import FakeBackend

__all__ = [
    "ContainerFactory",
    "SharedContainers",
    "container_engine",
    "container_network",
    "containers",
    "fake_backend",
    "fake_engine",
    "module_containers",
    "session_containers",
    "shared_containers",
]

_SUMMARY: pytest.StashKey[Summary] = pytest.StashKey()
_OPEN: pytest.StashKey[list[tuple[str, ContainerFactory | SharedContainers]]] = pytest.StashKey()
_ENGINES: pytest.StashKey[Engines] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("containerkit", "containers for tests")
    group.addoption(
        "--container-engine",
        action="append",
        default=[],
        metavar="TARGET",
        dest="container_engines",
        help="run tests that need containers on this engine (docker, podman, a URL, a context); several, separated by "
        "commas, run each test on each. Default: the first that answers",
    )
    group.addoption(
        "--require-container-engine",
        action="store_true",
        help="fail, instead of skipping, where no engine answers",
    )
    group.addoption(
        "--containers-keep",
        action="store_true",
        help="leave the containers of the fixture shared_containers running, and use them again in the next run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the fixtures and the summary note."""
    config.stash[_SUMMARY] = Summary()
    config.stash[_OPEN] = []
    config.stash[_ENGINES] = Engines(config, config.stash[_SUMMARY])
    config.add_cleanup(config.stash[_ENGINES].close)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Show the requested engines."""
    targets = _targets(config)
    return f"container engines: {', '.join(targets)}" if targets else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that needs an engine once on each requested engine."""
    targets = _targets(metafunc.config)
    if targets and "_container_target" in metafunc.fixturenames:
        metafunc.parametrize("_container_target", targets, indirect=True, scope="session", ids=_ids(targets))


def _targets(config: pytest.Config) -> list[str]:
    """Return the targets in the order given, each once: the same in every worker of pytest-xdist."""
    given = ",".join(config.getoption("container_engines")).split(",")
    return list(dict.fromkeys(target.strip() for target in given if target.strip()))


def _ids(targets: list[str]) -> list[str]:
    """Return a short ID for each target: the shortest end of its address that no other has."""
    words = [[word for word in re.split(r"[/:@]+", target.removesuffix(".sock")) if word] for target in targets]

    def end(index: int, length: int) -> str:
        return "-".join(words[index][-length:]) or targets[index]

    found = []
    for index in range(len(targets)):
        others = [other for other in range(len(targets)) if other != index]
        length = 1
        while length < len(words[index]) and any(end(other, length) == end(index, length) for other in others):
            length += 1
        found.append(end(index, length))
    return found if len(set(found)) == len(found) else targets


@pytest.fixture(scope="session")
def _container_target(request: pytest.FixtureRequest) -> str | None:
    """Return the target of connect() for this test."""
    target: str | None = getattr(request, "param", None)
    return target


@pytest.fixture(scope="session")
def container_engine(request: pytest.FixtureRequest, _container_target: str | None) -> Engine:
    """Return an open Engine; skip the test, with the reason, if no engine answers.

    Leftovers of an earlier run that was killed are removed first.
    """
    return request.config.stash[_ENGINES].open(_container_target)


@pytest.fixture
def fake_backend() -> FakeBackend:
    """Return the backend of `fake_engine`; add images and scripts with add_image() and on()."""
    from containerkit.testing import FakeBackend

    return FakeBackend()


@pytest.fixture
def fake_engine(fake_backend: FakeBackend) -> Iterator[Engine]:
    """Return an Engine in memory, new and empty for each test."""
    import containerkit as ck

    with ck.connect(fake_backend) as engine:
        yield engine


def _factory(request: pytest.FixtureRequest, engine: Engine) -> Iterator[ContainerFactory]:
    """Yield a factory, and remove at the end what it started."""
    opened = request.config.stash[_OPEN]
    factory = ContainerFactory(engine, request.config.stash[_SUMMARY].started.append)
    opened.append((str(request.fixturename), factory))
    yield factory
    opened.remove((str(request.fixturename), factory))
    if failed := factory.close():
        pytest.fail("\n".join(failed), pytrace=False)


@pytest.fixture
def containers(request: pytest.FixtureRequest, container_engine: Engine) -> Iterator[ContainerFactory]:
    """Return a function ``containers(image, command=None, *, wait=None, **options)`` that starts a container.

    The containers are removed at the end of the test. If it fails, its report has their logs.
    """
    yield from _factory(request, container_engine)


@pytest.fixture(scope="module")
def module_containers(request: pytest.FixtureRequest, container_engine: Engine) -> Iterator[ContainerFactory]:
    """Return a function like `containers`, for fixtures of scope "module"."""
    yield from _factory(request, container_engine)


@pytest.fixture(scope="session")
def session_containers(request: pytest.FixtureRequest, container_engine: Engine) -> Iterator[ContainerFactory]:
    """Return a function like `containers`, for fixtures of scope "session": with pytest-xdist, once per worker."""
    yield from _factory(request, container_engine)


@pytest.fixture(scope="session")
def shared_containers(request: pytest.FixtureRequest, _container_target: str | None) -> Iterator[SharedContainers]:
    """Return a function like `containers`, for fixtures of scope "session": with pytest-xdist, once for all workers.

    A call with the same arguments returns the same container. It is removed when the last worker has ended;
    ``--containers-keep`` leaves it running for the next run. A worker that finds a container of another one connects
    to the engine only when a test asks for more than its name, image, labels and ports.
    """
    config, summary = request.config, request.config.stash[_SUMMARY]
    keep, engines = bool(config.getoption("containers_keep")), config.stash[_ENGINES]

    def note(what: str, image: str) -> None:
        (summary.started if what == "started" else summary.reused).append(image)

    shared = SharedContainers(
        lambda: engines.open(_container_target), engines.run_id(_container_target), keep=keep, note=note
    )
    engines.users.callback(shared.close)  # not at the end of the fixture: another worker may use what this one started
    config.stash[_OPEN].append(("shared_containers", shared))
    yield shared
    config.stash[_OPEN].remove(("shared_containers", shared))
    if keep:
        summary.kept += [container.name for container in shared.started]


@pytest.fixture
def container_network(containers: ContainerFactory) -> Network:
    """Return a network for the test, on which its containers find each other by name. Removed after them."""
    return containers.network()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Add the logs of a failing test's containers to its report, while they still exist.

    The package's own lines are left out of the traceback of an error that it raises; --full-trace shows them.
    """
    if call.excinfo is not None:
        _hide_own_lines()
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.failed and report.when != "teardown":
        for fixture, factory in item.config.stash[_OPEN]:
            if fixture == "containers" or fixture in getattr(item, "fixturenames", ()):
                report.sections += [(f"Log of container {name}", log) for name, log in factory.logs()]


def _hide_own_lines() -> None:
    """Mark the loaded modules of the package, so that pytest leaves their lines out of its errors' tracebacks."""
    package = sys.modules["containerkit"]
    if "containerkit.errors" not in sys.modules:
        return  # no error of the package was raised
    kind = package.ContainerKitError

    def hide(excinfo: pytest.ExceptionInfo[BaseException] | None) -> bool:
        return excinfo is not None and isinstance(excinfo.value, kind)

    for name, module in list(sys.modules.items()):
        if name.startswith("containerkit.") and not name.startswith("containerkit.testing"):
            vars(module).setdefault("__tracebackhide__", hide)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what happened in a worker of pytest-xdist to the process that prints the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["containerkit"] = session.config.stash[_SUMMARY].to_dict()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what happened in a worker of pytest-xdist."""
    node.config.stash[_SUMMARY].add(getattr(node, "workeroutput", {}).get("containerkit", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was started, left running and cleaned up, and why an engine could not be opened."""
    if lines := list(config.stash[_SUMMARY].lines()):
        terminalreporter.section("containers", sep="-")
        for line in lines:
            terminalreporter.write_line(line)
