"""SharingGraph: images as branches of the layers below them, so that a shared layer is drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .escape import visible
from .plot import Plot
from .svg import COLOURS, SIZE, SMALL, cut, document, element, label, tooltip, width_of
from .units import human_bytes

_MARGIN, _BOX, _HIGH, _ACROSS, _DOWN = 12.0, 132.0, 40.0, 44.0, 14.0
_SHARED, _ALONE = COLOURS[0], COLOURS[-1]
_MOST = 60


@dataclass(frozen=True, slots=True)
class ChainLayer:
    """One layer of an image.

    Attributes:
        id: equal for the same layer in any image (a diff_id, a chain_id).
        bytes: its size, or None if unknown.
        label: a short text, such as its instruction.
    """

    id: str
    bytes: int | None
    label: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class SharingGraph(Plot):
    """A graph of images and the layers that they share. A layer counts as shared if all below it is equal.

    Attributes:
        title: one line.
        images: name -> its layers, base first; ChainLayer, or (id, bytes).
        containers: image name -> names of containers made from it.
        notes: lines below.
    """

    title: str
    images: Mapping[str, Sequence[ChainLayer | tuple[str, int | None]]]
    containers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        images = {name: tuple(map(_layer, layers)) for name, layers in self.images.items()}
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "containers", {name: tuple(found) for name, found in self.containers.items()})
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def chains(self) -> Mapping[str, tuple[ChainLayer, ...]]:
        """The layers of each image, base first."""
        return {name: tuple(map(_layer, layers)) for name, layers in self.images.items()}

    def __repr__(self) -> str:
        return f"<SharingGraph {self.title!r}: {len(self.images)} images>"

    def to_dict(self) -> dict[str, Any]:
        """Return title, images with their layers, containers and notes as JSON-ready types."""
        return {
            "title": self.title,
            "images": {
                name: [{"id": layer.id, "bytes": layer.bytes, "label": layer.label} for layer in layers]
                for name, layers in self.chains.items()
            },
            "containers": {name: list(found) for name, found in self.containers.items()},
            "notes": list(self.notes),
        }

    # ---------------------------------------------------------------- a terminal
    def to_text(self, width: int | None = None) -> str:
        """Return a tree as `tree` draws folders: runs of layers, and the images that end there."""
        lines = [visible(self.title)] if self.title else []
        pending = [(child, "", "") for child in reversed(self._forest())]
        while pending:
            run, lead, below = pending.pop()
            what = [f"{run.says()}, {human_bytes(run.bytes)}"]
            if run.users > 1:
                what.append(f"shared by {run.users}")
            if run.images:
                what.append("= " + ", ".join(visible(name) for name in run.images))
            lines.append(lead + "  ".join(what))
            for index, child in enumerate(reversed(run.children)):
                last = index == 0
                pending.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
        empty = [name for name, layers in self.chains.items() if not layers]
        lines += [f"no layers  = {visible(name)}" for name in empty]
        lines += [visible(note) for note in self.notes]
        return "\n".join(line if width is None else line[:width] for line in lines) + "\n"

    # ---------------------------------------------------------------- a page
    def to_svg(self) -> str:
        """Return a complete SVG document."""
        forest, shown = self._forest(), self._shown
        depth = max((run.depth() for run in forest), default=0)
        names = max((width_of(visible(name), bold=True) for name in shown), default=80.0)
        named = min(max(names, *(width_of(self._made(name), SMALL) for name in shown), 80.0) if shown else 80.0, 300.0)
        ends = _MARGIN + depth * (_BOX + _ACROSS)
        wide = max(ends + named + 24 + _MARGIN, 420.0)
        out: list[str] = []
        y = _MARGIN
        if self.title:
            title = cut(self.title, wide - 2 * _MARGIN, SIZE + 2, bold=True)
            out.append(label(title, _MARGIN, y + SIZE + 2, size=SIZE + 2, font_weight=600))
            y += 28
        out.append(_key(_MARGIN, y))
        y += 26
        edges: list[str] = []
        boxes: list[str] = []
        for run in forest:
            y = self._branch(run, 0, y, ends, named + 16, edges, boxes)[1]
        for name in shown:
            if not self.chains[name]:
                boxes += self._image(name, ends, y, named + 16)
                y += _HIGH + _DOWN
        left_out = len(self.images) - len(shown)
        if left_out > 0:
            boxes.append(label(f"… {left_out} more images", ends, y + SIZE, fill_opacity=0.72))
            y += 24
        return document(self.title, self._words(), wide, y + _MARGIN - _DOWN, [*out, *edges, *boxes])

    def _branch(
        self, run: _Run, level: int, y: float, ends: float, named: float, edges: list[str], boxes: list[str]
    ) -> tuple[float, float]:
        """Draw a run of layers and its branches below y; return (its middle, the position of the next run)."""
        x = _MARGIN + level * (_BOX + _ACROSS)
        middles: list[tuple[float, float]] = []
        for name in run.images:
            if name in self._shown:
                boxes += self._image(name, ends, y, named)
                middles.append((ends, y + _HIGH / 2))
                y += _HIGH + _DOWN
        for child in run.children:
            middle, below = self._branch(child, level + 1, y, ends, named, edges, boxes)
            if below > y:
                middles.append((x + _BOX + _ACROSS, middle))
            y = below
        if not middles:
            return y, y
        own = (middles[0][1] + middles[-1][1]) / 2
        edges += [_edge(x + _BOX, own, there, middle, run.users) for there, middle in middles]
        boxes += _layers(run, x, own - _HIGH / 2)
        return own, y

    def _image(self, name: str, x: float, y: float, wide: float) -> Iterator[str]:
        total = [layer.bytes for layer in self.chains[name]]
        size = human_bytes(None if None in total else sum(layer or 0 for layer in total))
        yield element(
            "rect",
            tooltip(f"{name}: {size} in {len(total)} layers"),
            x=x,
            y=y,
            width=wide,
            height=_HIGH,
            rx=8,
            fill="none",
            stroke="currentColor",
            stroke_opacity=0.55,
            pointer_events="all",
        )
        yield label(cut(name, wide - 14, middle=True, bold=True), x + 8, y + 17, font_weight=600)
        yield label(cut(self._made(name), wide - 14, SMALL), x + 8, y + 32, size=SMALL, fill_opacity=0.85)

    @property
    def _shown(self) -> list[str]:
        return list(self.images)[:_MOST]

    def _made(self, name: str) -> str:
        total = [layer.bytes for layer in self.chains[name]]
        count = f"{len(total)} layer{'s' if len(total) != 1 else ''}"
        size = count if None in total else human_bytes(sum(layer or 0 for layer in total))
        made = self.containers.get(name, ())
        return size + (f" · {len(made)} container{'s' if len(made) > 1 else ''}" if made else "")

    def _words(self) -> str:
        shared = [run for run in _all(self._forest()) if run.users > 1]
        parts = (f"{run.says()} of {human_bytes(run.bytes)} shared by {run.users} images" for run in shared[:8])
        return f"Graph of {len(self.images)} images. " + ("; ".join(parts) or "No two share a layer")

    def _forest(self) -> list[_Run]:
        roots: dict[str, _Run] = {}
        for name, layers in self.chains.items():
            level, run = roots, None
            for layer in layers:
                run = level.setdefault(layer.id, _Run([layer]))
                run.users += 1
                level = run.by_id
            if run is not None:
                run.images.append(name)
        for root in roots.values():
            root.join()
        return list(roots.values())


def _layer(given: ChainLayer | tuple[str, int | None]) -> ChainLayer:
    return given if isinstance(given, ChainLayer) else ChainLayer(*given)


class _Run:
    """Layers that the same images have, one above the other."""

    __slots__ = ("by_id", "images", "layers", "users")

    def __init__(self, layers: list[ChainLayer]) -> None:
        self.layers = layers
        self.by_id: dict[str, _Run] = {}
        self.images: list[str] = []
        self.users = 0

    @property
    def children(self) -> list[_Run]:
        return list(self.by_id.values())

    @property
    def bytes(self) -> int | None:
        sizes = [layer.bytes for layer in self.layers]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def says(self) -> str:
        return "1 layer" if len(self.layers) == 1 else f"{len(self.layers)} layers"

    def depth(self) -> int:
        """Return the number of runs above one another; an image has at most 127 layers."""
        return 1 + max((child.depth() for child in self.by_id.values()), default=0)

    def join(self) -> None:
        """Join the only run above, as long as no image ends here and nothing branches."""
        while len(self.by_id) == 1 and not self.images:
            (above,) = self.by_id.values()
            self.layers += above.layers
            self.by_id, self.images = above.by_id, above.images
        for child in self.by_id.values():
            child.join()


def _all(forest: Sequence[_Run]) -> Iterator[_Run]:
    for run in forest:
        yield run
        yield from _all(run.children)


def _layers(run: _Run, x: float, y: float) -> Iterator[str]:
    labels = [layer.label or layer.id for layer in run.layers]
    tip = "\n".join(f"{name}  {human_bytes(layer.bytes)}" for name, layer in zip(labels, run.layers, strict=True))
    yield element(
        "rect",
        tooltip(tip),
        x=x,
        y=y,
        width=_BOX,
        height=_HIGH,
        rx=3,
        fill=_SHARED if run.users > 1 else _ALONE,
    )
    known = run.bytes is not None
    yield label(
        human_bytes(run.bytes) if known else run.says(),
        x + 8,
        y + 17,
        font_weight=600,
        fill="#fff",
        pointer_events="none",
    )
    parts = [run.says()] if known else []
    below = ", ".join([*parts, f"{run.users} images"] if run.users > 1 else parts or ["1 image"])
    yield label(cut(below, _BOX - 12, SMALL), x + 8, y + 32, size=SMALL, fill="#fff", pointer_events="none")


def _edge(x: float, y: float, there: float, middle: float, users: int) -> str:
    bend = x + _ACROSS / 2
    path = f"M{x:.1f} {y:.1f}C{bend:.1f} {y:.1f} {bend:.1f} {middle:.1f} {x + _ACROSS:.1f} {middle:.1f}H{there:.1f}"
    strong = 2.0 if users > 1 else 1.4
    return element("path", d=path, fill="none", stroke="currentColor", stroke_opacity=0.5, stroke_width=strong)


def _key(x: float, y: float) -> str:
    out = ""
    for text, colour in (("layers that images share", _SHARED), ("layers of one image", _ALONE)):
        out += element("rect", x=x, y=y, width=12, height=12, rx=2, fill=colour)
        out += label(text, x + 18, y + 10, size=SMALL)
        x += 18 + width_of(text, SMALL) + 14
    return out
