"""Write the page on which an image's layers, files, sizes and waste are browsed; it loads nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["explorer_page"]

_TEMPLATE = Path(__file__).with_name("explorer.html")


def explorer_page(data: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        data: `ref`, `total`, `visible`; `layers`, each with `instruction`, `size` and `changes` (path, kind, size,
            type, mode, owner, link); `waste` (path, size, cause, layer).
    """
    text = json.dumps(data, separators=(",", ":"))
    # Inside a script element only "<" can end the data or begin a comment.
    return _TEMPLATE.read_text(encoding="utf-8").replace("@DATA@", text.replace("<", "\\u003c"))
