"""Show a report as HTML: a drawing of who is root and what is shared, then groups of results that unfold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..display.escape import html_text
from .checks import GROUPS
from .language import Translate
from .meanings import MEANINGS
from .values import CheckResult, Status

__all__ = ["report_html"]

#: Colours with white text on them; each has a contrast of 4.5 or more, and is seen on white and on near-black.
_TONES: Mapping[str, str] = {"pass": "#1a7f37", "warn": "#8a5a00", "fail": "#c4232f"}
_OTHER = "#5b6470"
_SIGNS: Mapping[str, str] = {
    "pass": "✓",
    "warn": "!",
    "fail": "✗",
    "unknown": "?",
    "na": "–",
}  # for those who see no colours
_STYLE = """\
.ck-report{font:15px/1.5 system-ui,sans-serif;max-width:62em;color:inherit}
.ck-report h3{margin:1.2em 0 .3em}.ck-report svg{max-width:100%;height:auto}
.ck-report details{border-bottom:1px solid rgba(128,128,128,.3);padding:.25em 0}
.ck-report summary{cursor:pointer;overflow-wrap:anywhere}
.ck-report .b{display:inline-block;min-width:4.6em;text-align:center;border-radius:.7em;color:#fff;font-weight:600;\
font-size:.82em}
.ck-report code,.ck-report pre{overflow-wrap:anywhere;white-space:pre-wrap;font-size:.9em}
.ck-report pre{border:1px solid rgba(128,128,128,.4);border-radius:.4em;padding:.5em .7em;margin:.3em 0}
.ck-report .m{opacity:.85;font-size:.9em}
.ck-report dl,.ck-report dt,.ck-report dd{display:block!important;float:none;width:auto;max-width:none}
.ck-report dl{margin:.3em 0 .6em 5.4em}.ck-report dt{font-weight:600}
.ck-report dd{margin:0 0 .4em;overflow-wrap:anywhere}
@media(max-width:600px){.ck-report dl{margin-left:.6em}}"""


def report_html(title: str, preface: Iterable[str], results: Sequence[CheckResult], tr: Translate) -> str:
    """Return a fragment for a notebook or a page, in the reader's light or dark colours; it loads nothing.

    The title, the preface and the results are in the language already.
    """
    out = ['<div class="containerkit ck-report tex2jax_ignore mathjax_ignore">', f"<style>{_STYLE}</style>"]
    out.append(f"<p><b>{html_text(title)}</b><br>")
    out.append("<br>".join(f'<span class="m">{html_text(line)}</span>' for line in preface) + "</p>")
    out.append(_drawing(results, tr))
    for group, heading in GROUPS.items():
        rows = [r for r in results if r.group == group]
        if rows:
            out.append(f"<h3>{group}. {html_text(tr(heading))}</h3>")
            out += [_result(r, tr) for r in rows]
    out.append("</div>")
    return "\n".join(out)


def _result(result: CheckResult, tr: Translate) -> str:
    tone = _TONES.get(str(result.status), _OTHER)
    unfolded = ' open="open"' if result.status is Status.FAIL else ""
    text = result.summary + "".join(f" [{tr('conflict')}: {conflict}]" for conflict in result.conflicts)
    out = []
    out.append(
        f'<details{unfolded}><summary><span class="b" style="background:{tone}">{html_text(tr(result.status))}</span> '
        f"<b>{html_text(result.id)}</b> {html_text(text)}</summary><dl>"
    )
    out.append(f"<dt>{html_text(result.title)}?</dt><dd>{html_text(tr(MEANINGS.get(result.id, '')))}</dd>")
    if result.evidence:
        seen = "<br>".join(f"<code>{html_text(str(item))}</code>" for item in result.evidence)
        out.append(f"<dt>{tr('Evidence')}</dt><dd>{seen}</dd>")
    fix = result.remediation
    if fix is not None:
        commands = f"<pre>{'<br>'.join(map(html_text, fix.commands))}</pre>" if fix.commands else ""
        out.append(
            f"<dt>{tr('Fix')}{tr(' (as root)') if fix.needs_root else ''}</dt><dd>{html_text(fix.text)}{commands}</dd>"
        )
    out.append(f"<dt>{tr('Severity')}</dt><dd>{html_text(tr(result.severity))}</dd></dl></details>")
    return "".join(out)


#: The lines of each box of the drawing: check -> words before its summary.
_BOXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Host", ("shared-kernel", "clock", "keyring", "module-loading")),
    ("Engine", ("engine-owner", "engine-rootless", "root-equivalence", "daemonless")),
    ("Container", ("container-root-uid", "userns-active", "seccomp", "default-limits")),
)
_WIDTH, _LINE, _INSET = 860, 24, 14


def _drawing(results: Sequence[CheckResult], tr: Translate) -> str:
    """Return three boxes inside one another, each with the results that say who is root and what is shared."""
    found = {r.id: r for r in results}
    boxes = [(name, [found[i] for i in ids if i in found]) for name, ids in _BOXES]
    if not any(rows for name, rows in boxes if name != "Host"):
        return ""
    total = sum(_LINE * (len(rows) + 1) + 12 for _, rows in boxes) + _INSET * len(boxes)
    y, out, described = 4, [], []
    for depth, (name, rows) in enumerate(boxes):
        x, height = 4 + depth * _INSET, total - y - depth * _INSET
        out.append(
            f'<rect x="{x}" y="{y}" width="{_WIDTH - 2 * x}" height="{height}" rx="8" fill="currentColor" '
            'fill-opacity=".05" stroke="currentColor" stroke-opacity=".6"/>'
            f'<text x="{x + 12}" y="{y + 19}" font-weight="600">{tr(name)}</text>'
        )
        for index, result in enumerate(rows, 1):
            base = y + 19 + index * _LINE
            tone = _TONES.get(str(result.status), _OTHER)
            words = result.summary if len(result.summary) <= 100 else result.summary[:99] + "…"
            described.append(f"{tr(name)}: {result.summary}")
            out.append(f'<circle cx="{x + 20}" cy="{base - 5}" r="8" fill="{tone}"/>')
            sign = _SIGNS.get(str(result.status), "i")
            out.append(
                f'<text x="{x + 20}" y="{base - 1}" font-size="11" font-weight="700" text-anchor="middle" fill="#fff">'
                f"{sign}</text>"
            )
            out.append(f'<text x="{x + 34}" y="{base}">{html_text(words)}</text>')
        y += _LINE * (len(rows) + 1) + 12
    return (
        f'<div style="overflow-x:auto"><svg viewBox="0 0 {_WIDTH} {total + 8}" width="{_WIDTH}" role="img" '
        'style="min-width:600px" fill="currentColor" font-size="14" '
        f'font-family="system-ui,sans-serif"><title>{html_text("; ".join(described))}</title>{"".join(out)}</svg></div>'
    )
