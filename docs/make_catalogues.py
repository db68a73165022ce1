"""Write the catalogues of containerkit/isolation/locale: new texts into each .po, and the .mo that the package reads.

python docs/make_catalogues.py

A message is a text as the source has it, with its placeholders: "{name} has {uids} subordinate uids". A translation may
use them in another order. A message that the source no longer has is dropped, a new one waits for its translation.
"""

from __future__ import annotations

import ast
import json
import re
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from containerkit.isolation.language import LABELS, LANGUAGES

ROOM = Path(__file__).parents[1] / "containerkit/isolation"
COMMAND = "python docs/make_catalogues.py"
#: Modules whose texts are shown in a report, beside those of the checks.
_MODULES = (
    *("check", "advice", "exposure", "confinement", "mounts", "gates", "meanings", "compare", "judge", "report"),
    *("page", "audit", "probes", "answers"),
)
#: Calls whose texts are evidence, commands or errors, which stay as they are; calls whose first texts alone are shown.
_AS_IS = frozenset(
    (
        *("kernel_says", "probe_says", "engine_says", "host_says", "this_process", "Evidence", "InvalidOption"),
        *("KeyError", "LookupError", "ValueError", "run_with", "startswith", "endswith", "strftime"),
        *("_Fields", "Thread"),
    )
)
_SHOWN = {"Remediation": 1, "advise": 2, "give_limit": 0, "set_sysctl": 1}
#: Names of values that are commands, options or markup.
_NOT_SHOWN = frozenset(
    (
        *("lines", "line", "option", "given", "head", "body", "flags", "flag", "out"),
        *("_STYLE", "_HTTP", "_NO_VERIFY", "_RESTART"),
    )
)
_WORD = re.compile(r"[A-Za-z]{2}")
#: Markup, options, commands, paths and names, which have no words.
_MARKUP = re.compile(
    r"<|--|\{command|/proc/\{|/dev/\{|/home/|host-\{|[^ ]*containerkit-probe|\{PROGRAM|sub\{|Podman Engine$|seccomp="
    r"|\{libpod|host\.|HostConfig\.|/proc/sys/kernel/\{|errno \{"
)
_PLACE = re.compile(r"\{[^{}]*\}")


def messages() -> tuple[str, ...]:
    """Return the texts of reports, in the order of the source."""
    files = [ROOM / f"{name}.py" for name in _MODULES] + sorted((ROOM / "checks").glob("*.py"))
    found = dict.fromkeys(LABELS)
    for file in files:
        for text in _texts(ast.parse(file.read_text("utf-8"))):
            if _WORD.search(_PLACE.sub("", text)) and not _MARKUP.match(text):
                found.setdefault(text)
    return tuple(found)


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts below a node that are shown: not docstrings, evidence, commands or errors."""
    if isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.Compare, ast.Subscript)):
        return
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
        if getattr(node, "name", "") != "__repr__":
            for each in node.body[ast.get_docstring(node, clean=False) is not None :]:
                yield from _texts(each)
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        if _target(node) not in _NOT_SHOWN and node.value is not None:
            yield from _texts(node.value)
    elif isinstance(node, ast.Call):
        yield from _in_call(node)
    elif isinstance(node, ast.JoinedStr):
        yield template(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _texts(part.value)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and " " in node.value.strip():
            yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def _target(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.id if isinstance(target, ast.Name) else ""


def _in_call(node: ast.Call) -> Iterator[str]:
    of, name = node.func, ""
    if isinstance(of, ast.Name):
        name = of.id
    elif isinstance(of, ast.Attribute):
        name = of.attr
        if name == "append" and isinstance(of.value, ast.Name) and of.value.id in _NOT_SHOWN:
            return
    if name in _AS_IS:
        return
    for each in (*node.args[: _SHOWN.get(name, len(node.args))], *(k.value for k in node.keywords)):
        yield from _texts(each)


def template(node: ast.JoinedStr) -> str:
    """Return an f-string as it stands in the source: its text, and its expressions in braces."""
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            parts.append("{" + ast.unparse(part.value).replace("{", "(").replace("}", ")") + "}")
        elif isinstance(part, ast.Constant):
            parts.append(str(part.value))
    return "".join(parts)


def read_po(text: str) -> dict[str, str]:
    """Return message -> translation of a .po file as this program writes it."""
    rows = re.findall(r'^msgid (".*")\nmsgstr (".*")$', text, re.MULTILINE)
    return {json.loads(key): json.loads(value) for key, value in rows if json.loads(key)}


def write_po(lang: str, texts: Mapping[str, str]) -> str:
    """Return the .po file of a language."""
    head = f"Language: {lang}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
    rows = [
        f"msgid {json.dumps(key, ensure_ascii=False)}\nmsgstr {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in [("", head + "Content-Transfer-Encoding: 8bit\n"), *texts.items()]
    ]
    return "\n".join((f"# Texts of isolation reports. Written by: {COMMAND}\n", *rows))


def compile_mo(lang: str, texts: Mapping[str, str]) -> bytes:
    """Return the .mo file of a language: the same texts always give the same bytes."""
    head = {"": f"Language: {lang}\nContent-Type: text/plain; charset=UTF-8\n"}
    rows = sorted((key.encode(), value.encode()) for key, value in {**head, **texts}.items() if value)
    start = 28 + 16 * len(rows)
    ids = b"".join(key + b"\0" for key, _ in rows)
    tables: list[tuple[int, int]] = []
    for column, offset in ((0, start), (1, start + len(ids))):
        for row in rows:
            tables.append((len(row[column]), offset))
            offset += len(row[column]) + 1
    header = struct.pack("<7I", 0x950412DE, 0, len(rows), 28, 28 + 8 * len(rows), 0, 0)
    return header + b"".join(struct.pack("<2I", *pair) for pair in tables) + ids + b"".join(v + b"\0" for _, v in rows)


def carried(known: Mapping[str, str]) -> dict[str, str]:
    """Return the messages of the source with the translations that there are; a placeholder may have a new name."""
    by_form = {_PLACE.sub("{}", text): text for text in known}
    found = {}
    for text in messages():
        old = text if text in known else by_form.get(_PLACE.sub("{}", text), "")
        names = dict(zip(_PLACE.findall(old), _PLACE.findall(text), strict=False))
        found[text] = _PLACE.sub(lambda place, names=names: names.get(place.group(), ""), known.get(old, ""))
    return found


def main() -> int:
    missing = 0
    for lang in LANGUAGES[1:]:
        folder = ROOM / "locale" / lang / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "isolation.po"
        known = read_po(source.read_text("utf-8")) if source.exists() else {}
        texts = carried(known)
        source.write_text(write_po(lang, texts), "utf-8")
        (folder / "isolation.mo").write_bytes(compile_mo(lang, texts))
        for text in (text for text, value in texts.items() if not value):
            print(f"{lang}: no translation: {text}", file=sys.stderr)  # noqa: T201
            missing += 1
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
