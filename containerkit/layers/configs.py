"""Compare the configurations of two images: what a container of each would run, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..oci.config import ImageConfig
from ..values import Value

__all__ = ["ConfigChange", "compare_configs"]


@dataclass(frozen=True, slots=True)
class ConfigChange(Value):
    """One setting that differs between two images.

    Attributes:
        setting: such as "User", "Env PATH", "Labels version", "ExposedPorts 80/tcp" or "architecture".
        before: its value in the first image; None if that has none.
        after: its value in the second image; None if that has none.
    """

    setting: str
    before: Any
    after: Any


def compare_configs(before: ImageConfig, after: ImageConfig) -> tuple[ConfigChange, ...]:
    """Return the settings that differ, sorted by name. See LayerStack.compare_config."""
    one, other = dict(_settings(before)), dict(_settings(after))
    names = sorted(one.keys() | other.keys())
    return tuple(ConfigChange(n, one.get(n), other.get(n)) for n in names if one.get(n) != other.get(n))


def _settings(config: ImageConfig) -> Iterator[tuple[str, Any]]:
    for name in ("os", "architecture", "variant"):
        if value := getattr(config, name):
            yield name, value
    for name, value in config.config.items():
        if name == "Env" and isinstance(value, list):
            value = dict(str(line).partition("=")[::2] for line in value)
        if isinstance(value, Mapping):
            yield from ((f"{name} {key}", inner) for key, inner in value.items())
        elif value not in (None, "", [], False):  # engines state what is not set, configs of archives leave it out
            yield name, value
