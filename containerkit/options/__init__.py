"""Options: from what users type to the values of :mod:`containerkit.spec`, every spelling and every mistake.

An invalid value raises InvalidOption (an invalid image name InvalidReference) before any request is sent.

Start reading in `table.py`: every option stands there once. `specs.py` turns the options of a call into a spec;
`primitives`, `groups`, `names`, `mounts`, `ports`, `networks`, `limits` and `security` hold the parsers; `apijson`
turns fields of a spec into the JSON of the Docker Engine API. `typed.py` and docs/options.md are generated.

Imports: errors, reference, spec, values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .groups import parse_filters, parse_items
from .names import (
    parse_auth,
    parse_container_path,
    parse_image,
    parse_local_path,
    parse_name,
    parse_object,
    parse_platform,
)
from .networks import parse_attachment
from .primitives import (
    parse_bytes,
    parse_choice,
    parse_flag,
    parse_integer,
    parse_signal,
    parse_text,
    parse_time,
    parse_timeout,
)
from .signature import with_options
from .specs import (
    build_spec,
    container_spec,
    exec_spec,
    network_spec,
    required_capabilities,
    update_spec,
    volume_spec,
)

if TYPE_CHECKING:
    from .typed import (
        BuildOptions,
        CreateOptions,
        ExecOptions,
        LimitOptions,
        NetworkOptions,
        RunOptions,
        StartOptions,
        UpdateOptions,
        VolumeOptions,
    )

__all__ = [
    "BuildOptions",
    "CreateOptions",
    "ExecOptions",
    "LimitOptions",
    "NetworkOptions",
    "RunOptions",
    "StartOptions",
    "UpdateOptions",
    "VolumeOptions",
    "build_spec",
    "container_spec",
    "exec_spec",
    "network_spec",
    "parse_attachment",
    "parse_auth",
    "parse_bytes",
    "parse_choice",
    "parse_container_path",
    "parse_filters",
    "parse_flag",
    "parse_image",
    "parse_integer",
    "parse_items",
    "parse_local_path",
    "parse_name",
    "parse_object",
    "parse_platform",
    "parse_signal",
    "parse_text",
    "parse_time",
    "parse_timeout",
    "required_capabilities",
    "update_spec",
    "volume_spec",
    "with_options",
]


if not TYPE_CHECKING:  # a type checker would take every name for existing

    def __getattr__(name: str) -> Any:
        if name in __all__:  # the TypedDicts: for type checkers, imported on first use
            from . import typed

            return getattr(typed, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
