"""The async face, on the engine in memory and on scripted servers."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import containerkit as ck
from containerkit import aio
from containerkit.aio.face import Face, Kind, kind_of
from containerkit.testing import FakeBackend

FACES = [each for name in aio.__all__ if inspect.isclass(each := getattr(aio, name))]


def on_fake(test: Callable[[Any, FakeBackend], Coroutine[Any, Any, None]]) -> None:
    """Run a test with an async engine in memory."""

    async def work() -> None:
        backend = FakeBackend(images=["app:1"])
        async with aio.connect(backend) as engine:
            await asyncio.wait_for(test(engine, backend), 60)

    asyncio.run(work())


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_a_face_has_every_public_name_of_its_class(face: type[Face]) -> None:
    """A face lacks `interact` and nothing else."""
    names = {name for name in dir(face._of) if not name.startswith("_")}
    assert names - set(dir(face)) <= {"interact"}
    calls = [name for name in names if kind_of(face._of, name) is Kind.CALL]
    assert [name for name in calls if not inspect.iscoroutinefunction(getattr(face, name))] in ([], ["logs"])


def test_a_command_and_a_container() -> None:
    """run, start, exec and logs return the values of the synchronous package."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        fake.on("echo hello", stdout="hello\n").on("ls", stdout="a\n")
        assert (await engine.run("app:1", "echo hello")).stdout == "hello\n"
        async with engine.start("app:1", "serve", name="web") as container:
            assert (container.name, container.status) == ("web", "running")
            assert (await container.exec("ls")).stdout == "a\n"
            assert (await engine.containers.list()) == [container]
            await container.stop()
            assert container.status == "exited"
        assert await engine.containers.list(all=True) == []

    on_fake(test)


def test_an_opening_is_a_coroutine() -> None:
    """start() can be awaited, gathered and made a task, without `async with`."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        first = await engine.start("app:1", "serve")
        second, third = await asyncio.gather(engine.start("app:1", "serve"), engine.start("app:1", "serve"))
        fourth = await asyncio.create_task(engine.start("app:1", "serve"))
        assert len({first, second, third, fourth}) == 4
        await asyncio.gather(*(each.remove(force=True) for each in (first, second, third, fourth)))

    on_fake(test)


def test_lines_of_a_log() -> None:
    """`async for` yields whole lines; awaiting returns Logs; both at once is refused."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        fake.on("two", stdout="one\ntwo\r\nthr\u00e9e")
        container = await engine.start("app:1", "two")
        await container.wait()
        assert [line async for line in container.logs(follow=True)] == ["one", "two", "thr\u00e9e"]
        assert (await container.logs()).stdout.startswith("one\n")
        assert [output.stream async for output in container.stream_logs()] == ["stdout"] * 3
        with pytest.raises(ck.InvalidOption, match="async for"):
            await container.logs(follow=True)

    on_fake(test)


def test_a_callback_runs_in_the_event_loop() -> None:
    """A function or a coroutine function receives the output; its error ends the call."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        fake.on("say", stdout="hi")
        seen: list[Any] = []

        async def hear(output: ck.Output) -> None:
            await asyncio.sleep(0)
            seen.append((output.text, threading.current_thread()))

        await engine.run("app:1", "say", on_output=hear)
        await engine.run(
            "app:1", "say", on_output=lambda output: seen.append((output.text, threading.current_thread()))
        )
        assert seen == [("hi", threading.current_thread())] * 2

        def refuse(output: ck.Output) -> None:
            raise KeyError(output.text)

        with pytest.raises(KeyError):
            await engine.run("app:1", "say", on_output=refuse)

    on_fake(test)


def test_threads_are_bounded() -> None:
    """Calls beyond `threads` wait for a free one, and closing does not."""
    most = now = 0
    lock = threading.Lock()
    gate, both = threading.Event(), threading.Event()

    def answer(argv: Any, stdin: Any) -> str:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            if now == 2:
                both.set()
        gate.wait(30)
        with lock:
            now -= 1
        return "x"

    async def work() -> None:
        backend = FakeBackend(images=["app:1"]).on("slow", answer)
        async with aio.connect(backend, threads=2) as engine:
            tasks = [asyncio.create_task(engine.run("app:1", "slow")) for _ in range(6)]
            await aio.call(both.wait, 30)
            tasks[5].cancel()  # it waits for a thread: it ends without one
            await asyncio.wait({tasks[5]}, timeout=30)
            assert tasks[5].cancelled()
            gate.set()
            assert [result.stdout for result in await asyncio.gather(*tasks[:5])] == ["x"] * 5
        assert most == 2

    asyncio.run(work())
    for wrong in (0, -1, True, "2"):
        with pytest.raises(ck.InvalidOption):
            aio.connect(FakeBackend(), threads=wrong)  # type: ignore[arg-type]


def test_what_a_cancelled_call_made_is_removed() -> None:
    """A container whose start succeeds although the task was cancelled is removed before the task ends."""
    entered, gate = threading.Event(), threading.Event()

    class Slow(FakeBackend):
        def start_container(self, *args: Any, **options: Any) -> None:
            super().start_container(*args, **options)
            entered.set()
            gate.wait(30)

    async def work() -> None:
        async with aio.connect(Slow(images=["app:1"])) as engine:
            task = asyncio.create_task(engine.start("app:1", "serve"))
            await aio.call(entered.wait, 30)
            task.cancel()
            await asyncio.sleep(0.01)
            task.cancel()  # the second one does not cut the removal short
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await engine.containers.list(all=True) == []

    asyncio.run(work())


def test_a_property_sends_no_request() -> None:
    """A face requests the state with its calls; Network.containers is awaited."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        async with engine.start("app:1", "serve", publish=["80"]) as container:
            assert list(container.ports) == ["80/tcp"]
            assert container.to_dict()["status"] == "running"
            assert "serve" not in container._repr_html_()  # type: ignore[attr-defined]
            async with engine.networks.create("lab") as network:
                await network.connect(container)
                assert [each.id for each in await network.containers] == [container.id]
                await network.disconnect(container)

    on_fake(test)


def test_leaving_a_stream_closes_it() -> None:
    """`break` in `async for` closes the stream; `async with` does at its end."""

    async def test(engine: aio.Engine, fake: FakeBackend) -> None:
        async with engine.events() as stream:
            await engine.start("app:1", "serve")
            async for event in stream:
                assert event.type in ("container", "image", "network")
                break
        assert stream.closed

    on_fake(test)


def test_the_engine_is_closed_for_all() -> None:
    """After close() a call raises EngineUnavailable."""

    async def work() -> None:
        engine = await aio.connect(FakeBackend(images=["app:1"]))
        await engine.close()
        await engine.close()
        with pytest.raises(ck.EngineUnavailable):
            await engine.run("app:1", "x")

    asyncio.run(work())
