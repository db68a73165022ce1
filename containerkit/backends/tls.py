"""TLS settings of a connection to an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates for a TLS connection: paths of PEM files, and whether the server's certificate is verified.

    Attributes:
        ca: the authorities that may sign the server's certificate; None for those that requests trusts (certifi).
        cert, key: the client's certificate; both or neither.
        verify: False accepts any server.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True

    @property
    def client(self) -> tuple[str, str] | None:
        """Certificate and key, as requests takes them."""
        return (self.cert, self.key) if self.cert and self.key else None

    @property
    def trusted(self) -> str | bool:
        """The authorities, as requests takes them."""
        return (self.ca or True) if self.verify else False

    def to_dict(self) -> dict[str, Any]:
        return {"ca": self.ca, "cert": self.cert, "key": self.key, "verify": self.verify}
