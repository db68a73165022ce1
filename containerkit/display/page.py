"""Render tables as an HTML fragment for notebooks, in light and dark themes and for screen readers."""

from __future__ import annotations

from collections.abc import Iterable

from .cells import Grid
from .escape import html_text

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


def page_html(title: str, fragments: Iterable[str], *, lang: str = "en") -> str:
    """Return a complete page, light or dark as the reader's system is; it loads nothing from anywhere."""
    style = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    style += "@media(prefers-color-scheme:dark){body{background:#16181b;color:#e8e8e8}}"
    body = "\n".join(fragments)
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html_text(title)}</title><style>{style}</style></head>\n"
        f"<body><h1>{html_text(title)}</h1>\n{body}\n</body></html>\n"
    )


def grid_html(grid: Grid) -> str:
    """Return the fragment; it holds only our own markup and escaped text."""
    out = [f"<div {WRAPPER}>", f"<style>{_STYLE}</style>", '<table class="ck">']
    if grid.title:
        out.append(f"<caption>{html_text(grid.title)}</caption>")
    heads = (
        f'<th scope="col"{_class(right)}>{html_text(name)}</th>'
        for name, right in zip(grid.columns, grid.numeric, strict=True)
    )
    out.append(f"<thead><tr>{''.join(heads)}</tr></thead>")
    out.append("<tbody>")
    for row in grid.rows:
        cells = (
            f"<td{_class(right)}>{_toned(html_text(text), tone)}</td>"
            for (text, tone), right in zip(row, grid.numeric, strict=True)
        )
        out.append(f"<tr>{''.join(cells)}</tr>")
    out.append("</tbody></table>")
    out += [f'<p class="ck">{html_text(note)}</p>' for note in grid.notes]
    out.append("</div>")
    return "\n".join(out)


def _class(right: bool) -> str:
    return ' class="n"' if right else ""


def _toned(text: str, tone: str) -> str:
    return f'<span class="{tone}">{text}</span>' if tone and text else text
