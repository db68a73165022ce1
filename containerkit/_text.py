"""Text that is safe on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return the text with every control character escaped, except newlines and tabs.

    Container output can hold escape sequences that would clear the reader's screen, move the cursor or set its title.

    Example:
        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode("ascii") for char in text
    )
