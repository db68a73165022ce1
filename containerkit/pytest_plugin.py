"""Fixtures for tests that need containers: an engine, containers, a network, or an engine in memory.

Every pytest run loads this module where containerkit is installed, so it imports nothing heavy before a fixture is
used::

    def test_greeting(containers):
        assert "hello" in containers("busybox:1", "echo hello").logs()
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from containerkit import Container, Engine, Network
    from containerkit.testing import FakeBackend

__all__ = ["ContainerFactory", "container_engine", "container_network", "containers", "fake_backend", "fake_engine"]

_MOST_LOG = 200  # lines of each container's log in a report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --container-engine and --require-container-engine."""
    group = parser.getgroup("containerkit", "containers for tests")
    group.addoption(
        "--container-engine",
        action="append",
        default=[],
        metavar="TARGET",
        dest="container_engines",
        help="run tests that need containers on this engine (docker, podman, a URL, a context); again for another. "
        "Default: the first that answers",
    )
    group.addoption(
        "--require-container-engine",
        action="store_true",
        help="fail, instead of skipping, where no engine answers",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Show the requested engines."""
    targets = _targets(config)
    return f"container engines: {', '.join(targets)}" if targets else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that needs an engine once on each requested engine."""
    targets = _targets(metafunc.config)
    if targets and "container_engine" in metafunc.fixturenames:
        metafunc.parametrize("container_engine", targets, indirect=True, scope="session")


def _targets(config: pytest.Config) -> list[str]:
    """Return the targets in the order given, each once: the same in every worker of pytest-xdist."""
    return list(dict.fromkeys(config.getoption("container_engines")))


@pytest.fixture(scope="session")
def container_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return an open Engine; skip the test, with the reason, if no engine answers."""
    import containerkit as ck

    target: str | None = getattr(request, "param", None)
    try:
        engine = ck.connect(target, reaper=True)
    except ck.EngineUnavailable as exc:
        if request.config.getoption("require_container_engine"):
            pytest.fail(str(exc), pytrace=False)
        pytest.skip(" ".join(str(exc).split()))
    with engine:
        yield engine


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


class ContainerFactory:
    """Start containers, and remove them at the end of the test.

    Attributes:
        started: the started containers, in order.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.started: list[Container] = []
        self.networks: list[Network] = []

    def __call__(self, image: str, command: Any = None, **options: Any) -> Container:
        """Start a container and return it; the arguments are those of Engine.start."""
        container = self._engine.start(image, command, **options)
        self.started.append(container)
        return container

    def logs(self) -> Iterator[tuple[str, str]]:
        """Return (name, end of its log) of each container that wrote something."""
        import containerkit as ck

        for container in self.started:
            name = container.short_id
            try:
                name = container.name
                told = str(container.logs(tail=_MOST_LOG))
            except ck.ContainerKitError as exc:
                told = f"(no log: {exc})"
            if told.strip():
                yield name, told.encode("utf-8", "backslashreplace").decode()

    def close(self) -> list[str]:
        """Remove containers, last started first, then networks; report what could not be removed."""
        failed: list[str] = []

        def attempt(what: str, remove: Callable[[], None]) -> None:
            import containerkit as ck

            try:
                remove()
            except ck.NotFound:
                pass
            except ck.ContainerKitError as exc:
                failed.append(f"could not remove {what}: {exc}")

        while self.started:
            container = self.started.pop()
            attempt(f"container {container.short_id}", partial(container.remove, force=True, volumes=True))
        while self.networks:
            network = self.networks.pop()
            attempt(f"network {network.name}", network.remove)
        return failed


_FACTORY: pytest.StashKey[ContainerFactory] = pytest.StashKey()


@pytest.fixture
def containers(request: pytest.FixtureRequest, container_engine: Engine) -> Iterator[ContainerFactory]:
    """Return a function ``containers(image, command=None, **options)`` that starts a container for the test.

    The containers are removed at the end of the test. If it fails, its report has their logs.
    """
    factory = ContainerFactory(container_engine)
    request.node.stash[_FACTORY] = factory
    yield factory
    failed = factory.close()
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)


@pytest.fixture
def container_network(containers: ContainerFactory, container_engine: Engine) -> Network:
    """Return a network for the test, on which its containers find each other by name. Removed after them."""
    network = container_engine.networks.create(f"ck-test-{uuid.uuid4().hex[:12]}")
    containers.networks.append(network)
    return network


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the logs of a failing test's containers to its report, while they still exist."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    factory = item.stash.get(_FACTORY, None)
    if factory is not None and report.failed and report.when != "teardown":
        report.sections += [(f"Log of container {name}", told) for name, told in factory.logs()]
