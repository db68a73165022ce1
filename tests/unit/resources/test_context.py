"""Build contexts: which files are sent, under which names, and how ignore files apply."""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from containerkit.errors import InvalidOption
from containerkit.resources.context import build_context
from containerkit.resources.ignore import is_ignored, parse_ignore


def sent(context: Any, dockerfile: str | None = None) -> tuple[dict[str, bytes], str]:
    """Return the files of a context as sent, and the Dockerfile's path."""
    chunks, name, _ = build_context(context, dockerfile)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        found = {}
        for member in tar:
            assert (member.uid, member.gid) == (0, 0)
            source = tar.extractfile(member) if member.isreg() else None
            found[member.name] = source.read() if source else b""
    return found, name


def make(root: Path, **files: str) -> Path:
    """Write files; a double underscore is a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("*.log", ["a.log"], ["d/a.log", "a.txt"]),
        ("**/*.log", ["a.log", "d/a.log", "d/e/a.log"], ["a.txt"]),
        ("d", ["d", "d/a", "d/e/f"], ["da", "e/d"]),
        ("*\n!**/*.py", ["a.txt", "d", "d/a.txt"], ["a.py", "d/b.py", "d/e/c.py"]),
        ("*\n!d/keep", ["a", "d", "d/other"], ["d/keep", "d/keep/x"]),
        ("a\n!a\na", ["a"], []),
        ("a\n!a", [], ["a"]),
        ("!a\na", ["a"], []),
        ("# a\n\n  b  ", ["b"], ["a", "# a"]),
        ("/a/", ["a", "a/b"], ["b/a"]),
        ("./a/../b", ["b"], ["a"]),
        ("../a", ["a"], []),
        ("?.txt", ["a.txt"], ["ab.txt", "/.txt"]),
        ("[ab].txt", ["a.txt", "b.txt"], ["c.txt"]),
        ("[^a].txt", ["b.txt"], ["a.txt"]),
        (r"\*.txt", ["*.txt"], ["a.txt"]),
        ("a.b", ["a.b"], ["axb"]),
        ("d/**", ["d/a", "d/e/f"], ["d", "e"]),
        ("**", ["a", "d/a"], []),
        ("\ufeffa", ["a"], []),
        ("ab*d", ["abd", "abcd"], ["d", "xcd", "ab/d"]),
        ("a**d", ["ad", "aX/d", "a/d", "a/b/d"], ["aXd", "bd"]),
        ("a***d", ["ad", "aXd", "aX/bd"], ["bd"]),
        ("**.pyc", [".pyc", "a.pyc", "d/.pyc", "d/a.pyc", "a.pyc/b"], ["a.pyx", "apycb"]),
        ("**x?", ["xa", "d/xa"], ["axa", "x"]),
        ("a**", ["a", "ab", "ab/c"], ["b"]),
        ("[ab]c[de]", ["acd", "bce"], ["ab]c[de", "acc"]),
        ("x?y[ab]", ["xzya"], ["xya", "zya", "ya"]),
        (r"a\*b", ["a*b"], ["axb", "*b", "b"]),
        (r"a\b", ["ab"], [r"a\b"]),
        ("d", ["d/two\nlines"], []),
        ("d/../../e", ["e"], ["d"]),
    ],
)
def test_ignore_patterns(rules: str, ignored: list[str], kept: list[str]) -> None:
    """Patterns match as the reference of .dockerignore says; the last match decides."""
    check = is_ignored(parse_ignore(rules))
    assert [path for path in ignored if not check(path)] == []
    assert [path for path in kept if check(path)] == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rule", ["[[a]x", "[a&&b]x", "[a||b]x", "[a~~b]x"])
def test_marks_of_pythons_sets_are_characters(rule: str) -> None:
    assert is_ignored(parse_ignore(rule))("ax")


@pytest.mark.parametrize("rule", ["[z-a]", "[]a]", "a[", "d/[ab", "a\\"])
def test_a_malformed_pattern(rule: str) -> None:
    """Both command lines refuse it."""
    with pytest.raises(InvalidOption, match=re.escape(repr(rule))):
        parse_ignore(f"a\n{rule}\n")


@pytest.mark.parametrize("kind", ["folder", "mapping"])
@pytest.mark.parametrize(
    ("rules", "files", "hidden"),
    [
        ("skip\n*file\na/*_log\n", {"Dockerfile", "a/b", ".dockerignore"}, ("Dockerfile",)),
        ("skip\na/*_log\n", {"Dockerfile", "a/b", ".dockerignore"}, ()),
        (".*\n*\n!a/b\n", {"Dockerfile", "a/b"}, ("Dockerfile",)),
    ],
)
def test_ignored_files_are_not_sent(
    tmp_path: Path, kind: str, rules: str, files: set[str], hidden: tuple[str, ...]
) -> None:
    """Ignored files are left out. The Dockerfile is sent although a pattern matches it, and is hidden from COPY."""
    context = {"Dockerfile": "FROM a", "a/b": "1", "a/c_log": "2", "skip": "3", ".dockerignore": rules}
    for path, text in context.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    chunks, name, unseen = build_context(tmp_path if kind == "folder" else context, None)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert {member.name for member in tar if member.isreg()} == files
    assert (name, unseen) == ("Dockerfile", hidden)


@pytest.mark.parametrize("kind", ["folder", "mapping"])
def test_the_ignore_file_of_the_dockerfile_comes_first(tmp_path: Path, kind: str) -> None:
    """NAME.dockerignore replaces .containerignore, which replaces .dockerignore."""
    files = {"x.Dockerfile": "FROM a", "a": "1", "b": "2", "c": "3"}
    for ignore_file, rule, missing in (
        (".dockerignore", "a", "a"),
        (".containerignore", "b", "b"),
        ("x.Dockerfile.dockerignore", "c", "c"),
    ):
        files[ignore_file] = rule
        for path, text in files.items():
            (tmp_path / path).write_text(text)
        found, _ = sent(tmp_path if kind == "folder" else files, "x.Dockerfile")
        assert {"a", "b", "c"} - set(found) == {missing}
        assert {".dockerignore", ".containerignore"} & set(found) == {".dockerignore"}


@pytest.mark.parametrize("name", ["Dockerfile", "Containerfile"])
def test_the_default_dockerfile(tmp_path: Path, name: str) -> None:
    """Without a name Dockerfile is taken, else Containerfile."""
    (tmp_path / name).write_text("FROM a")
    assert sent(tmp_path)[1] == name
    assert sent({name: "FROM a"})[1] == name
    make(tmp_path, Dockerfile="FROM a", Containerfile="FROM b")
    assert sent(tmp_path)[1] == "Dockerfile"


@pytest.mark.parametrize("spelling", ["absolute", "relative to the context"])
def test_a_dockerfile_outside_of_the_context_joins_it(tmp_path: Path, spelling: str) -> None:
    """A Dockerfile elsewhere is sent under a name of its own."""
    context = make(tmp_path / "context", a="1")
    outside = make(tmp_path, Dockerfile="FROM outside") / "Dockerfile"
    given = str(outside) if spelling == "absolute" else "../Dockerfile"
    (context / ".dockerignore").write_text("b")
    found, name = sent(context, given)
    assert found == {"a": b"1", name: b"FROM outside"}
    assert name not in ("Dockerfile", "a")
    assert build_context(context, given)[2] == (name,)


def test_a_dockerfile_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local path that leads into the context names the file there."""
    make(tmp_path, context__in__Dockerfile="FROM a")
    monkeypatch.chdir(tmp_path)
    chunks, name, hidden = build_context("context", "context/in/Dockerfile")
    assert (b"FROM a" in b"".join(chunks), name, hidden) == (True, "in/Dockerfile", ())


def test_a_dockerfile_inside_by_absolute_path(tmp_path: Path) -> None:
    """An absolute path into the context names the file there; it is sent once."""
    make(tmp_path, in__Dockerfile="FROM a")
    assert sent(tmp_path, str(tmp_path / "in/Dockerfile")) == (
        {"in": b"", "in/Dockerfile": b"FROM a"},
        "in/Dockerfile",
    )


def test_links_stay_links(tmp_path: Path) -> None:
    """A symbolic link is sent as a link, and not followed."""
    make(tmp_path / "context", Dockerfile="FROM a")
    make(tmp_path, secret="s")
    (tmp_path / "context" / "link").symlink_to("../secret")
    chunks, _, _ = build_context(tmp_path / "context", None)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.getmember("link").linkname == "../secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="the test drops root's rights")
@pytest.mark.parametrize("kind", ["file", "folder", "folder in a mapping"])
def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    """An unreadable file or folder raises PermissionError with its path; an ignored one does not matter."""
    make(tmp_path, Dockerfile="FROM a", secret__x="s", file="f")
    hidden = tmp_path / ("file" if kind == "file" else "secret")
    for path in [tmp_path, *tmp_path.parents]:
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)
    hidden.chmod(0)
    context: Any = {"Dockerfile": "FROM a", "s": hidden} if "mapping" in kind else tmp_path
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError) as caught:
            build_context(context, None)
        assert caught.value.filename == str(hidden)
        os.seteuid(0)
        (tmp_path / ".dockerignore").write_text(hidden.name)
        os.seteuid(65534)
        if "mapping" not in kind:
            assert hidden.name not in sent(tmp_path)[0]
    finally:
        os.seteuid(0)
        hidden.chmod(0o755)


def test_a_mapping_takes_text_bytes_files_and_folders(tmp_path: Path) -> None:
    """Values may be text, bytes, or paths of files and folders; scripts are executable."""
    make(tmp_path, f="file", d__x="1")
    context = {"Dockerfile": "FROM a", "t": "é", "b": b"\0", "f": tmp_path / "f", "d": tmp_path / "d", "s": "#!/bin/sh"}
    found, _ = sent(context)
    assert found == {
        "Dockerfile": b"FROM a", "t": "é".encode(), "b": b"\0", "f": b"file", "d": b"", "d/x": b"1", "s": b"#!/bin/sh",
    }  # fmt: skip
    chunks, _, _ = build_context(context, None)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert stat.S_IMODE(tar.getmember("s").mode) == 0o755
        assert stat.S_IMODE(tar.getmember("t").mode) == 0o644


@pytest.mark.parametrize(
    ("context", "dockerfile"),
    [
        (5, None), ("", None), ("/nonexistent", None), ({}, None), ({"a": "1"}, None), ({"Dockerfile": 5}, None),
        ({"/a": "1", "Dockerfile": ""}, None), ({"../a": "1", "Dockerfile": ""}, None), ({5: "1"}, None),
        ({"a\0": "1", "Dockerfile": ""}, None), ({"Dockerfile": ""}, "other"),
        ({"Dockerfile": Path("/nonexistent")}, None),
    ],
)  # fmt: skip
def test_bad_contexts(context: Any, dockerfile: str | None) -> None:
    """A context or Dockerfile that does not exist, or leads outside, raises InvalidOption."""
    with pytest.raises(InvalidOption):
        build_context(context, dockerfile)


def test_a_folder_without_a_dockerfile(tmp_path: Path) -> None:
    """A folder without a Dockerfile raises InvalidOption that says what to add."""
    with pytest.raises(InvalidOption, match="Dockerfile"):
        build_context(tmp_path, None)
    with pytest.raises(InvalidOption, match="a file in"):
        build_context(tmp_path, "missing")
