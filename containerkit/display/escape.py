"""Escape untrusted text. Every escape of the project is here.

Names, labels, instructions and logs come from images that anyone may have built. Shown raw, they could move a
terminal's cursor, run script in a notebook, or reorder a line for the eye.
"""

from __future__ import annotations

import html
import re

# C0 and C1 controls, lone surrogates, line separators, invisible and bidirectional formatting, and what XML forbids.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"[ \t\r\n\v\f]*[\t\r\n\v\f][ \t\r\n\v\f]*")
# An underscore inside a word is plain; at its edge, or beside another, it can open or close an emphasis.
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
# Characters that open a block at the start of a line: a heading, a list, a quote, a rule.
_MARKDOWN_BLOCK = re.compile(r"^(\s*)([#+=-]|\d+(?=[.)]))")


def visible(text: str) -> str:
    """Return one line in which every character is visible: line breaks become spaces, other controls "\\x1b"."""
    return _UNSEEN.sub(_code, _SPACES.sub(" ", text))


def _code(match: re.Match[str]) -> str:
    point = ord(match[0])
    if 0xDC80 <= point <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
        point -= 0xDC00
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def html_text(text: str) -> str:
    """Escape text for HTML and SVG, between tags and inside quoted attributes."""
    return html.escape(visible(text), quote=True)


def markdown_text(text: str, *, line: bool = False) -> str:
    """Escape text for Markdown. ``line``: the text stands at the start of a line, not in a cell."""
    plain = _MARKDOWN.sub(r"\\\g<0>", visible(text))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_BLOCK.sub(_block, plain) if line else plain


def _block(match: re.Match[str]) -> str:
    return match[1] + "".join(f"&#{ord(letter)};" for letter in match[2])
