"""Output of a command as HTML, line by line."""

from __future__ import annotations

from collections.abc import Mapping

from .._text import split_lines
from .escape import html_text
from .page import WRAPPER

_PRE = (
    "margin:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere;background:none;color:inherit;"
    "font:.92em/1.4 ui-monospace,Menlo,'DejaVu Sans Mono',monospace"
)


def output_html(parts: Mapping[str, str], note: str = "") -> str:
    """Return a fragment with each part of the output under its name, and a note below.

    Args:
        parts: name (stdout, stderr; "" for no heading) -> text. Empty texts are omitted.
        note: one line, such as the exit code.
    """
    out = []
    for name, text in parts.items():
        if text:
            head = f'<div style="font-weight:600">{html_text(name)}</div>' if name else ""
            lines = "\n".join(html_text(line) for line in split_lines(text))
            out.append(f'{head}<pre style="{_PRE}">{lines}</pre>')
    if note:
        out.append(f'<p style="margin:.2em 0;font-size:.86em;opacity:.85">{html_text(note)}</p>')
    return f"<div {WRAPPER}>{''.join(out)}</div>"
