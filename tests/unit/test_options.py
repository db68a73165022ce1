"""Options: every spelling people use gives the same spec, and every mistake is named before anything is sent."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck as Slow
from hypothesis import given, settings
from hypothesis import strategies as st

from containerkit import options
from containerkit.errors import InvalidOption, InvalidReference
from containerkit.options import groups, names, primitives, typed
from containerkit.options.table import CREATE
from containerkit.spec import (
    BuildSpec,
    ContainerSpec,
    DeviceSpec,
    ExecSpec,
    HealthCheck,
    Mount,
    NetworkAttachment,
    NetworkSpec,
    PortBinding,
    ResourceLimits,
    RestartPolicy,
    Ulimit,
    VolumeSpec,
)


def spec(**given: Any) -> ContainerSpec:
    return options.container_spec("busybox", None, given)


def refused(**given: Any) -> InvalidOption:
    with pytest.raises(InvalidOption) as caught:
        spec(**given)
    return caught.value


# ---------------------------------------------------------------- the table of options
def test_without_options_a_spec_is_the_engines_defaults() -> None:
    """No option given: nothing is asked for."""
    assert spec() == ContainerSpec("busybox", env={}, labels={})


@pytest.mark.parametrize("name", sorted(CREATE))
def test_none_means_not_asked_for(name: str) -> None:
    """None for any option is the same as leaving it out."""
    assert spec(**{name: None}) == spec()


@pytest.mark.parametrize("name", sorted(CREATE))
def test_an_object_that_is_no_value_is_refused_by_name(name: str) -> None:
    """Something that is no value at all is refused, with the option's name, for every option."""
    error = refused(**{name: object()})
    assert error.name == name


@pytest.mark.parametrize("name", sorted(set(CREATE) - {"env", "labels"}))
@pytest.mark.parametrize("value", [b"bytes", float("nan"), "nul\0byte", "\ud800"])
def test_bytes_nan_nul_and_lone_surrogates_are_refused(name: str, value: object) -> None:
    """Values that would not reach an engine as they are, are refused for every option."""
    assert refused(**{name: value}).name in (name, "mac_address", "network_alias")


def test_the_type_of_the_options_lists_exactly_those_that_are_accepted() -> None:
    """CreateOptions has every option and every alias, and no other."""
    hints = typed.CreateOptions.__annotations__ | typed.LimitOptions.__annotations__
    assert set(hints) == {spelling for row in CREATE.values() for spelling in (row.name, *row.aliases)}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("ports", "publish"),
        ("environment", "env"),
        ("mem_limit", "memory"),
        ("hostnam", "hostname"),
        ("volums", "volumes"),
        ("network_mode", "network"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_known_one(given: str, meant: str) -> None:
    """A typing error, and docker-py's word for it, lead to our name."""
    error = refused(**{given: {"80": "abc"}})
    assert error.name == given
    assert f"'{meant}'" in error.expected


def test_two_spellings_of_one_option_are_refused() -> None:
    """volume= beside volumes= is a contradiction."""
    assert "not both" in refused(volumes=["/a"], volume=["/b"]).expected


@pytest.mark.parametrize(
    ("singular", "plural", "value"),
    [
        ("label", "labels", "a=b"),
        ("volume", "volumes", "/a:/b"),
        ("mount", "mounts", "type=tmpfs,target=/t"),
        ("device", "devices", "/dev/fuse"),
        ("ulimit", "ulimits", "nofile=1024"),
        ("sysctl", "sysctls", "net.ipv4.ip_forward=1"),
        ("networks", "network", ["a", "b"]),
        ("stdin", "interactive", True),
        ("auto_remove", "rm", True),
    ],
)
def test_the_command_lines_singular_is_accepted(singular: str, plural: str, value: object) -> None:
    """label= is labels=, as on the command line."""
    assert spec(**{singular: value}) == spec(**{plural: value})


def test_an_error_names_the_spelling_the_user_typed() -> None:
    """Who types volume= reads volume= in the error."""
    assert refused(volume="a/b:/c").name == "volume"


# ---------------------------------------------------------------- image and command
def test_a_bad_image_name_is_an_invalid_reference() -> None:
    """The image's name is checked too."""
    with pytest.raises(InvalidReference):
        options.container_spec("Busy Box", None, {})


@pytest.mark.parametrize("image", ["busybox", "a1" * 32, "a1" * 6, "sha256:" + "a1" * 32, "localhost/x:1"])
def test_an_image_is_taken_as_it_was_given(image: str) -> None:
    """Names and IDs reach the backend as they were typed."""
    assert options.container_spec(image, None, {}).image == image


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        ("sh -c 'echo hi'", ("sh", "-c", "echo hi")),
        (["echo", "a b", ""], ("echo", "a b", "")),
        (("ls", Path("/tmp")), ("ls", "/tmp")),
        (None, None),
    ],
)
def test_a_string_is_split_as_a_shell_would_and_a_list_is_not(given: object, argv: object) -> None:
    """A command may be a line or a list."""
    assert groups.parse_command("command", given) == argv


@pytest.mark.parametrize(
    "given", ["", "  ", [], (), "echo 'open", ["a", 1], ["a\0"], b"ls", [b"ls"], 5, True, {"a": 1}]
)
def test_a_command_that_is_none_is_refused(given: object) -> None:
    """Nothing to run, an open quote, a NUL byte, things that are no strings."""
    with pytest.raises(InvalidOption) as caught:
        groups.parse_command("command", given)
    assert caught.value.name == "command"


@pytest.mark.parametrize("given", ["", [], ()])
def test_an_empty_entrypoint_resets_the_images(given: object) -> None:
    """entrypoint="" is --entrypoint "": no entrypoint."""
    assert spec(entrypoint=given).entrypoint == ()
    assert spec(entrypoint="echo -n").entrypoint == ("echo", "-n")


# ---------------------------------------------------------------- environment, labels
def test_the_environment_takes_strings_numbers_and_bools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are written out, True is "true", None is the caller's own value or nothing."""
    monkeypatch.setenv("MINE", "mine")
    monkeypatch.delenv("NOBODYS", raising=False)
    given = {"A": "1", "B": 2, "C": 0.5, "D": True, "E": "", "MINE": None, "NOBODYS": None}
    assert spec(env=given).env == {"A": "1", "B": "2", "C": "0.5", "D": "true", "E": "", "MINE": "mine"}
    assert spec(env=["A=1", "B=x=y", "MINE", "NOBODYS"]).env == {"A": "1", "B": "x=y", "MINE": "mine"}


def test_env_wins_over_env_file(tmp_path: Path) -> None:
    """A file gives the ground, env= has the last word; comments and blank lines are left out."""
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=file\n  B=two words \n")
    assert spec(env_file=file, env={"A": "own"}).env == {"A": "own", "B": "two words "}


def test_labels_win_over_label_file(tmp_path: Path) -> None:
    """A file gives labels; a key alone has an empty value; labels= has the last word."""
    file = tmp_path / "labels"
    file.write_text("# comment\nteam=file\nalone\n")
    assert spec(label_file=file, labels={"team": "own"}).labels == {"team": "own", "alone": ""}


def test_quota_and_cpus_contradict_each_other() -> None:
    """cpus= is a quota of its own: one of both."""
    assert refused(cpus=1, cpu_quota=50000).name == "cpus"
    assert spec(cpu_quota=50000, cpu_period=100000).limits.cpu_quota == 50000


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "space"])
def test_an_env_file_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """A missing file, a folder, bytes that are no text, a key with a space."""
    file = tmp_path / "env"
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        file.write_bytes(b"\xff\xfe\x00" if kind == "binary" else b"A B=1\n")
    assert refused(env_file=str(file)).name == "env_file"


@pytest.mark.parametrize(
    "given", [{"": "x"}, {"A=B": "x"}, {1: "x"}, {"A": b"x"}, {"A": "\0"}, ["=x"], [1], 5, {"A": ["x"]}]
)
def test_broken_environments_are_refused(given: object) -> None:
    """Empty keys, keys with '=', values that are no scalars."""
    assert refused(env=given).name == "env"


def test_labels_are_a_mapping_or_a_list() -> None:
    """A key alone has an empty value."""
    assert spec(labels={"a": "b", "c": None, "n": 1}).labels == {"a": "b", "c": "", "n": "1"}
    assert spec(labels=["a=b", "c"]).labels == {"a": "b", "c": ""}
    assert refused(labels={"": "x"}).name == "labels"


# ---------------------------------------------------------------- names, users, paths, signals
@pytest.mark.parametrize("name", ["", "a", "-a", "a b", "a/b", "ä1", "a\n", 5, "x" * 256])
def test_a_name_no_engine_allows_is_refused(name: object) -> None:
    """Letters, digits, '_', '.', '-', two of them at least."""
    assert refused(name=name).name == "name"


@pytest.mark.parametrize(("given", "user"), [(1000, "1000"), ("lab", "lab"), ("1000:1000", "1000:1000"), (0, "0")])
def test_a_user_is_a_number_or_a_name(given: object, user: str) -> None:
    """user=1000 is user="1000"."""
    assert spec(user=given).user == user


@pytest.mark.parametrize("given", ["", -1, True, 1.0, "a:b:c", "a:", ":b", "a b", 2**32])
def test_a_user_that_is_none_is_refused(given: object) -> None:
    """Negative numbers, bools, empty halves."""
    assert refused(user=given).name == "user"


@pytest.mark.parametrize(("given", "path"), [("/", "/"), ("/a//b/", "/a/b"), (Path("/srv"), "/srv")])
def test_a_workdir_is_an_absolute_path(given: object, path: str) -> None:
    """Doubled and trailing slashes are cleaned."""
    assert spec(workdir=given).workdir == path
    assert refused(workdir="relative").name == "workdir"
    assert refused(workdir="/a/../b").name == "workdir"


@pytest.mark.parametrize("given", ["SIGTERM", "TERM", "term", "sigterm", 15, "15", signal.SIGTERM])
def test_a_signal_has_one_spelling(given: object) -> None:
    """Every spelling of SIGTERM is SIGTERM."""
    assert options.parse_signal("signal", given) == "SIGTERM"


def test_realtime_signals_have_names_too() -> None:
    """systemd in a container stops on SIGRTMIN+3."""
    assert spec(stop_signal="SIGRTMIN+3").stop_signal == "SIGRTMIN+3"
    assert spec(stop_signal=37).stop_signal == "SIGRTMIN+3"
    assert spec(stop_signal="RTMAX").stop_signal == "SIGRTMIN+30"


@pytest.mark.parametrize("given", [0, -1, 32, 65, True, "", "SIGNOPE", "SIGRTMIN+99", 15.0, None, b"TERM"])
def test_a_signal_that_is_none_is_refused(given: object) -> None:
    """Numbers without a name, words that are no signals."""
    with pytest.raises(InvalidOption):
        options.parse_signal("signal", given)


@pytest.mark.parametrize("value", ["yes", 1, 0, "true", []])
@pytest.mark.parametrize("name", ["tty", "interactive", "init", "rm", "read_only", "privileged", "publish_all"])
def test_a_switch_is_true_or_false_only(name: str, value: object) -> None:
    """What only looks like True or False is refused."""
    assert refused(**{name: value}).name == name


# ---------------------------------------------------------------- sizes, times, limits
@pytest.mark.parametrize(
    ("given", "size"),
    [
        (67108864, 67108864), ("64m", 64 << 20), ("64M", 64 << 20), ("64mb", 64 << 20), ("64MiB", 64 << 20),
        ("0.5g", 512 << 20), ("1.5GiB", 1536 << 20), ("8192k", 8 << 20), ("1t", 1 << 40), ("67108864b", 64 << 20),
        ("67108864", 64 << 20), ("64 MB", 64 << 20),
    ],
)  # fmt: skip
def test_a_size_is_bytes_or_a_number_with_a_unit_of_1024(given: object, size: int) -> None:
    """Units are powers of 1024, as on the command line."""
    assert spec(memory=given).limits == ResourceLimits(memory=size)


@pytest.mark.parametrize(
    "given",
    [0, -1, 6291455, "5m", "", "m", "1x", "-64m", "64 m b", 6.4e7, True, "1e9", 2**63, "9" * 5000, "99999p", "nan"],
)
def test_an_impossible_memory_size_is_refused(given: object) -> None:
    """Below the 6 MiB an engine allows, negative, no number, more than 63 bits."""
    assert refused(memory=given).name == "memory"


@given(st.integers(min_value=1, max_value=2**40), st.sampled_from(["k", "K", "kb", "KiB", "m", "MiB", "g"]))
def test_a_size_with_a_unit_is_that_many_times_the_unit(count: int, unit: str) -> None:
    """size("nk") is n * 1024, for every n and unit; a result of more than 63 bits is refused."""
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit[0].lower()]
    if count * factor >= 2**63:
        with pytest.raises(InvalidOption):
            primitives.parse_size("s", f"{count}{unit}")
    else:
        assert primitives.parse_size("s", f"{count}{unit}") == count * factor


@given(st.integers(min_value=1, max_value=10**9))
def test_a_plain_number_of_bytes_is_itself(count: int) -> None:
    """Bytes as int, as digits and with "b" are the same."""
    assert (
        primitives.parse_size("s", count)
        == primitives.parse_size("s", str(count))
        == primitives.parse_size("s", f"{count}b")
    )


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(3, 3.0), (0.5, 0.5), ("1m30s", 90.0), ("500ms", 0.5), ("1h", 3600.0), ("1.5s", 1.5), ("30", 30.0),
     (timedelta(minutes=2), 120.0), (None, None)],
)  # fmt: skip
def test_a_duration_is_seconds_or_the_command_lines_form(given: object, seconds: float | None) -> None:
    """Seconds as a number, a timedelta, or "1m30s"."""
    assert options.parse_timeout("timeout", given) == seconds


@pytest.mark.parametrize(
    "given", [0, -1, float("inf"), float("nan"), "", "abc", "1m 30s", "-1s", True, b"1", [], 10**400, "1e9"]
)
def test_a_timeout_that_is_none_is_refused(given: object) -> None:
    """Zero, negative, endless, no time at all."""
    with pytest.raises(InvalidOption):
        options.parse_timeout("timeout", given)


def test_stop_now_is_a_timeout_of_zero_where_it_is_allowed() -> None:
    """zero=True allows 0."""
    assert options.parse_timeout("timeout", 0, zero=True) == 0.0


def test_an_update_takes_limits_and_a_restart_policy() -> None:
    """update_spec() returns both, and refuses any other option."""
    given = {"memory": "64m", "memory_swap": -1, "cpus": "0.5", "pids_limit": -1, "cpuset_cpus": [0, 1]}
    found = options.update_spec({**given, "restart": "on-failure:3"})
    assert found == (ResourceLimits(64 << 20, -1, None, 0.5, None, "0,1", -1), RestartPolicy("on-failure", 3))
    assert options.update_spec({"restart": None}) == (ResourceLimits(), None)
    with pytest.raises(InvalidOption, match=r"name='x': expected an option of update"):
        options.update_spec({"name": "x"})


@pytest.mark.parametrize(
    "given",
    [
        {"cpus": 0}, {"cpus": -1}, {"cpus": "x"}, {"cpus": True}, {"cpus": float("inf")}, {"cpus": 0.001},
        {"pids_limit": 0}, {"pids_limit": -2}, {"pids_limit": 1.5}, {"pids_limit": True}, {"pids_limit": "x"},
        {"cpuset_cpus": "a"}, {"cpuset_cpus": "3-1"}, {"cpuset_cpus": ""}, {"cpuset_cpus": [-1]},
        {"cpu_shares": 1}, {"cpu_shares": 300000},
        {"memory_swap": "64m"}, {"memory": "64m", "memory_swap": "32m"}, {"memory": "64m", "memory_swap": 0},
        {"memory": "64m", "memory_reservation": "128m"}, {"memory_reservation": "1m"},
    ],
)  # fmt: skip
def test_impossible_limits_are_refused(given: dict[str, object]) -> None:
    """Limits no engine would accept, and pairs that contradict each other."""
    assert refused(**given).name == list(given)[-1]


@pytest.mark.parametrize(
    "given",
    [{"nofile": (1024, 2048)}, ["nofile=1024:2048"], "nofile=1024:2048", {"nofile": "1024:2048"},
     [{"name": "nofile", "soft": 1024, "hard": 2048}], {"name": "nofile", "soft": 1024, "hard": 2048},
     [Ulimit("nofile", 1024, 2048)]],
)  # fmt: skip
def test_a_ulimit_has_many_spellings(given: object) -> None:
    """The command line's line, a mapping, and a Ulimit give the same limits."""
    assert spec(ulimits=given).ulimits == (Ulimit("nofile", 1024, 2048),)
    assert spec(ulimits={"nofile": 10}).ulimits == (Ulimit("nofile", 10, 10),)


@pytest.mark.parametrize(
    "given", [{"nofiles": 1}, {"nofile": (2, 1)}, {"nofile": -2}, "nofile", ["nofile=x"], 5, {"nofile": True}, [{}]]
)
def test_broken_ulimits_are_refused(given: object) -> None:
    """Unknown names, soft above hard, no numbers."""
    assert refused(ulimits=given).name == "ulimits"


# ---------------------------------------------------------------- files
BIND = Mount("bind", "/a", "/b", read_only=True)


@pytest.mark.parametrize(
    "given",
    [{"/a": "/b:ro"}, {"/a": {"bind": "/b", "mode": "ro"}}, ["/a:/b:ro"], "/a:/b:ro", [BIND], {Path("/a"): "/b:ro"},
     {"/a": ["/b:ro"]}, ("/a:/b/:ro",), {"/a": {"bind": "/b", "read_only": True}},
     [{"type": "bind", "source": "/a", "target": "/b", "read_only": True}]],
)  # fmt: skip
def test_a_read_only_volume_has_many_spellings(given: object) -> None:
    """Mappings, lists, docker-py's dicts, pathlib paths: one Mount."""
    assert spec(volumes=given).mounts == (BIND,)


READ_ONLY = [
    "ro",
    "readonly",
    "readonly=true",
    "readonly=1",
    "read_only",
    "read-only=true",
    "rw=false",
    "ro=TRUE",
]


@pytest.mark.parametrize("word", READ_ONLY)
@pytest.mark.parametrize(
    "line", ["type=bind,source=/a,target=/b", "type=bind,src=/a,dst=/b", "destination=/b,src=/a,type=bind"]
)
def test_every_spelling_of_read_only_is_read_only(line: str, word: str) -> None:
    """A mount asked for as read-only is read-only, however it is spelled."""
    assert spec(mounts=[f"{line},{word}"]).mounts == (BIND,)
    assert spec(mount=f"{word},{line}").mounts == (BIND,)


@pytest.mark.parametrize("key", ["ro", "readonly", "read_only", "read-only"])
@pytest.mark.parametrize("keys", [("type", "source", "target"), ("kind", "source", "target"), ("type", "src", "dst")])
def test_every_mapping_that_says_read_only_is_read_only(keys: tuple[str, str, str], key: str) -> None:
    """A mapping accepts the command line's words and the fields of Mount."""
    assert spec(mounts=[dict(zip(keys, ("bind", "/a", "/b"), strict=True)) | {key: True}]).mounts == (BIND,)


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("mounts", {"Type": "bind", "Source": "/a", "Target": "/b"}, "kind"),
        ("mounts", {"type": "bind", "source": "/a", "target": "/b", "ReadOnly": True}, "read_only"),
        ("mounts", {"type": "tmpfs", "target": "/b", "TmpfsOptions": {"SizeBytes": 1}}, "tmpfs_options"),
        ("ulimits", {"Name": "nofile", "Soft": 1}, "name"),
        ("ulimits", [{"name": "nofile", "Soft": 1}], "soft"),
        ("devices", {"PathOnHost": "/dev/fuse"}, "host_path"),
        ("devices", [{"host_path": "/dev/fuse", "PathInContainer": "/dev/x"}], "container_path"),
        ("devices", [{"host_path": "/dev/fuse", "CgroupPermissions": "r"}], "permissions"),
        ("restart", {"Name": "always"}, "name"),
        ("restart", {"name": "on-failure", "MaximumRetryCount": 3}, "max_retries"),
        ("healthcheck", {"Test": "true"}, "test"),
        ("healthcheck", {"test": "true", "StartPeriod": 3}, "start_period"),
    ],
)
def test_a_key_of_docker_py_is_refused_with_our_key(option: str, value: object, word: str) -> None:
    """TitleCase keys are no spelling; the error names the key to type."""
    error = refused(**{option: value})
    assert error.name == option
    assert error.expected.endswith(f"; did you mean {word!r}?")


def test_relative_sources_are_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./x and a relative pathlib path become absolute; a bare word is a volume's name."""
    monkeypatch.chdir(tmp_path)
    found = spec(volumes=["./x:/1", ".:/2", "data:/3", "../y:/4"]).mounts + spec(volumes={Path("z"): "/5"}).mounts
    sources = [str(tmp_path / "x"), str(tmp_path), "data", str(tmp_path.parent / "y"), str(tmp_path / "z")]
    assert [mount.source for mount in found] == sources
    assert [mount.kind for mount in found] == ["bind", "bind", "volume", "bind", "bind"]
    assert spec(volumes=["~/x:/1"]).mounts[0].source == os.path.expanduser("~/x")


def test_a_path_alone_is_an_anonymous_volume() -> None:
    """volumes=["/data"] is -v /data."""
    assert spec(volumes=["/data"]).mounts == (Mount("volume", "", "/data"),)


def test_modes_of_a_volume_are_kept() -> None:
    """Relabelling, propagation and nocopy."""
    assert spec(volumes="/a:/b:ro,Z,rslave").mounts == (
        Mount("bind", "/a", "/b", read_only=True, relabel="Z", propagation="rslave"),
    )
    assert spec(volumes="data:/b:nocopy").mounts == (Mount("volume", "data", "/b", no_copy=True),)


@pytest.mark.parametrize(
    "given",
    ["/a:/b:rx", "/a:/b:", "/a:b", "a/b:/c", "/a:/", "/a:/b/../c", ":/b", "/a:/b:ro:rw", "/a:/b:ro,rw", "d:/b", "",
     "/a:/b:nocopy", "data:/b:rslave", 5, True, {"/a": None}, {"/a": {"mode": "ro"}}, {"/a": {"bind": "/b",
     "mod": "ro"}},
     {"": "/b"}, {1: "/b"}, [["/a", "/b"]], "/a\0:/b", {"/a": {"bind": "/b", "mode": 5}}, ["/a:/x", "/b:/x"]],
)  # fmt: skip
def test_broken_volumes_are_refused(given: object) -> None:
    """Unknown modes, relative targets, the root, names no engine allows, two at one place."""
    assert refused(volumes=given).name == "volumes"


@pytest.mark.parametrize(
    "given",
    ["type=bind,target=/b", "type=bind,source=/a", "type=nfs,target=/b", "target=/b,readonly=maybe",
    "type=tmpfs,src=x,dst=/t",
     "type=bind,src=/a,dst=/b,consistency=cached", "src=/a,dst=/b,source=/c", "type=volume,src=/a,dst=/b", "dst", "",
     "type=bind,src=/a,dst=/b,tmpfs-size=1m", "type=bind,src=/a,dst=/b,bind-propagation=up", {}, [5], 'type=bind,"x',
     {"type": "bind", "source": "/a", "target": "/b", "readonly": "perhaps"}, {"Type": "bind", "Nested": {"a": 1}},
     "type=bind,src=/a,dst=/b,ro,readonly"],
)  # fmt: skip
def test_broken_mounts_are_refused(given: object) -> None:
    """Missing parts, unknown words, words of another kind."""
    assert refused(mounts=given).name == "mounts"


@pytest.mark.parametrize(
    "given",
    [
        {"/t": "size=1m,mode=1777"},
        ["/t:size=1m,mode=1777"],
        "/t:mode=1777,size=1m",
        {"/t": {"size": "1m", "mode": 0o1777}},
    ],
)
def test_a_tmpfs_has_many_spellings(given: object) -> None:
    """Size and mode are read, in any order."""
    assert spec(tmpfs=given).mounts == (Mount("tmpfs", "", "/t", tmpfs_size=1 << 20, tmpfs_mode=0o1777),)


def test_other_words_of_a_tmpfs_are_kept() -> None:
    """The kernel's own words reach the engine; a size in percent is one of them."""
    assert spec(tmpfs="/t:noexec,uid=5,size=50%,ro").mounts == (
        Mount("tmpfs", "", "/t", read_only=True, tmpfs_options=("noexec", "uid=5", "size=50%")),
    )
    assert spec(tmpfs={"/t": None}).mounts == spec(tmpfs="/t").mounts == (Mount("tmpfs", "", "/t"),)


@pytest.mark.parametrize(
    "given", ["/", "t", "/t:size=x", "/t:mode=9", "/t:noexce", "/t:size=0", {"/t": 5}, 5, "/t:size=1m,size=2m"]
)
def test_a_broken_tmpfs_is_refused(given: object) -> None:
    """The root, relative paths, unknown words."""
    assert refused(tmpfs=given).name == "tmpfs"


@pytest.mark.parametrize(
    ("given", "device"),
    [("/dev/fuse", DeviceSpec("/dev/fuse", "/dev/fuse", "rwm")),
    ("/dev/fuse:rw", DeviceSpec("/dev/fuse", "/dev/fuse", "rw")),
     ("/dev/a:/dev/b", DeviceSpec("/dev/a", "/dev/b", "rwm")), ("/dev/a:/dev/b:r", DeviceSpec("/dev/a", "/dev/b",
     "r"))],
)  # fmt: skip
def test_a_device_is_host_container_permissions(given: str, device: DeviceSpec) -> None:
    """As on the command line."""
    assert spec(devices=[given]).devices == (device,)
    assert refused(devices=[given + ":x:y"]).name == "devices"


# ---------------------------------------------------------------- ports
@pytest.mark.parametrize(
    ("given", "bindings"),
    [
        ({80: 8080}, [PortBinding(80, "tcp", "", 8080)]),
        ({"80": "8080"}, [PortBinding(80, "tcp", "", 8080)]),
        ({"80/udp": None}, [PortBinding(80, "udp")]),
        ({80: ("127.0.0.1", None)}, [PortBinding(80, "tcp", "127.0.0.1")]),
        ({80: ("127.0.0.1",)}, [PortBinding(80, "tcp", "127.0.0.1")]),
        ({80: "127.0.0.1:8080"}, [PortBinding(80, "tcp", "127.0.0.1", 8080)]),
        ({80: "127.0.0.1"}, [PortBinding(80, "tcp", "127.0.0.1")]),
        ({80: [8080, 8081]}, [PortBinding(80, "tcp", "", 8080), PortBinding(80, "tcp", "", 8081)]),
        ({80: "[::1]:8080"}, [PortBinding(80, "tcp", "::1", 8080)]),
        (["8080:80"], [PortBinding(80, "tcp", "", 8080)]),
        ("8080:80/UDP", [PortBinding(80, "udp", "", 8080)]),
        (["80", 81], [PortBinding(80), PortBinding(81)]),
        (80, [PortBinding(80)]),
        (["127.0.0.1:8080:80"], [PortBinding(80, "tcp", "127.0.0.1", 8080)]),
        (["127.0.0.1::80"], [PortBinding(80, "tcp", "127.0.0.1")]),
        (["[::1]:8080:80"], [PortBinding(80, "tcp", "::1", 8080)]),
        (["[::1]::80"], [PortBinding(80, "tcp", "::1")]),
        (["8000-8001:80-81"], [PortBinding(80, "tcp", "", 8000), PortBinding(81, "tcp", "", 8001)]),
        (["80-81"], [PortBinding(80), PortBinding(81)]),
        (["8000-8005:80"], [PortBinding(80, "tcp", "", 8000, 8005)]),
        ({80: "127.0.0.1:8000-8005"}, [PortBinding(80, "tcp", "127.0.0.1", 8000, 8005)]),
        ([PortBinding(80, "tcp", "", 8000, 8005)], [PortBinding(80, "tcp", "", 8000, 8005)]),
        ([PortBinding(80, "sctp")], [PortBinding(80, "sctp")]),
        (["80", "80"], [PortBinding(80)]),
    ],
)
def test_ports_are_a_mapping_or_the_command_lines_strings(given: object, bindings: list[PortBinding]) -> None:
    """In a mapping the container's port is the key; in a string it comes last."""
    assert spec(publish=given).publish == tuple(bindings)


@pytest.mark.parametrize(
    "given",
    [{"80": "abc"}, {0: 80}, {80: 0}, {70000: 80}, {80: 70000}, {80: -1}, {"abc": 80}, {80: True}, {True: 80},
    {80: 80.0},
     {80: b"80"}, {"80/xyz": 80}, {80: ("localhost", 80)}, {80: ("127.0.0.1", 1, 2)}, {80: ()}, {80: {"HostPort": 80}},
     "", ":", "80:", ":80", "abc", "80:abc", "a:80:80", "1.2.3.4.5:80:80", "::1:80:80", "8000-8001:80-82", "81-80",
     "0:80", "8005-8000:80", PortBinding(80, "tcp", "", 8005, 8000), PortBinding(80, "tcp", "", None, 8000),
     PortBinding(80, "icmp"), PortBinding(0), PortBinding(80, "tcp", "x"), PortBinding(80, "tcp", "", 0),
     ["80/"], "8080:80:90", "127.0.0.1:80", "[::1]:80", [None], [True], True, b"80", ["8080:80", "8080:81"], 99999],
)  # fmt: skip
def test_broken_ports_are_refused(given: object) -> None:
    """Ports from 1 to 65535, addresses that are some, ranges that fit, one container port a host port."""
    assert refused(publish=given).name == "publish"


def test_exposed_ports_have_no_host_side() -> None:
    """expose= names ports."""
    assert spec(expose=[80, "81/udp"]).expose == (PortBinding(80), PortBinding(81, "udp"))
    assert refused(expose=["80:80"]).name == "expose"


# ---------------------------------------------------------------- networks
@pytest.mark.parametrize(
    "mode", ["bridge", "host", "none", "container:db", "slirp4netns", "pasta", "private", "slirp4netns:mtu=1"]
)
def test_words_of_the_engine_are_a_network_mode(mode: str) -> None:
    """They are no user networks."""
    assert (spec(network=mode).network_mode, spec(network=mode).networks) == (mode, ())
    assert spec(network="default").network_mode is None


@pytest.mark.parametrize(
    "given",
    [{"network": "lab", "network_alias": ["a", "b"], "ip": "10.0.0.5", "mac_address": "02-42-AC-11-00-02"},
     {"network": {"lab": {"aliases": ["a", "b"], "ip": "10.0.0.5", "mac_address": "02:42:ac:11:00:02"}}},
     {"network": {"lab": {"alias": ["a", "b"], "ipv4_address": "10.0.0.5"}}, "mac_address": "02:42:ac:11:00:02"},
     {"networks": ["lab:alias=a,alias=b,ip=10.0.0.5,mac=02:42:ac:11:00:02"]},
     {"network": "name=lab,alias=a,alias=b,ip=10.0.0.5,mac-address=02:42:ac:11:00:02"}],
)  # fmt: skip
def test_who_a_container_is_in_a_network_has_many_spellings(given: dict[str, object]) -> None:
    """Aliases and addresses beside network=, in it, or in either engine's line."""
    expected = NetworkAttachment("lab", ("a", "b"), "10.0.0.5", None, "02:42:ac:11:00:02")
    assert spec(**given).networks == (expected,)
    assert options.parse_attachment("lab", aliases=["a", "b"], ip="10.0.0.5", mac="02:42:ac:11:00:02") == expected


def test_several_networks_at_once() -> None:
    """A list or a mapping of them."""
    both = (NetworkAttachment("a"), NetworkAttachment("b", ("x",)))
    assert spec(network={"a": None, "b": {"alias": "x"}}).networks == both
    assert spec(network=list(both)).networks == both


@pytest.mark.parametrize(
    ("given", "name"),
    [({"ip": "10.0.0.5"}, "ip"), ({"network": "bridge", "ip": "10.0.0.5"}, "ip"),
    ({"network": ["a", "b"], "ip": "10.0.0.5"}, "ip"),
     ({"network": "host", "network_alias": "x"}, "network_alias"), ({"network": ["host", "a"]}, "network"),
     ({"network": {"host": {"ip": "1.2.3.4"}}}, "network"), ({"network": ""}, "network"), ({"network": []}, "network"),
     ({"network": "a b"}, "network"), ({"network": "container:"}, "network"), ({"network": ["a", "a"]}, "network"),
     ({"network": "a", "ip": "300.1.1.1"}, "ip"), ({"network": "a", "ip": "::1"}, "ip"),
     ({"network": "a", "ip6": "1.2.3.4"}, "ip6"),
     ({"network": "a", "mac_address": "xx"}, "mac_address"), ({"network": {"a": {"alais": "x"}}}, "network"),
     ({"network": {"a": 5}}, "network"), ({"network": {"a": {"ip": "10.0.0.1"}}, "ip": "10.0.0.2"}, "ip"),
     ({"network": "a", "network_alias": ["-"]}, "network_alias"), ({"network": 5}, "network"),
     ({"network": {5: None}}, "network")],
)  # fmt: skip
def test_broken_networks_are_refused(given: dict[str, object], name: str) -> None:
    """Addresses without a user network, modes among networks, words that are none."""
    assert refused(**given).name == name


def test_hosts_are_a_mapping_or_lines() -> None:
    """IPv6 addresses and host-gateway too."""
    found = (("a", "1.2.3.4"), ("b", "::1"), ("c", "host-gateway"))
    assert spec(add_host={"a": "1.2.3.4", "b": "::1", "c": "host-gateway"}).add_host == found
    assert spec(add_host=["a:1.2.3.4", "b:::1", "c=host-gateway"]).add_host == found
    broken: Any
    for broken in ("a", "a:", "a:x", {"a": 5}, {"a": [{}]}, {"-": "1.2.3.4"}):
        assert refused(add_host=broken).name == "add_host"


# ---------------------------------------------------------------- health, restart, rights
def test_a_health_check_is_a_line_a_list_or_a_mapping() -> None:
    """Seconds everywhere; a line runs in a shell, a list does not."""
    expected = HealthCheck(("CMD-SHELL", "test -f /x"), interval=1.5, timeout=2.0, retries=4, start_period=60.0)
    times = {"interval": 1.5, "timeout": "2s", "retries": 4, "start_period": "1m"}
    assert spec(health_cmd="test -f /x", **{f"health_{key}": value for key, value in times.items()}).health == expected
    assert spec(healthcheck={"test": "test -f /x", **times}).health == expected
    assert spec(healthcheck=expected).health == expected
    assert spec(health_cmd=["test", "-f"]).health == HealthCheck(("CMD", "test", "-f"))
    assert spec(health_cmd=["CMD-SHELL", "x"]).health == HealthCheck(("CMD-SHELL", "x"))


@pytest.mark.parametrize(
    "given", [{"no_healthcheck": True}, {"health_cmd": "none"}, {"healthcheck": {"test": ["NONE"]}}]
)
def test_the_images_health_check_can_be_switched_off(given: dict[str, object]) -> None:
    """In three ways."""
    assert spec(**given).health == HealthCheck(("NONE",))


@pytest.mark.parametrize(
    "given",
    [{"health_interval": 1}, {"health_cmd": ""}, {"health_cmd": "x", "no_healthcheck": True}, {"health_cmd": []},
     {"health_cmd": "x", "health_interval": 0}, {"health_cmd": "x", "health_retries": 0},
     {"healthcheck": {"interval": 1}},
     {"healthcheck": {"test": "x", "interval": 1_000_000_000}}, {"healthcheck": {"test": "x", "intervall": 1}},
     {"healthcheck": "x"}, {"health_cmd": "x", "healthcheck": {"test": "x"}}, {"health_cmd": "x",
     "health_timeout": "soon"}],
)  # fmt: skip
def test_broken_health_checks_are_refused(given: dict[str, object]) -> None:
    """Times without a command, both forms at once, docker-py's nanoseconds."""
    assert refused(**given).name in given


def test_restart_policies() -> None:
    """A line, a mapping and a RestartPolicy give the same policy."""
    assert spec(restart="on-failure:3").restart == RestartPolicy("on-failure", 3)
    assert spec(restart={"name": "on-failure", "max_retries": 3}).restart == RestartPolicy("on-failure", 3)
    assert spec(restart=RestartPolicy("on-failure", 3)).restart == RestartPolicy("on-failure", 3)
    for broken in ("", "sometimes", "always:3", "on-failure:", "on-failure:x", "on-failure:-1", 5, {"name": "x"}, {}):
        assert refused(restart=broken).name == "restart"


def test_capabilities_have_one_spelling() -> None:
    """cap_net_raw, CAP_NET_RAW and NET_RAW are one; an unknown one is refused with the nearest."""
    assert spec(cap_add=["cap_net_raw", "NET_RAW"], cap_drop="all").cap_add == ("NET_RAW",)
    assert "NET_ADMIN" in refused(cap_add=["NET_ADMN"]).expected


@pytest.mark.parametrize("given", ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"])
def test_no_new_privileges_has_one_spelling(given: str) -> None:
    """So that a backend can look for it and verify it."""
    assert spec(security_opt=[given]).security_opt == ("no-new-privileges",)
    assert spec(security_opt=["label:disable", "seccomp=unconfined"]).security_opt == (
        "label=disable",
        "seccomp=unconfined",
    )
    for broken in ("no-new-privilege", "no-new-privileges:maybe", "seccomp", "x=y", ""):
        assert refused(security_opt=[broken]).name == "security_opt"


def test_the_rest_is_read_too() -> None:
    """Sysctls, groups, GPUs, namespaces, logs, platform."""
    found = spec(
        sysctls={"net.ipv4.ip_forward": True, "net.core.somaxconn": 1024}, group_add=[5, "lab"], gpus=2,
        userns="keep-id:uid=5",
        pid="container:db", ipc="host", platform="linux/arm64", log_opt={"max-size": "1m"}, stop_timeout=0,
        oom_score_adj=-5,
    )  # fmt: skip
    assert found.sysctls == {"net.ipv4.ip_forward": "1", "net.core.somaxconn": "1024"}
    assert (found.group_add, found.gpus, found.userns, found.pid) == (
        ("5", "lab"),
        "2",
        "keep-id:uid=5",
        "container:db",
    )
    assert (found.log_opt, found.stop_timeout, found.oom_score_adj) == ({"max-size": "1m"}, 0, -5)
    broken = {
        "userns": "mine",
        "pid": "container:",
        "gpus": 0,
        "platform": "Linux",
        "oom_score_adj": 1001,
        "sysctls": "x",
        "log_opt": "x",
    }
    for name, value in broken.items():
        assert refused(**{name: value}).name == name


@pytest.mark.parametrize(
    ("given", "name"),
    [({"rm": True, "restart": "always"}, "restart"), ({"network": "none", "publish": 80}, "publish"),
     ({"network": "host", "publish": 80}, "publish"), ({"network": "host", "publish_all": True}, "publish_all"),
     ({"network": "container:x", "publish": 80}, "publish"), ({"network": "container:x", "hostname": "h"}, "hostname"),
     ({"network": "container:x", "dns": "1.1.1.1"}, "dns"), ({"uts": "host", "hostname": "h"}, "hostname"),
     ({"cap_add": "NET_RAW", "cap_drop": "NET_RAW"}, "cap_drop"), ({"volumes": "/a:/t", "tmpfs": "/t"}, "tmpfs"),
     ({"security_opt": ["no-new-privileges", "no-new-privileges:false"]}, "security_opt")],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(given: dict[str, object], name: str) -> None:
    """What the engine would drop silently is refused."""
    assert refused(**given).name == name


# ---------------------------------------------------------------- exec, build, volumes, networks, filters
def test_an_exec_has_its_own_options() -> None:
    """Command, env, user, workdir, switches."""
    found = options.exec_spec("id -u", env={"A": 1}, user=0, workdir="/", interactive=True, privileged=False)
    assert found == ExecSpec(("id", "-u"), {"A": "1"}, "0", "/", stdin=True)
    for command in (None, [], "", [""]):
        with pytest.raises(InvalidOption):
            options.exec_spec(command)
    with pytest.raises(InvalidOption, match="exec"):
        options.exec_spec("id", volumes=[])  # type: ignore[call-arg]


def test_a_build_is_read_as_the_command_line_is() -> None:
    """tag= or tags=, build_arg= or build_args=, file= or dockerfile=."""
    found = options.build_spec(tag="x:1", file="./sub/Dockerfile", build_arg={"A": True}, target="base", shm_size="64m")
    assert found == BuildSpec(("x:1",), "sub/Dockerfile", {"A": "true"}, "base", {}, shm_size=64 << 20)


@pytest.mark.parametrize(
    "given",
    [{"tag": "X"}, {"tag": f"x@sha256:{'a' * 64}"}, {"tag": ""}, {"dockerfile": ""}, {"dockerfile": "x" * 300},
     {"no_cache": 1}, {"platform": "x/y/z/w"}, {"build_args": 5}, {"unknown": 5}, {"tag": "a", "tags": "b"}],
)  # fmt: skip
def test_a_broken_build_is_refused(given: dict[str, Any]) -> None:
    """A tag that is no name, a path that cannot be, unknown options."""
    with pytest.raises(InvalidOption) as caught:
        options.build_spec(**given)
    assert caught.value.name in given


def test_a_volume_is_a_name_and_a_driver() -> None:
    """Without a name the engine chooses one."""
    assert options.volume_spec("data", opt=["type=tmpfs"], label="a=b") == VolumeSpec(
        "data", "local", {"type": "tmpfs"}, {"a": "b"}
    )
    assert options.volume_spec() == VolumeSpec()
    for broken in ("", "a", "/a", "a b", 5):
        with pytest.raises(InvalidOption):
            options.volume_spec(broken)  # type: ignore[arg-type]


def test_a_network_is_a_name_and_a_subnet() -> None:
    """A gateway and a range lie in the subnet; an IPv6 subnet switches IPv6 on."""
    found = options.network_spec(
        "lab", subnet="10.5.0.0/24", gateway="10.5.0.1", ip_range="10.5.0.128/25", internal=True
    )
    assert found == NetworkSpec("lab", "bridge", "10.5.0.0/24", "10.5.0.1", "10.5.0.128/25", internal=True)
    assert options.network_spec("lab", subnet="fd00::/64").ipv6


@pytest.mark.parametrize(
    "given",
    [{"name": "host"}, {"name": ""}, {"name": "a b"}, {"subnet": "10.5.0.1/24"}, {"subnet": "10.5.0.0"}, {"subnet": 5},
     {"gateway": "10.0.0.1"}, {"subnet": "10.5.0.0/24", "gateway": "10.6.0.1"}, {"subnet": "10.5.0.0/24", "gateway": 5},
     {"subnet": "10.5.0.0/24", "ip_range": "10.5.0.0/16"}, {"subnet": "10.5.0.0/24", "ip_range": "fd00::/64"},
     {"ipv6": 1}, {"driver": ""}, {"enable_ipv6": True}],
)  # fmt: skip
def test_a_broken_network_is_refused(given: dict[str, Any]) -> None:
    """Names that mean something else, subnets with host bits, addresses outside."""
    with pytest.raises(InvalidOption) as caught:
        options.network_spec(**{"name": "lab", **given})
    assert caught.value.name == list(given)[-1]


def test_filters_are_strings_lists_bools_or_mappings() -> None:
    """Every form becomes a tuple of strings."""
    given = {"label": {"a": 1, "b": None}, "status": "running", "name": ["x", "y"], "dangling": True, "exited": 0}
    assert options.parse_filters("filters", given) == {
        "label": ("a=1", "b"), "status": ("running",), "name": ("x", "y"), "dangling": ("true",), "exited": ("0",),
    }  # fmt: skip
    assert options.parse_filters("filters", None) == {}
    broken: Any
    for broken in ("label=a", {"": "x"}, {"a": None}, {"a": b"x"}, {"a": []}, {"a": ""}, {5: "x"}, {"a": object()}):
        with pytest.raises(InvalidOption):
            options.parse_filters("filters", broken)


# ---------------------------------------------------------------- garbage
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.binary(max_size=4)
_WORDS = st.sampled_from(
    ["/a:/b:ro", "/a", "80", "8080:80/tcp", "127.0.0.1::80", "type=bind,src=/a,dst=/b", "size=1m", "a=b",
    "nofile=1:2", "host",
     "lab:ip=10.0.0.1", "on-failure:3", "64m", "1m30s", "bind", "mode", "target", "source", "[::1]:80:80",
     "no-new-privileges"]
)  # fmt: skip
_KEYS = _WORDS | st.text(max_size=6) | st.integers() | st.none()
_GARBAGE = st.recursive(
    _SCALARS | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(_KEYS, inner, max_size=3)
        | st.sets(_SCALARS, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[Slow.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(CREATE)), _GARBAGE, min_size=1, max_size=3))
def test_garbage_raises_nothing_but_invalid_option(given_options: dict[str, object]) -> None:
    """Whatever is given for whatever option: a spec, or InvalidOption that names an option."""
    error: InvalidOption | None = None
    try:
        spec(**given_options)
    except InvalidOption as caught:
        error = caught
    assert error is None or (error.name in CREATE and error.expected)


@pytest.mark.parametrize("name", sorted(CREATE))
@settings(max_examples=20, deadline=None, suppress_health_check=[Slow.too_slow])
@given(value=_GARBAGE)
def test_garbage_for_each_option_raises_nothing_but_invalid_option(name: str, value: object) -> None:
    """Each option by itself."""
    error: InvalidOption | None = None
    try:
        spec(**{name: value})
    except InvalidOption as caught:
        error = caught
    assert error is None or error.name in CREATE


@pytest.mark.parametrize(
    "read",
    [
        lambda value: options.exec_spec(value),
        lambda value: options.exec_spec("x", env=value, user=value),
        lambda value: options.build_spec(tag=value),
        lambda value: options.build_spec(dockerfile=value, build_args=value),
        lambda value: options.volume_spec(value, options=value),
        lambda value: options.network_spec("lab", subnet=value, gateway=value),
        lambda value: options.network_spec(value),
        lambda value: options.parse_attachment("lab", aliases=value),
        lambda value: options.parse_attachment(value, ip=value),
        lambda value: options.parse_filters("filters", value),
        lambda value: options.parse_filters("filters", {"label": value}),
        lambda value: options.parse_timeout("timeout", value),
        lambda value: options.parse_signal("signal", value),
        lambda value: primitives.parse_size("size", value),
        lambda value: names.parse_mac("mac", value),
    ],
)
@settings(max_examples=50, deadline=None, suppress_health_check=[Slow.too_slow])
@given(value=_GARBAGE)
def test_garbage_for_the_other_readers_raises_nothing_but_invalid_option(
    read: Callable[[Any], Any], value: object
) -> None:
    """exec, build, volumes, networks, filters and the primitives."""
    error: InvalidOption | None = None
    try:
        read(value)
    except InvalidOption as caught:
        error = caught
    assert error is None or error.expected


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    """An int too long for Python to print, and a class whose repr raises."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert refused(memory=10**5000).value == "<int>"
    assert refused(memory=Broken()).value == "<Broken>"


def test_the_error_of_a_mapping_names_the_key() -> None:
    """Among fifty variables, the broken one is named."""
    assert "for B " in refused(env={"A": "1", "B": b"2"}).expected
