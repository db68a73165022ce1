"""A backend with the abstract methods only: every other verb raises Unsupported, so that new verbs break nobody."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import Backend

#: Methods that answer by another method, and logout(), which has nothing to forget.
DERIVED = {"first_info": "info", "check_health": "inspect_container", "logout": ""}
OPTIONAL = [
    name
    for name, method in vars(Backend).items()
    if inspect.isfunction(method) and not name.startswith("_") and name not in Backend.__abstractmethods__ | {*DERIVED}
]


#: A backend without one method of its own; its class is made abstract no more.
Bare: Any = type("Bare", (Backend,), {"kind": "bare", "url": "memory://"})
Bare.__abstractmethods__ = frozenset()


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_verb_raises_unsupported(name: str) -> None:
    """The message says what was to be done, and which backend cannot."""
    method = getattr(Bare(), name)
    value: Any = SimpleNamespace(registry="a.example", name="n")
    given = {
        key: value if key in ("auth", "spec") else "x"
        for key, parameter in inspect.signature(method).parameters.items()
        if parameter.default is parameter.empty
    }
    with pytest.raises(ck.Unsupported, match=r".+: the bare backend does not implement it"):
        method(**given)


def test_derived_verbs_ask_another() -> None:
    """first_info() is info(), and the health is that of an inspect."""
    backend: Any = Bare()
    backend.info = lambda: "facts"
    backend.inspect_container = lambda ref: SimpleNamespace(health=f"health of {ref}")
    assert backend.first_info() == "facts"
    assert backend.check_health("x") == "health of x"
