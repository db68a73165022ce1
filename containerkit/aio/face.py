"""The async face of a class, made from the class: each method that may send a request is awaited.

Nothing is implemented here a second time. A method of a face calls the method of the same name in a worker thread,
turns faces among the arguments into what they stand for, and results into faces. `docs/make_aio.py` writes the types of
the faces by the same rules.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from enum import Enum
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar

from ..errors import ContainerKitError, EngineTimeout, WrongState
from ..resources.container import Container
from ..resources.image import Image
from ..streams import Cancellation, Deadline
from ..values import ValueList
from .workers import Workers

__all__ = ["Face", "Kind", "Opening", "face_of", "kind_of", "plain_call"]

T = TypeVar("T")
#: Parameters that are called while the call runs.
_CALLBACKS = ("on_output", "on_progress")
#: Methods that read what is known and send no request.
_PLAIN = {"to_dict", "summary"}
#: Methods left out: `interact` is for the person at this program's terminal.
_OMITTED = {"interact"}
#: Properties that send a request: awaited in a face.
_REQUESTED = {("Network", "containers")}
_OPENED = {"Container", "Network", "Volume"}
_STREAMS = ("Stream[", "OutputStream", "ByteStream", "Terminal")
_KNOWN = Cancellation()  # ends each request before it is sent
_KNOWN.cancel()
_faces: dict[type, type[Face]] = {}


class Kind(Enum):
    """Form of a public member of a class in its face."""

    PROPERTY = "property"  # of what is known
    REQUESTED = "awaited property"
    PLAIN = "method"
    CALL = "coroutine"
    OPENING = "opening"  # awaited, or entered by `async with`
    STREAM = "stream"  # awaited, entered, or iterated by `async for`


def kind_of(of: type, name: str) -> Kind | None:
    """Return what becomes of a member of a class in its face; None if the face does not have it."""
    member = inspect.getattr_static(of, name)
    if name.startswith("_") or name in _OMITTED or not (callable(member) or isinstance(member, property)):
        return None
    if isinstance(member, property):
        return Kind.REQUESTED if (of.__name__, name) in _REQUESTED else Kind.PROPERTY
    if name in _PLAIN:
        return Kind.PLAIN
    returned = str(member.__annotations__.get("return"))
    if returned.startswith(_STREAMS):
        return Kind.OPENING if returned == "Terminal" else Kind.STREAM
    if name in ("create", "start") and returned in _OPENED:
        return Kind.OPENING
    return Kind.CALL


class Opening(Coroutine[Any, Any, T], Generic[T]):
    """A call that returns something to be closed: `await` it, or enter it by `async with`.

    Leaving the `async with` block closes or removes what the call returned.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._call = call
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._opened: Any = None

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._coroutine is None:
            self._coroutine = self._call()
        return self._coroutine

    def send(self, value: Any) -> Any:
        """Continue the call; for the event loop."""
        return self._begun().send(value)

    def throw(self, *exc: Any) -> Any:
        """Raise an exception in the call; for the event loop."""
        return self._begun().throw(*exc)

    def close(self) -> None:
        """Give the call up; for the event loop."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begun().__await__()

    async def __aenter__(self) -> T:
        opened = self._opened = await self
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, exc, trace)


class Streaming(Opening[Any]):
    """A call that returns a stream: also for `async for`, which closes the stream at its end."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        async with self as stream:
            async for item in stream:
                yield item


class Face:
    """Base of the async faces: the object of the synchronous package, and the threads that call it."""

    _of: ClassVar[type]

    def __init_subclass__(cls, of: type | None = None) -> None:
        if of is None:
            return
        cls._of = of
        cls.__doc__ = f"{inspect.getdoc(of)}\n\nThe async face of :class:`containerkit.{of.__name__}`."
        _faces[of] = cls
        for name in dir(of):
            kind = kind_of(of, name)
            if kind is not None and name not in vars(cls):
                setattr(cls, name, _MAKERS[kind](inspect.getattr_static(of, name), name))

    def __init__(self, sync: Any, workers: Workers) -> None:
        self._sync = sync
        self._workers = workers

    def __repr__(self) -> str:
        return repr(self._sync)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and bool(self._sync == other._sync)

    def __hash__(self) -> int:
        return hash(self._sync)

    def _repr_html_(self) -> str:
        return str(_known(lambda: self._sync._repr_html_(), self._sync))

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.close(lambda: self._sync.__exit__(kind, exc, trace))

    async def _run(self, name: str, args: Any, options: dict[str, Any]) -> Any:
        """Call the method of that name in a worker thread."""
        sync, kind = self._sync, kind_of(self._of, name)
        if name == "close":
            return await self._workers.close(sync.close)
        made = kind in (Kind.OPENING, Kind.STREAM)

        def call(in_loop: Callable[[Any], Any]) -> Any:
            before = getattr(sync, "_record", None)
            result = plain_call(getattr(sync, name), args, options, in_loop)
            if name != "remove":
                _read_record(sync)
            if isinstance(sync, (Container, Image)) and sync._record is None:
                sync._record = before
            _read_record(result)
            return result

        undo = _leave if made and not isinstance(sync, Container) else _leave_stream if made else None
        return face_of(await self._workers.run(call, undo=undo), self._workers)


def face_of(value: Any, workers: Workers) -> Any:
    """Return the face of a value, or the value itself if nothing about it is awaited."""
    for kind in type(value).__mro__:
        if kind in _faces:
            return _faces[kind](value, workers)
    if isinstance(value, ValueList):
        return ValueList(face_of(item, workers) for item in value)
    if type(value) is tuple and any(type(item) in _faces for item in value):
        return tuple(face_of(item, workers) for item in value)
    return value


def plain_call(function: Callable[..., T], args: Any, options: dict[str, Any], in_loop: Callable[[Any], Any]) -> T:
    """Call a synchronous function with what faces among its arguments stand for; callbacks run in the event loop."""
    given = {
        key: in_loop(value) if key in _CALLBACKS and callable(value) else _plain(value)
        for key, value in options.items()
    }
    return function(*map(_plain, args), **given)


def _plain(value: Any) -> Any:
    """Return an argument with what the faces in it stand for."""
    if isinstance(value, Face):
        return value._sync
    if isinstance(value, (list, tuple)) and any(isinstance(item, Face) for item in value):
        return [_plain(item) for item in value]
    return value


def _read_record(value: Any) -> None:
    """Request the state of a container or image, so that its properties need no request."""
    if isinstance(value, (Container, Image)) and value._record is None:
        with contextlib.suppress(ContainerKitError):
            value.refresh()


def _leave(value: Any) -> None:
    value.__exit__(None, None, None)


def _leave_stream(value: Any) -> None:
    if not isinstance(value, Container):  # start() of a container that the caller already has
        _leave(value)


def _known(get: Callable[[], Any], of: Any) -> Any:
    """Return what is known without a request. Raise WrongState if it takes one."""
    try:
        with Deadline.current().cancelled_by(_KNOWN):
            return get()
    except EngineTimeout:
        raise WrongState(f"{of!r}: this is not known yet; await refresh() first", actual="unknown") from None


# ---------------------------------------------------------------- makers of members
def _property(member: Any, name: str) -> property:
    def get(self: Face) -> Any:
        return face_of(_known(lambda: getattr(self._sync, name), self._sync), self._workers)

    return property(get, doc=member.__doc__)


def _requested(member: Any, name: str) -> property:
    async def request(self: Face) -> Any:
        return await self._workers.run(lambda _: getattr(self._sync, name))

    return property(request, doc=member.__doc__)


def _plain_method(member: Any, name: str) -> Any:
    @functools.wraps(member)
    def method(self: Face, *args: Any, **options: Any) -> Any:
        return _known(lambda: getattr(self._sync, name)(*args, **options), self._sync)

    return method


def _coroutine(member: Any, name: str) -> Any:
    @functools.wraps(member)
    async def method(self: Face, *args: Any, **options: Any) -> Any:
        return await self._run(name, args, options)

    return method


def _opening(member: Any, name: str, kind: type[Opening[Any]] = Opening) -> Any:
    @functools.wraps(member)
    def method(self: Face, *args: Any, **options: Any) -> Any:
        return kind(lambda: self._run(name, args, options))

    return method


_MAKERS: dict[Kind, Callable[[Any, str], Any]] = {
    Kind.PROPERTY: _property,
    Kind.REQUESTED: _requested,
    Kind.PLAIN: _plain_method,
    Kind.CALL: _coroutine,
    Kind.OPENING: _opening,
    Kind.STREAM: functools.partial(_opening, kind=Streaming),
}
