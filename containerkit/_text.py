"""Text: its lines, and a form that is safe on a terminal."""

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


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text without their ends, which are "\n" or "\r\n".

    str.splitlines() also ends a line at form feeds, U+2028 and others. The kernel and the files of Linux do not: there
    these characters are part of a name or a value.

    Example:
        >>> split_lines("A=1\x0c2\r\nB=\u2028\n")
        ['A=1\x0c2', 'B=\u2028']
    """
    found = text.split("\n")
    if not found[-1]:
        found.pop()
    return [line.removesuffix("\r") for line in found]
