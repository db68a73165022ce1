"""The async face on a real engine: cancellation ends, kills and removes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

import containerkit as ck
from containerkit import aio, wait

PATIENCE = 60.0  # seconds; a busy machine takes long, and a hang fails


def settle(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function to its end, within limits."""

    async def limited() -> None:
        await asyncio.wait_for(work(), 4 * PATIENCE)

    asyncio.run(limited())


@asynccontextmanager
async def opened(engine: ck.Engine) -> AsyncIterator[aio.Engine]:
    """Open an async engine at the address of the engine under test, and look that it leaves nothing behind."""
    async with aio.connect(engine.url) as face:
        yield face
        session = face._sync._core.session.id  # type: ignore[attr-defined]
        mine = {"label": [f"containerkit.session={session}"]}
        assert await face.containers.list(all=True, filters=mine) == []


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not await true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    assert done, "the cancelled task did not end"
    assert task.cancelled()


def test_many_commands_at_once(engine: ck.Engine, shell_image: str) -> None:
    """Results come back in order, and everything is removed."""

    async def work() -> None:
        async with opened(engine) as face:
            results = await asyncio.gather(*(face.run(shell_image, ["echo", str(n)]) for n in range(5)))
            assert [result.stdout for result in results] == [f"{n}\n" for n in range(5)]
            assert (await face.info()).version == engine.info().version

    settle(work)


def test_a_cancelled_run_kills_and_removes(engine: ck.Engine, shell_image: str) -> None:
    """A run that is cancelled while its command works leaves no container."""

    async def work() -> None:
        async with opened(engine) as face:
            heard = asyncio.Event()
            task = asyncio.create_task(
                face.run(
                    shell_image, ["sh", "-c", "echo on; sleep 600"], on_output=lambda _: heard.set(), name="ck-aio"
                )
            )
            await asyncio.wait_for(heard.wait(), PATIENCE)
            await cancelled(task)
            assert not await face.containers.exists("ck-aio")

    settle(work)


@pytest.mark.parametrize("turns", range(6))
def test_a_start_cancelled_at_any_moment_leaves_nothing(engine: ck.Engine, shell_image: str, turns: int) -> None:
    """Cancelling start() before, during and after its requests removes what it made."""

    async def work() -> None:
        async with opened(engine) as face:
            task = asyncio.create_task(face.start(shell_image, ["sleep", "600"]))
            await asyncio.sleep(0.03 * turns)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=PATIENCE)
            assert done
            if not task.cancelled():  # it had ended before
                await task.result().remove(force=True)

    settle(work)


def test_a_cancelled_exec_is_killed(engine: ck.Engine, shell_image: str) -> None:
    """The process that a cancelled exec started is gone."""

    async def work() -> None:
        async with opened(engine) as face, face.start(shell_image, ["sleep", "600"]) as container:
            heard = asyncio.Event()
            command = ["sh", "-c", "echo on; exec sleep 599"]
            task = asyncio.create_task(container.exec(command, on_output=lambda _: heard.set()))
            await asyncio.wait_for(heard.wait(), PATIENCE)
            await cancelled(task)

            async def gone() -> bool:
                return "sleep 599" not in (await container.exec(["ps"])).stdout

            await until(gone)

    settle(work)


def test_waiting_calls_end_when_they_are_cancelled(engine: ck.Engine, shell_image: str) -> None:
    """wait, wait_until, a followed log without a line, and events end although the engine sends nothing."""

    async def work() -> None:
        async with opened(engine) as face, face.start(shell_image, ["sleep", "600"]) as container:

            async def lines() -> None:
                async for _ in container.logs(follow=True):
                    pass

            async def events() -> None:
                async for _ in face.events(filters={"event": ["rename"]}):
                    pass

            calls: list[Coroutine[Any, Any, Any]] = [
                container.wait(),
                container.wait_until(wait.log_line("never"), timeout=600),
                lines(),
                events(),
            ]
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(0.5)
            for task in tasks:
                await cancelled(task)
            assert (await container.refresh()).status == "running"

    settle(work)
    deadline = time.monotonic() + PATIENCE
    while any(each.name.startswith("containerkit-follow") for each in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_lines_as_they_come(engine: ck.Engine, shell_image: str) -> None:
    """A followed log yields lines while the container runs, and `break` leaves it."""

    async def work() -> None:
        async with opened(engine) as face:
            command = ["sh", "-c", "for n in 1 2 3; do echo line $n; done; sleep 600"]
            async with face.start(shell_image, command) as container:
                seen = []
                async for line in container.logs(follow=True):
                    seen.append(line)
                    if len(seen) == 3:
                        break
                assert seen == ["line 1", "line 2", "line 3"]
                assert container.status == "running"

    settle(work)


def test_a_terminal(engine: ck.Engine, shell_image: str) -> None:
    """open_exec gives both streams to one task."""

    async def work() -> None:
        async with (
            opened(engine) as face,
            face.start(shell_image, ["sleep", "600"]) as container,
            container.open_exec(["cat"], interactive=True) as terminal,
        ):
            await terminal.write("hello")
            await terminal.close_stdin()
            assert b"".join([output.data async for output in terminal]) == b"hello"
            assert await terminal.wait() == 0

    settle(work)


def test_an_archive(engine: ck.Engine, shell_image: str) -> None:
    """A byte stream is read piece by piece or whole."""

    async def work() -> None:
        async with opened(engine) as face, face.start(shell_image, ["sleep", "600"]) as container:
            await container.write_file("/tmp/a", "x" * 100_000)
            async with container.stream_archive("/tmp/a") as stream:
                whole = await stream.read()
            pieces = [piece async for piece in container.stream_archive("/tmp/a")]
            assert b"".join(pieces) == whole
            assert b"x" * 100_000 in whole

    settle(work)
