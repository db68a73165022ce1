"""Fixtures for tests that need containers: an engine, containers that are removed again, a network; or none of them.

Loaded by every pytest run where containerkit is installed, so it imports nothing heavy before a fixture is used::

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
    """--container-engine and --require-container-engine."""
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
    """Which engines were asked for."""
    targets = _targets(config)
    return f"container engines: {', '.join(targets)}" if targets else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs an engine, once on each that was given."""
    targets = _targets(metafunc.config)
    if targets and "container_engine" in metafunc.fixturenames:
        metafunc.parametrize("container_engine", targets, indirect=True, scope="session")


def _targets(config: pytest.Config) -> list[str]:
    """In the order given, each once: the same in every worker of pytest-xdist."""
    return list(dict.fromkeys(config.getoption("container_engines")))


@pytest.fixture(scope="session")
def container_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An open Engine; the test is skipped, with the reason, where none answers."""
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
    """The engine in memory of `fake_engine`, to be told its images and what commands answer: add_image(), on()."""
    from containerkit.testing import FakeBackend

    return FakeBackend()


@pytest.fixture
def fake_engine(fake_backend: FakeBackend) -> Iterator[Engine]:
    """An Engine in memory, new and empty for each test."""
    import containerkit as ck

    with ck.connect(fake_backend) as engine:
        yield engine


class ContainerFactory:
    """Starts containers, and removes them when the test is over.

    Attributes:
        started: what it started, in order.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.started: list[Container] = []
        self.networks: list[Network] = []

    def __call__(self, image: str, command: Any = None, **options: Any) -> Container:
        """A container, started and left running; the arguments are those of Engine.start."""
        container = self._engine.start(image, command, **options)
        self.started.append(container)
        return container

    def logs(self) -> Iterator[tuple[str, str]]:
        """(name, the end of its log) of each container that wrote something."""
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
        """Remove containers, last started first, then networks; says what could not be removed."""
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
    """``containers(image, command=None, **options)`` starts a container that is removed when the test is over.

    Where the test fails, its report has the containers' logs.
    """
    factory = ContainerFactory(container_engine)
    request.node.stash[_FACTORY] = factory
    yield factory
    failed = factory.close()
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)


@pytest.fixture
def container_network(containers: ContainerFactory, container_engine: Engine) -> Network:
    """A network of the test's own: its containers find one another by name. Removed after them."""
    network = container_engine.networks.create(f"ck-test-{uuid.uuid4().hex[:12]}")
    containers.networks.append(network)
    return network


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Put the logs of a failing test's containers into its report, while they are still there."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    factory = item.stash.get(_FACTORY, None)
    if factory is not None and report.failed and report.when != "teardown":
        report.sections += [(f"Log of container {name}", told) for name, told in factory.logs()]
