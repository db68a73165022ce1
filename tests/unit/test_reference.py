"""Image names: what is accepted, what each form says, what is refused and why."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from containerkit.errors import InvalidReference
from containerkit.reference import Reference, display, looks_like_id, parse, same_image_name

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "qualified", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("me/tool:1", "docker.io/me/tool:1", "me/tool:1"),
        ("localhost/x:1", "localhost/x:1", "localhost/x:1"),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
        ("quay.io/a/b/c:v1.2_3-4", "quay.io/a/b/c:v1.2_3-4", "quay.io/a/b/c:v1.2_3-4"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("[fe80::1]/x:1", "[fe80::1]/x:1", "[fe80::1]/x:1"),
        (f"x@{DIGEST}", f"docker.io/library/x@{DIGEST}", f"x@{DIGEST}"),
        (f"x:1@{DIGEST}", f"docker.io/library/x:1@{DIGEST}", f"x:1@{DIGEST}"),
        ("docker.io/localhost/x", "docker.io/localhost/x:latest", "docker.io/localhost/x:latest"),
        ("docker.io/my.org/x", "docker.io/my.org/x:latest", "docker.io/my.org/x:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest", "a__b/c--d/e.f:latest"),
        ("Registry.Example:80/x", "Registry.Example:80/x:latest", "Registry.Example:80/x:latest"),
    ],
)
def test_a_name_has_one_qualified_and_one_familiar_form(text: str, qualified: str, familiar: str) -> None:
    """A name, however short, has one qualified and one familiar form."""
    assert (parse(text).qualified, parse(text).familiar) == (qualified, familiar)


def test_latest_is_the_tag_only_where_nothing_else_is_given() -> None:
    """A digest alone gets no tag."""
    assert parse("x") == Reference("docker.io", "library/x", "latest", None)
    assert parse(f"x@{DIGEST}") == Reference("docker.io", "library/x", None, DIGEST)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("Busybox", "lower case"),
        ("me/Tool", "lower case"),
        ("x:", "tag"),
        ("x:" + "t" * 129, "128"),
        ("x:a b", "tag"),
        ("x:-a", "tag"),
        ("x@sha256:abc", "digest"),
        (f"x@{DIGEST.upper()}", "digest"),
        ("x@", "digest"),
        ("a//b", "empty"),
        ("/x", "empty"),
        ("x/", "empty"),
        ("docker.io/", "missing"),
        ("-x", "lower-case"),
        ("a___b", "lower-case"),
        ("x y", "lower-case"),
        ("x\0", "lower-case"),
        ("x\n", "lower-case"),
        ("x:1\n", "tag"),
        ("ünicode", "lower-case"),
        ("https://docker.io/x", "registry"),
        ("host:70000/x", "registry"),
        ("host:0/x", "registry"),
        ("host_.name/x", "registry"),
        ("a" * 256, "255"),
        ("a1" * 32, "ID"),
    ],
)
def test_a_broken_name_is_refused_with_the_reason(text: str, reason: str) -> None:
    """A name no engine would accept is refused, and the message says which part is wrong."""
    with pytest.raises(InvalidReference, match=reason):
        parse(text)


@pytest.mark.parametrize("value", [None, 1, b"busybox", ["x"]])
def test_what_is_not_a_string_is_no_name(value: object) -> None:
    """A name is a string."""
    with pytest.raises(InvalidReference, match="string"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("localhost/x:1", "x:1"),
        ("localhost/lab/x:1", "lab/x:1"),
        ("docker.io/library/x:1", "x:1"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("localhost/a.b/x:1", "localhost/a.b/x:1"),
        ("<none>:<none>", "<none>:<none>"),
        ("a1" * 32, "a1" * 32),
    ],
)
def test_display_leaves_out_what_podman_puts_in_front(text: str, shown: str) -> None:
    """People see "x:1" for the local image "localhost/x:1", but never a name that would mean another registry."""
    assert display(text) == shown


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("a1" * 32, True),
        ("a1" * 6, True),
        ("sha256:" + "a1" * 32, True),
        ("a1" * 5, False),
        ("a1" * 33, False),
        ("A1" * 32, False),
        ("busybox", False),
        ("sha256:xyz", False),
        ("a1" * 6 + "\n", False),
    ],
)
def test_an_id_is_12_to_64_hexadecimal_digits(text: str, is_id: bool) -> None:
    """Twelve to 64 lower-case hexadecimal digits, with or without sha256:, look like an ID."""
    assert looks_like_id(text) is is_id


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("x", "docker.io/library/x:latest", True),
        ("x:1", "localhost/x:1", True),
        ("lab/x:1", "localhost/lab/x:1", True),
        ("x:1", "x:2", False),
        ("x", "quay.io/x", False),
        ("<none>", "<none>", True),
        ("<none>", "x", False),
    ],
)
def test_two_spellings_of_one_image_are_the_same_name(a: str, b: str, same: bool) -> None:
    """Default registry, default tag and Podman's local prefix make no difference between names."""
    assert same_image_name(a, b) is same
    assert same_image_name(b, a) is same


_COMPONENT = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-)[a-z0-9]{1,8}){0,2}", fullmatch=True)
_HOST = st.from_regex(r"(localhost|[a-z0-9]{1,6}\.[a-z]{2,4}|[a-z]{1,6}:[1-9][0-9]{0,3}|\[::1\]:5000)", fullmatch=True)
_TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", fullmatch=True)


@given(
    st.none() | _HOST,
    st.lists(_COMPONENT, min_size=1, max_size=4),
    st.none() | _TAG,
    st.none() | st.just(DIGEST),
)
def test_every_form_parses_back_to_the_same_reference(
    host: str | None, path: list[str], tag: str | None, digest: str | None
) -> None:
    """parse(x.qualified) and parse(x.familiar) are x, whatever the name looks like."""
    assume(host or not ("." in path[0] and "_" in path[0]))  # read as a registry, and no host name has a "_"
    text = "/".join(([host] if host else []) + path) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = parse(text)
    assert parse(reference.qualified) == reference
    assert parse(reference.familiar) == reference
    assert parse(str(reference)) == reference
    assert same_image_name(display(reference.qualified), reference.qualified)


@given(st.text())
def test_any_text_is_a_name_or_an_invalid_reference(text: str) -> None:
    """No text makes parse raise anything but InvalidReference, and display and looks_like_id never raise."""
    display(text)
    looks_like_id(text)
    try:
        reference = parse(text)
    except InvalidReference:
        return
    assert parse(reference.qualified) == reference
