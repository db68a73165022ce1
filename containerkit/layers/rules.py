"""Judge an image by the rules of a `.dive-ci` file, by the figures that dive computes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._text import split_lines
from ..errors import InvalidOption
from ..values import Value

if TYPE_CHECKING:
    from .waste import Waste

__all__ = ["RuleResult", "judge_waste"]

#: Name of a rule -> what holds without a line in the file, as in dive 0.13.
_DEFAULTS = {"lowestEfficiency": "0.9", "highestWastedBytes": "disabled", "highestUserWastedPercent": "0.1"}
_LINE = re.compile(r"""^\s+([A-Za-z]+)\s*:\s*(?:"([^"]*)"|'([^']*)'|([^\s#"']+))\s*(?:\#.*)?$""")
_BYTES = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RuleResult(Value):
    """Verdict of one rule on an image.

    Attributes:
        rule: its name in `.dive-ci`.
        status: "skip" if the rule is disabled.
        message: what was found, and the limit.
    """

    rule: str
    status: Literal["pass", "fail", "skip"]
    message: str


def judge_waste(text: str, waste: Waste, user_bytes: int) -> tuple[RuleResult, ...]:
    """Judge an image. See LayerStack.judge.

    Args:
        text: content of the file.
        user_bytes: file content of all layers but the base.
    """
    limits = _parse(text)
    share = waste.dive_wasted_bytes / user_bytes if user_bytes else None  # dive lets an image of one layer pass
    return (
        _result("lowestEfficiency", limits, waste.dive_efficiency, lowest=True),
        _result("highestWastedBytes", limits, waste.dive_wasted_bytes),
        _result("highestUserWastedPercent", limits, share),
    )


def _result(rule: str, limits: dict[str, float | None], found: float | None, *, lowest: bool = False) -> RuleResult:
    limit = limits[rule]
    if limit is None:
        return RuleResult(rule, "skip", "the rule is disabled")
    if found is None:
        return RuleResult(rule, "pass", "there is no layer on top of the base")
    broken = found < limit if lowest else found > limit
    reported = f"found {found:.6g}, {'at least' if lowest else 'at most'} {limit:.6g} is allowed"
    return RuleResult(rule, "fail" if broken else "pass", reported)


def _parse(text: str) -> dict[str, float | None]:
    stated = dict(_DEFAULTS)
    for line in split_lines(text):
        if not line.strip() or line.lstrip().startswith("#") or re.match(r"^(---|rules:\s*(#.*)?)$", line):
            continue
        found = _LINE.match(line)
        if found is None or found[1] not in _DEFAULTS:
            raise InvalidOption("rules", line.strip(), f"one of {', '.join(_DEFAULTS)}, indented below `rules:`")
        stated[found[1]] = next(group for group in found.groups()[1:] if group is not None)
    return {rule: None if value == "disabled" else _number(rule, value) for rule, value in stated.items()}


def _number(rule: str, value: str) -> float:
    if rule == "highestWastedBytes":
        if size := _BYTES.match(value):
            unit = 1024 if size[3] else 1000
            power = " kmgt".index(size[2].lower()) if size[2] else 0
            return float(size[1]) * float(unit**power)
        raise InvalidOption(rule, value, "bytes, such as 20MB or 20MiB, or disabled")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise InvalidOption(rule, value, "a number from 0 to 1, or disabled")
    return number
