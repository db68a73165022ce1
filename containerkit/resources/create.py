"""Create a container from a parsed spec: capabilities, limits, labels, image, ownership."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..backends.base import Capability, Created
from ..errors import EngineError, ImageNotFound, StartFailed
from ..options import parse_flag, required_capabilities
from ..options.table import START
from ..spec import ContainerSpec, ResourceLimits
from .addresses import check_addresses
from .core import unenforced_message
from .image import is_for
from .images import Images
from .programs import NOT_FOUND

if TYPE_CHECKING:
    from .core import Core


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings for creating a container that are not part of its spec.

    Attributes:
        pull: "missing", "always" or "never".
        best_effort: drop limits that the engine does not enforce, with a warning, instead of raising.
        keep: the container outlives the session.
    """

    pull: str = "missing"
    best_effort: bool = False
    keep: bool = False


def take_policy(options: dict[str, Any], *, pull: str) -> Policy:
    """Remove pull, limits and keep from the options and return them as a Policy. Raises InvalidOption."""
    limits = START["limits"].parse("limits", options.pop("limits", None) or "enforce")
    return Policy(
        START["pull"].parse("pull", options.pop("pull", None) or pull),
        limits == "best-effort",
        parse_flag("keep", options.pop("keep", False)),
    )


def create(core: Core, spec: ContainerSpec, policy: Policy) -> Created:
    """Create a container; every container of the package comes from here.

    Returns:
        The container's ID, and the warnings of containerkit and of the engine.
    """
    spec, warnings = _without_unenforced(core, spec, policy)
    _check_capabilities(core, spec)
    core.session.check_open()
    images = Images(core)
    if policy.pull == "always":
        images.pull(spec.image, platform=spec.platform)
    for attachment in spec.networks:
        check_addresses(core.backend, attachment)
    with core.session.creating(keep=policy.keep) as labels:
        spec = replace(spec, labels={**spec.labels, **labels})
        with _command_required(core, spec):
            created = _create_with_image(core, images, spec, policy)
        if not policy.keep:
            remove = core.backend.remove_container
            core.session.own(created.id, lambda: remove(created.id, force=True, volumes=True))
    return replace(created, warnings=(*warnings, *created.warnings))


def _create_with_image(core: Core, images: Images, spec: ContainerSpec, policy: Policy) -> Created:
    """Create the container; pull a missing image first, if the policy says so."""
    try:
        _check_platform(core, spec)
        return core.backend.create_container(spec)
    except ImageNotFound:
        if policy.pull != "missing" or Capability.REGISTRY not in core.capabilities:
            raise
    # outside the handler: an error of the pull is the error, not one that came while another was handled
    images.pull(spec.image, platform=spec.platform)
    return core.backend.create_container(spec)


@contextlib.contextmanager
def _command_required(core: Core, spec: ContainerSpec) -> Iterator[None]:
    """Raise StartFailed if there is no command to run: Docker refuses to create the container, Podman to start it."""
    try:
        yield
    except EngineError as exc:
        refused = type(exc) is EngineError and exc.status in (400, 500)  # not a pull that failed
        if refused and not spec.command and not spec.entrypoint:
            config = core.backend.inspect_image(spec.image).config if spec.entrypoint is None else {}
            if not config.get("Cmd") and not config.get("Entrypoint"):
                text = f"creating container from {spec.image}: neither the image nor the call names a command"
                error = StartFailed(text, status=exc.status, explanation=exc.explanation)
                error.exit_code = NOT_FOUND
                raise error from exc
        raise


def _check_platform(core: Core, spec: ContainerSpec) -> None:
    """Raise ImageNotFound if the local image is for another platform, which some engines would use all the same.

    Docker's containerd store can hold several platforms of one name, and chooses by itself.
    """
    if spec.platform and core.backend.first_info().image_store == "graphdriver":
        record = core.backend.inspect_image(spec.image)
        if not is_for(record, spec.platform):
            has = f"{record.os}/{record.arch}"
            raise ImageNotFound(f"no image {spec.image} for {spec.platform} here, only for {has}", status=404)


def _without_unenforced(core: Core, spec: ContainerSpec, policy: Policy) -> tuple[ContainerSpec, tuple[str, ...]]:
    """Return the spec without limits that the engine does not enforce, and a warning; raise unless best-effort."""
    names = core.unenforced_limits(spec.limits)
    if not names:
        return spec, ()
    if not policy.best_effort:
        core.refuse_unenforced(spec.limits)
    enforced = (name for name in spec.limits.requested() if name not in names)
    limits = ResourceLimits(**{name: getattr(spec.limits, name) for name in enforced})
    return replace(spec, limits=limits), (unenforced_message(names),)


def _check_capabilities(core: Core, spec: ContainerSpec) -> None:
    for capability, option in required_capabilities(spec):
        core.require(Capability(capability), option)
