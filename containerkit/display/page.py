"""Render tables as an HTML fragment for notebooks, in light and dark themes and for screen readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .escape import html_text
from .table import cell_tone

if TYPE_CHECKING:
    from .table import Table

__all__ = ["WRAPPER", "table_html"]

# The classes tell MathJax, which every notebook runs over its outputs, that a "$" is a dollar.
WRAPPER = 'class="containerkit tex2jax_ignore mathjax_ignore"'

# Colours of text and lines are the page's own (inherit, currentColor), so both themes work. A tone is a badge with a
# background of its own, because no single text colour has enough contrast on white and on black.
_STYLE = """\
.containerkit{overflow-x:auto;max-width:100%}
.containerkit table.ck{border-collapse:collapse;border:0;margin:.3em 0;font-size:.92em;line-height:1.4;color:inherit}
.containerkit table.ck caption{caption-side:top;text-align:left;font-weight:600;padding:0 0 .4em;color:inherit;\
white-space:nowrap}
.containerkit table.ck th,.containerkit table.ck td{padding:.28em .8em .28em 0;border:0;text-align:left;\
vertical-align:top;background:none;max-width:44em;overflow-wrap:anywhere;white-space:normal;color:inherit}
.containerkit table.ck thead th{border-bottom:2px solid rgba(128,128,128,.7);font-weight:600;vertical-align:bottom;\
overflow-wrap:normal}
.containerkit table.ck tbody td{border-bottom:1px solid rgba(128,128,128,.28)}
.containerkit table.ck tbody tr{background:none}
.containerkit table.ck tbody tr:hover{background:rgba(128,128,128,.14)}
.containerkit table.ck th.n,.containerkit table.ck td.n{text-align:right;white-space:nowrap;\
font-variant-numeric:tabular-nums}
.containerkit table.ck span{padding:.05em .5em;border-radius:.7em;font-weight:600;white-space:nowrap}
.containerkit table.ck span.good{background:#1a7f37;color:#fff}
.containerkit table.ck span.warn{background:#f2c037;color:#1a1a1a}
.containerkit table.ck span.bad{background:#c4232f;color:#fff}
.containerkit table.ck span.dim{opacity:.72;font-weight:400;padding:0}
.containerkit p.ck{margin:.2em 0;font-size:.86em;opacity:.85;max-width:60em}"""


def table_html(table: Table, *, max_rows: int | None = None) -> str:
    """Return the fragment; it holds only our own markup and escaped text."""
    numeric = table.numeric()
    rows = table.rows if max_rows is None else table.rows[:max_rows]
    out = [f"<div {WRAPPER}>", f"<style>{_STYLE}</style>", '<table class="ck">']
    if table.title:
        out.append(f"<caption>{html_text(table.title)}</caption>")
    heads = (
        f'<th scope="col"{_class(right)}>{html_text(name)}</th>'
        for name, right in zip(table.columns, numeric, strict=True)
    )
    out.append(f"<thead><tr>{''.join(heads)}</tr></thead>")
    out.append("<tbody>")
    for row, texts in zip(rows, table.texts(), strict=False):
        cells = (
            f"<td{_class(right)}>{_toned(html_text(text), cell_tone(value, name))}</td>"
            for value, text, right, name in zip(row, texts, numeric, table.columns, strict=True)
        )
        out.append(f"<tr>{''.join(cells)}</tr>")
    out.append("</tbody></table>")
    left_out = len(table.rows) - len(rows)
    notes = [f"{left_out:,} more rows are not shown."] if left_out else []
    out += [f'<p class="ck">{html_text(note)}</p>' for note in (*notes, *table.notes)]
    out.append("</div>")
    return "\n".join(out)


def _class(right: bool) -> str:
    return ' class="n"' if right else ""


def _toned(text: str, tone: str) -> str:
    return f'<span class="{tone}">{text}</span>' if tone and text else text
