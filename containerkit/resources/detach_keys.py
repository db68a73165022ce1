"""Keys that end the connection of a terminal to a process and leave the process running."""

from __future__ import annotations

from ..errors import InvalidOption

_CONTROL = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"


def parse_detach_keys(keys: object) -> bytes:
    """Return the bytes of detach keys such as "ctrl-p,ctrl-q"; b"" for "". Raises InvalidOption."""
    expected = 'keys like "ctrl-p,ctrl-q": single characters, or ctrl- with a letter or one of @ [ \\ ] ^ _'
    if not isinstance(keys, str):
        raise InvalidOption("detach_keys", keys, expected)
    found = bytearray()
    for key in keys.split(",") if keys else ():
        name = key.removeprefix("ctrl-")
        if len(name) != 1 or not name.isascii() or (name != key and name.upper() not in _CONTROL):
            raise InvalidOption("detach_keys", keys, expected)
        found.append(ord(name.upper()) & 0x1F if name != key else ord(name))
    return bytes(found)


class DetachKeys:
    """Find the detach keys in what is typed. The start of a match is held back until it is decided."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes to send, and whether the keys are complete."""
        if not self._keys:
            return data, False
        sent = b""
        for byte in data:
            self._held += bytes([byte])
            if self._held == self._keys:
                return sent, True
            while self._held and not self._keys.startswith(self._held):
                sent, self._held = sent + self._held[:1], self._held[1:]
        return sent, False
