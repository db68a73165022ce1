"""Commands for layers: what an image is made of, what it wastes, what is shared, what would be freed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from .app import Settings, engine_option, open_engine
from .explore import explore
from .output import cell, form_options, page, show, table, working
from .rules import RuleCommand, enforce, write_junit
from .sources import image_stack, source_options

if TYPE_CHECKING:
    from containerkit import LayerStack, RuleResult, Waste

__all__ = ["COMMANDS"]


@click.command(cls=RuleCommand, short_help="List the layers of an image.")
@click.option("--files", is_flag=True, help="The files instead: of the whole image, or of one layer.")
@click.option("--max-size", type=click.IntRange(min=0), metavar="BYTES", help="Exit with 1 if the files have more.")
@click.option(
    "--max-layers", type=click.IntRange(min=0), metavar="NUMBER", help="Exit with 1 if there are more layers."
)
@click.option("--layer", type=int, metavar="NUMBER", help="With --files: what this layer holds, whiteouts too.")
@click.option("--junit", type=click.File("wb", lazy=True), metavar="FILE",
              help="Write the verdict of each rule for CI.")  # fmt: skip
@source_options
@engine_option
@form_options
@click.argument("ref")
def layers(
    ref: str,
    files: bool,
    layer: int | None,
    max_size: int | None,
    max_layers: int | None,
    junit: BinaryIO | None,
    form: str,
) -> None:
    """List the layers of image REF, base first; or of an archive or OCI layout, if REF is a path, or `-` for stdin.

    A path begins with /, ./, ../ or ~, or is a file whose name ends as a tar's does (image.tar, image.tar.gz).
    docker://NAME is the image of a registry, which is not pulled. Limits may stand in .containerkit.toml: see waste.
    """
    if layer is not None and not files:
        raise click.UsageError("--layer goes with --files")
    with image_stack(ref) as stack, working(f"reading {ref}"):
        _check_layer(stack, ref, "--layer", layer)
        if files:
            found = stack.files() if layer is None else stack[layer].files()
            show(found, form, tables=() if form == "json" else [_files_table(ref, layer, found)])
        else:
            show(stack, form, tables=() if form == "json" else [_layers_table(stack)])
        size = stack.sizes.content if max_size is not None else None
        verdicts = []
        if max_size is not None and size is not None:
            text = f"the files have {size} bytes, {max_size} are allowed"
            verdicts.append(_verdict("max-size", size <= max_size, text))
        if max_layers is not None:
            text = f"there are {len(stack)} layers, {max_layers} are allowed"
            verdicts.append(_verdict("max-layers", len(stack) <= max_layers, text))
        if junit is not None:
            write_junit(junit, ref, verdicts)
        enforce("layers", ref, verdicts)


def _layers_table(stack: LayerStack) -> Any:
    meanings = ("content", "tar", "compressed", "disk")
    weights = [layer.sizes for layer in stack]
    known = [name for name in meanings if any(getattr(each, name) is not None for each in weights)] or ["content"]
    rows: list[list[object]] = [
        [layer.index, layer.diff_id.partition(":")[2][:12], layer.created_by or "(the image does not say)",
         *(cell("bytes", getattr(weight, name)) for name in known), len(layer.shared_with) or None]
        for layer, weight in zip(stack, weights, strict=True)
    ]  # fmt: skip
    rows.append(["", "", "all", *(cell("bytes", getattr(stack.sizes, name)) for name in known), ""])
    shared = any(layer.shared_with for layer in stack)
    columns = ["#", "diff_id", "instruction", *known, "shared with"]
    if not shared:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    notes = [f"Read from: {stack.reader}."]
    if any(layer.mapping == "inferred" for layer in stack):
        notes.append("Which instruction made which layer is inferred: the image does not state it.")
    return table(f"Layers of {stack.ref}", columns, rows, notes)


def _files_table(ref: str, layer: int | None, found: Any) -> Any:
    rows = [
        (f"{each.mode:04o}", f"{each.uid}:{each.gid}", each.type, cell("bytes", each.size),
         each.path + (f" -> {each.link_target}" if each.link_target else ""))
        for each in found
    ]  # fmt: skip
    title = f"Files of {ref}" + (f", layer {layer}" if layer is not None else "")
    return table(title, ("mode", "owner", "type", "size", "path"), rows)


@click.command("read-file", short_help="Print a file of an image.")
@click.option("--at", type=int, metavar="NUMBER", help="The file as it was after this layer.")
@click.option("--blame", is_flag=True, help="The layer that wrote it, and its instruction, instead of the content.")
@source_options
@engine_option
@form_options
@click.argument("ref")
@click.argument("path")
def read_file(ref: str, path: str, at: int | None, blame: bool, form: str) -> None:
    """Print the file PATH of image REF as a container would see it. REF may be an archive."""
    with image_stack(ref) as stack:
        _check_layer(stack, ref, "--at", at)
        if not blame:
            click.echo(stack.read_file(path, at=at), nl=False)
            return
        layer = stack.blame(path, at=at)
        rows = [(layer.index, layer.created_by, layer.diff_id)]
        show(layer, form, tables=[table(path, ("layer", "instruction", "diff_id"), rows)])


@click.command(short_help="Write a file or folder of an image here.")
@click.option("--at", type=int, metavar="NUMBER", help="The tree as it was after this layer.")
@click.option("--layer", type=int, metavar="NUMBER", help="Only what this layer itself holds.")
@source_options
@engine_option
@click.argument("ref")
@click.argument("path")
@click.argument("dst", default=".")
def extract(ref: str, path: str, dst: str, at: int | None, layer: int | None) -> None:
    """Write PATH of image REF to DST (default: this folder), placed as `cp` places it. REF may be an archive."""
    if at is not None and layer is not None:
        raise click.UsageError("--at and --layer: one of them")
    with image_stack(ref) as stack, working(f"reading {ref}"):
        _check_layer(stack, ref, "--at", at)
        _check_layer(stack, ref, "--layer", layer)
        found = stack.extract(path, dst, at=at) if layer is None else stack[layer].extract(path, dst)
    click.echo(found)


def _check_layer(stack: LayerStack, ref: str, option: str, number: int | None) -> None:
    if number is not None and not -len(stack) <= number < len(stack):
        raise click.BadParameter(f"{ref} has layers 0 to {len(stack) - 1}", param_hint=option)


@click.command(short_help="List the packages that each layer installs.")
@click.option("--layer", type=int, metavar="NUMBER", help="The packages that this layer adds and removes.")
@click.option("--all", "everything", is_flag=True, help="The packages of the whole image.")
@click.option("--cyclonedx", is_flag=True, help="A software bill of materials instead, as JSON of CycloneDX 1.6.")
@source_options
@engine_option
@form_options
@click.argument("ref")
def packages(ref: str, layer: int | None, everything: bool, cyclonedx: bool, form: str) -> None:
    """Count the packages of dpkg, apk, rpm and Python that each layer of REF adds and removes, and their bytes."""
    if everything + cyclonedx + (layer is not None) > 1:
        raise click.UsageError("--all, --layer and --cyclonedx: one of them")
    with image_stack(ref) as stack, working(f"reading {ref}"):
        _check_layer(stack, ref, "--layer", layer)
        if cyclonedx:
            click.echo(stack.cyclonedx(), nl=False)
            return
        found = stack.packages()
    if not everything and layer is None:
        show(found, form)
        return
    changes = [("", one) for one in found.installed]
    if layer is not None:
        own = found.layers[layer]
        changes = [*(("added", one) for one in own.added), *(("removed", one) for one in own.removed)]
    rows = [(change, one.kind, one.name, one.version, one.arch, cell("bytes", one.bytes)) for change, one in changes]
    title = f"Packages of {ref}" + (f", layer {layer}" if layer is not None else "")
    listed = found.installed if layer is None else found.layers[layer]
    show(listed, form, tables=[table(title, ("change", "kind", "name", "version", "architecture", "bytes"), rows)])


@click.command(short_help="List the tags of a repository.")
@source_options
@click.argument("ref")
@form_options
def tags(ref: str, form: str) -> None:
    """List the tags that a registry has of the repository in REF (registry.example/team/app)."""
    import containerkit as ck

    settings = click.get_current_context().ensure_object(Settings)
    found = ck.list_tags(ref, tls_verify=settings.tls_verify, timeout=settings.timeout)
    if form == "text":
        click.echo("\n".join(found))
    else:
        show(found, form, tables=[table(f"Tags of {ref}", ("tag",), [(one,) for one in found])])


@click.command("pull-cost", short_help="Show what a pull would move.")
@source_options
@engine_option
@form_options
@click.argument("ref")
def pull_cost(ref: str, form: str) -> None:
    """Show the layers of image REF in its registry, and the bytes that a pull would move. Pulls nothing."""
    settings = click.get_current_context().ensure_object(Settings)
    name = ref.removeprefix("docker://")
    with open_engine() as engine:
        show(engine.images.pull_cost(name, platform=settings.platform, tls_verify=settings.tls_verify), form)


@click.command(short_help="Print the instructions of an image.")
@source_options
@engine_option
@click.argument("ref")
def dockerfile(ref: str) -> None:
    """Print the history of image REF as a Dockerfile; what the image does not state is a comment."""
    with image_stack(ref) as stack:
        click.echo(stack.dockerfile(), nl=False)


@click.command("compare-images", short_help="List the files that differ between two images.")
@click.option("--times/--no-times", default=True, help="Whether another modification time is a difference.")
@click.option("--config", is_flag=True, help="The settings that differ, instead of the files.")
@click.option("--layers", "by_layer", is_flag=True, help="The layers instead: shared, added, removed, stored twice.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if a file, or with --config a setting, differs.")
@click.option("--html", type=click.File("w", encoding="utf-8", lazy=True), metavar="FILE",
              help="Write layers, settings and files as a page.")  # fmt: skip
@source_options
@engine_option
@form_options
@click.argument("old")
@click.argument("new")
@click.pass_context
def compare_images(
    ctx: click.Context,
    old: str,
    new: str,
    times: bool,
    config: bool,
    by_layer: bool,
    exit_code: bool,
    html: TextIO | None,
    form: str,
) -> None:
    """List the files that image NEW adds, modifies and removes compared with OLD. Either may be an archive."""
    if config and by_layer:
        raise click.UsageError("--config and --layers: one of them")
    with image_stack(old) as before, image_stack(new) as after:
        if html is not None:
            tables = [_layer_changes(before, after), _files_changed(before, after, times)]
            if before.config is not None and after.config is not None:
                tables.insert(1, _settings_changed(before, after))
            html.write(page(f"From {old} to {new}", tables))
        if config:
            settings = before.compare_config(after)
            show(settings, form, tables=[_settings_changed(before, after)])
            ctx.exit(1 if exit_code and settings else 0)
        if by_layer:
            show(before.compare_layers(after), form, tables=[_layer_changes(before, after)])
            return
        with working(f"comparing {old} and {new}"):
            found = before.compare(after, times=times)
        show(found, form, tables=[_files_changed(before, after, times)])
    ctx.exit(1 if exit_code and len(found) else 0)


def _files_changed(before: LayerStack, after: LayerStack, times: bool) -> Any:
    found = before.compare(after, times=times)
    rows = [
        (change.kind, cell("bytes", None if change.before is None else change.before.size),
         cell("bytes", None if change.after is None else change.after.size), change.path)
        for change in found
    ]  # fmt: skip
    note = f"{len(found.added)} added, {len(found.modified)} modified, {len(found.removed)} removed."
    columns = ("change", "size before", "size after", "path")
    return table(f"From {before.ref} to {after.ref}", columns, rows, [note])


def _settings_changed(before: LayerStack, after: LayerStack) -> Any:
    cells = [(one.setting, _said(one.before), _said(one.after)) for one in before.compare_config(after)]
    return table(f"Settings of {before.ref} and {after.ref}", ("setting", "before", "after"), cells)


def _layer_changes(before: LayerStack, after: LayerStack) -> Any:
    rows = [
        (one.kind, one.before, one.after, cell("bytes", one.content), one.created_by)
        for one in before.compare_layers(after)
    ]
    total = [(name, cell("bytes", stack.sizes.content)) for name, stack in (("before", before), ("after", after))]
    notes = [f"Content {name}: {size.text}." for name, size in total]
    columns = ("layer", "# before", "# after", "content", "instruction")
    return table(f"Layers of {before.ref} and {after.ref}", columns, rows, notes)


def _said(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@click.command(cls=RuleCommand, short_help="List bytes that an image holds and hides.")
@click.option("--max-bytes", type=click.IntRange(min=0), metavar="BYTES", help="Exit with 1 if more is wasted.")
@click.option("--max-percent", type=click.FloatRange(0, 100), metavar="PERCENT",
              help="Exit with 1 if a larger part of all bytes is wasted.")  # fmt: skip
@click.option("--min-efficiency", type=click.FloatRange(0, 1), metavar="FRACTION",
              help="Exit with 1 if visible / all is less (0.95).")  # fmt: skip
@click.option("--dive-ci", type=click.File("r", encoding="utf-8"), metavar="FILE",
              help="Exit with 1 if a rule of this .dive-ci file is broken, by dive's own figures.")  # fmt: skip
@click.option("--junit", type=click.File("wb", lazy=True), metavar="FILE",
              help="Write the verdict of each rule for CI.")  # fmt: skip
@click.option("--ignore", multiple=True, metavar="PATTERN",
              help="Do not count these paths and what is below: /var/cache, '*.pyc'.")  # fmt: skip
@click.option("--most", "-n", type=click.IntRange(min=0), default=30, show_default=True, metavar="NUMBER",
              help="How many files to list, largest first; 0: all.")  # fmt: skip
@source_options
@engine_option
@form_options
@click.argument("ref")
def waste(
    ref: str,
    most: int,
    ignore: tuple[str, ...],
    max_bytes: int | None,
    max_percent: float | None,
    min_efficiency: float | None,
    dive_ci: TextIO | None,
    junit: BinaryIO | None,
    form: str,
) -> None:
    """List the bytes that REF carries and no container sees, each with its cause, and dive's two numbers.

    With a limit, exit with 1 if the image breaks it: a rule for CI. Limits and --ignore may stand in a section [waste]
    of .containerkit.toml, or in [tool.containerkit.waste] of pyproject.toml, in the current folder.
    """
    with image_stack(ref) as stack:
        with working(f"reading {ref}"):
            found = stack.waste().ignoring(ignore)
            verdicts = [*_verdicts(found, max_bytes, max_percent, min_efficiency)]
            verdicts += stack.judge(dive_ci.read()) if dive_ci is not None else ()
        facts = [
            ("in all layers", cell("bytes", found.total_bytes)),
            ("visible in a container", cell("bytes", found.visible_bytes)),
            ("wasted", cell("bytes", found.wasted_bytes)),
            *((f"  {cause}", cell("bytes", size)) for cause, size in found.by_cause.items()),
            ("efficiency (visible / all)", cell("percent", found.efficiency)),
            ("dive would say: efficiency", cell("percent", found.dive_efficiency)),
            ("dive would say: wasted", cell("bytes", found.dive_wasted_bytes)),
        ]
        tables = [table(f"Waste in {ref}", ("what", "how much"), facts)]
        items = found.items[: most or None]
        if items:
            rows = [(cell("bytes", each.bytes), each.cause, each.stored_in, each.layer, each.path, each.instruction)
                    for each in items]  # fmt: skip
            columns = ("size", "cause", "in layer", "hidden by", "path", "instruction that hid it")
            rest = (
                [f"{len(found.items) - len(items)} more; --most 0 lists all."] if len(items) < len(found.items) else []
            )
            tables.append(table("Files", columns, rows, rest))
        show(found, form, tables=tables)
    if junit is not None:
        write_junit(junit, ref, verdicts)
    enforce("waste", ref, verdicts)


def _verdicts(
    found: Waste, max_bytes: int | None, max_percent: float | None, min_efficiency: float | None
) -> Iterator[RuleResult]:
    """Yield the verdict of each limit that was given."""
    percent = 100 * found.wasted_bytes / found.total_bytes if found.total_bytes else 0.0
    if max_bytes is not None:
        text = f"{found.wasted_bytes} bytes are wasted, {max_bytes} are allowed"
        yield _verdict("max-bytes", found.wasted_bytes <= max_bytes, text)
    if max_percent is not None:
        text = f"{percent:.2f} % of the bytes are wasted, {max_percent:g} % are allowed"
        yield _verdict("max-percent", percent <= max_percent, text)
    if min_efficiency is not None:
        text = f"the efficiency is {found.efficiency:.4f}, at least {min_efficiency:g} is wanted"
        yield _verdict("min-efficiency", found.efficiency >= min_efficiency, text)


def _verdict(rule: str, kept: bool, message: str) -> RuleResult:
    import containerkit as ck

    return ck.RuleResult(rule, "pass" if kept else "fail", message)


@click.command(short_help="Show the space that shared layers save.")
@click.option("--containers/--no-containers", default=True, help="Count the containers' own layers, too.")
@engine_option
@form_options
@click.argument("refs", nargs=-1)
def savings(refs: tuple[str, ...], containers: bool, form: str) -> None:
    """Show what images (all, or REFS) cost with shared layers, and what they would cost as full copies."""
    with open_engine() as engine:
        with working("weighing layers"):
            found = engine.savings(refs or None, containers=containers)
        show(found, form, title="Savings by shared layers")


@click.command(short_help="Show which images share which layers.")
@engine_option
@form_options
@click.argument("refs", nargs=-1)
def sharing(refs: tuple[str, ...], form: str) -> None:
    """List the layers that images (all, or REFS) have in common."""
    with open_engine() as engine:
        show(engine.sharing(refs or None), form)


@click.command(short_help="Show the space that removing images frees.")
@engine_option
@form_options
@click.argument("refs", nargs=-1)
def reclaimable(refs: tuple[str, ...], form: str) -> None:
    """Show what removing REFS (or every image without a container) would free. Removes nothing."""
    with open_engine() as engine:
        with working("weighing layers"):
            found = engine.reclaimable(refs or None)
        show(found, form)


@click.command(short_help="List equal files in layers that are not shared.")
@click.option("--verify", is_flag=True, help="Compare by SHA-256 of what is on disk.")
@engine_option
@form_options
@click.argument("refs", nargs=-1)
def duplicates(refs: tuple[str, ...], verify: bool, form: str) -> None:
    """List equal file contents in layers of images (all, or REFS) that are not shared."""
    with open_engine() as engine, working("comparing files"):
        found = engine.duplicates(refs or None, verify=verify)
    show(found, form, title="Same content, stored more than once")


@click.command(short_help="Show disk usage, reported and measured.")
@click.option("--reported/--no-reported", default=True, help="Ask the engine too, which may take it seconds.")
@engine_option
@form_options
def df(form: str, reported: bool) -> None:
    """Show the engine's own disk usage beside the measured one."""
    with open_engine() as engine, working("weighing the store"):
        found = engine.disk_usage(reported=reported)
    show(found, form, title="Disk usage")


COMMANDS = (
    *(layers, explore, tags, pull_cost, read_file, extract, packages, dockerfile, compare_images, waste),
    *(savings, sharing, reclaimable, duplicates, df),
)
