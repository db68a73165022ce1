"""Values of options at their limits, and properties that hold for every value."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerkit import options
from containerkit.errors import ContainerNotFound, InvalidOption
from containerkit.options import groups, names, primitives
from containerkit.options.table import CREATE, RUN
from containerkit.spec import ContainerSpec, HealthCheck, Mount, NetworkAttachment, PortBinding, Ulimit
from containerkit.testing import FakeBackend

NAME = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,20}", fullmatch=True)
PORT = st.integers(1, 65535)
FOLDER = st.from_regex(r"(/[a-z0-9._ -]{0,7}[a-z0-9]){1,3}", fullmatch=True)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
KEY = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def spec(**given: Any) -> ContainerSpec:
    return options.container_spec("busybox", None, given)


def refused(**given: Any) -> InvalidOption:
    with pytest.raises(InvalidOption) as caught:
        spec(**given)
    return caught.value


# ---------------------------------------------------------------- properties
@settings(max_examples=50, deadline=None)
@given(st.dictionaries(KEY, TEXT, max_size=4))
def test_a_mapping_and_lines_give_the_same_environment_and_labels(pairs: dict[str, str]) -> None:
    """{"A": "1"} is ["A=1"], whatever the value."""
    lines = [f"{key}={value}" for key, value in pairs.items()]
    assert spec(env=pairs).env == spec(env=lines).env == pairs
    assert spec(labels=pairs).labels == spec(labels=lines).labels == pairs


@settings(max_examples=50, deadline=None)
@given(FOLDER, FOLDER, st.booleans())
def test_every_spelling_gives_the_same_bind(source: str, target: str, read_only: bool) -> None:
    """A line, a mapping, a mount line and a Mount give one Mount."""
    mode = ":ro" if read_only else ""
    found = {
        spec(**given).mounts
        for given in (
            {"volumes": f"{source}:{target}{mode}"},
            {"volumes": {source: f"{target}{mode}"}},
            {"volumes": {Path(source): {"target": target, "read_only": read_only}}},
            {"mounts": f"type=bind,source={source},target={target},readonly={str(read_only).lower()}"},
            {"mounts": Mount("bind", source, target, read_only=read_only)},
        )
    }
    (mounts,) = found
    assert (mounts[0].kind, mounts[0].source, mounts[0].read_only) == ("bind", source, read_only)
    assert mounts[0].target == os.path.normpath(target)


@settings(max_examples=50, deadline=None)
@given(PORT, PORT, st.sampled_from(["tcp", "udp", "sctp"]), st.sampled_from(["", "127.0.0.1", "::1"]))
def test_every_spelling_gives_the_same_binding(inner: int, outer: int, protocol: str, address: str) -> None:
    """A line, a mapping and a PortBinding give one binding."""
    shown = f"[{address}]" if ":" in address else address
    line = f"{shown}:{outer}:{inner}/{protocol}" if address else f"{outer}:{inner}/{protocol}"
    expected = (PortBinding(inner, protocol, address, outer),)
    assert spec(publish=line).publish == expected
    assert spec(publish={f"{inner}/{protocol}": (address, outer)}).publish == expected
    assert spec(publish=expected).publish == expected


@settings(max_examples=100, deadline=None)
@given(NAME)
def test_a_valid_name_is_taken_unchanged(name: str) -> None:
    """Names of containers, volumes and networks reach the spec as given."""
    assert spec(name=name).name == name
    assert options.volume_spec(name).name == name
    assert options.parse_object("ref", name) == name
    assert options.parse_object("ref", f"/{name}", slash=True) == name


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12) | NAME)
def test_a_name_is_what_both_engines_accept_and_nothing_else(name: str) -> None:
    """parse_name accepts exactly the grammar of both engines."""
    valid = re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name, re.ASCII) is not None
    try:
        assert spec(name=name).name == name
    except InvalidOption:
        assert not valid
    else:
        assert valid


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=12) | st.sampled_from(["/nope", "nope", ".", "..", "/..", "a/b", "//a", "/a/b/", "/"]),
    st.booleans(),
)
def test_a_name_never_becomes_a_path_of_the_api(name: str, slash: bool) -> None:
    """A name of an object without a slash, without "." and "..", or InvalidOption."""
    try:
        found = options.parse_object("ref", name, slash=slash)
    except InvalidOption:
        found = "refused"
    assert "/" not in found
    assert found not in ("", ".", "..")
    assert found == "refused" or name == found or (slash and name == f"/{found}")


def test_a_leading_slash_is_accepted_for_containers_only() -> None:
    """inspect() of a container shows "/name"; both command lines accept it back."""
    import containerkit as ck

    with ck.connect(FakeBackend(images=["busybox:1"])) as engine:
        made = engine.containers.create("busybox:1", "x", name="box")
        assert engine.containers.get("/box").id == engine.containers.get("box").id == made.id
        assert engine.containers.exists("/box")
        with pytest.raises(ContainerNotFound):
            engine.containers.get("/nope")
        engine.volumes.create("data")
        with pytest.raises(InvalidOption, match="not a path"):
            engine.volumes.exists("/data")
        with pytest.raises(InvalidOption, match="not a path"):
            engine.networks.exists("/bridge")


@settings(max_examples=50, deadline=None)
@given(st.ip_addresses())
def test_an_address_is_written_in_its_shortest_form(address: Any) -> None:
    """dns= accepts every address of either version, and the object itself."""
    assert spec(dns=address.exploded).dns == spec(dns=[address]).dns == (str(address),)
    assert names.parse_subnet("subnet", f"{address}") if "/" in str(address) else True


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 86_400_000))
def test_a_duration_in_milliseconds_is_that_many_thousandths(count: int) -> None:
    """ "1500ms" is 1.5 seconds."""
    assert options.parse_timeout("timeout", f"{count}ms") == pytest.approx(count / 1000)


# ---------------------------------------------------------------- limits of values
@pytest.mark.parametrize(
    ("option", "accepted", "outside"),
    [
        ("cpus", [0.01, 1_000_000], [0.009, 1_000_001]),
        ("cpu_shares", [2, 262144], [1, 262145]),
        ("cpuset_cpus", [0, 99999, "3-3", "0-1,3"], [100000, "3-2", "1,,2", "-1"]),
        ("pids_limit", [1, -1], [0, -2]),
        ("memory", [6 << 20], [(6 << 20) - 1]),
        ("shm_size", [1, 2**63 - 1], [0, 2**63]),
        ("stop_timeout", [0, 2_147_483], [-1, 2_147_484]),
        ("oom_score_adj", [-1000, 1000], [-1001, 1001]),
        ("user", [0, 2**32 - 2, "a:b"], [-1, 2**32 - 1, "a:b:c", "-a", "a/b"]),
        ("gpus", [1, 1024, "device=a,b"], [0, 1025, "device=", "device=a,,b", "some"]),
        ("name", ["ab", "x" * 255], ["a", "x" * 256]),
        ("hostname", ["a" * 64, ".".join(["a" * 60] * 4) + ".bb"], ["a" * 65, ".".join(["a" * 60] * 5), "-a", "a-"]),
        ("platform", ["linux", "linux/arm/v7"], ["linux/arm/v7/x", "linux/", "Linux/arm"]),
        ("publish", [1, 65535, "1-3:1-3", "1-65535:80", [PortBinding(80, host_port=5, host_port_last=6)]],
         [0, 65536, "1-3:1-2", "3-1:80", "127.0.0.1:x:80", PortBinding(80, host_port=5, host_port_last=5),
          PortBinding(80, host_port_last=5), PortBinding(80, host_port=5, host_port_last=65536)]),
        ("expose", ["8000-8002"], ["8002-8000", "80/icmp"]),
        ("dns_search", [".", "a.b"], ["", "-"]),
        ("volumes_from", ["a:ro", "a:rw", "a:z", "a:Z", "a"], ["a:rx", "a:", ":ro"]),
        ("mac_address", [], ["03:00:00:00:00:00", "02:00:00:00:00"]),
        ("sysctls", ["net.core/x:y-1=1"], ["a b=1", {"a!": 1}]),
        ("log_opt", ["a="], ["a", {"a": None}]),
        ("devices", ["/dev/a:rw", {"host_path": "/dev/a"}], ["/dev/a:rr", "/dev/a:/b:x", {"permissions": "r"}, "/"]),
        ("ulimits", ["core=-1", {"nofile": (-1, -1)}, {"core": (0, -1)}],
         ["core=-2", {"core": (-1, 5)}, {"core": (2, 1)}]),
        ("restart", ["on-failure:1"],
         ["on-failure:0", {"name": "no", "max_retries": 1}, {"name": "on-failure", "max_retries": -1}]),
        ("storage_opt", [["a=b"]], [["=b"], {"": "b"}]),
        ("security_opt", ["no-new-privileges:FALSE", "label=a:b"],
         ["no-new-privileges:", "label=", "no-new-privileges=2"]),
        ("userns", ["keep-id", "auto:size=5"], ["keep-id:", "shareable", "private:x"]),
        ("ipc", ["shareable", "container:a"], ["container", "auto"]),
        ("tmpfs", ["/t:size=50%", "/t:mode=07777", "/t:nr_inodes=5"],
         ["/t:size=5%%", "/t:mode=77777", "/t:nr_inodes=", "/t:ro,rw"]),
        ("mounts", ["type=volume,src=ab,dst=/b,z", "type=tmpfs,dst=/t,tmpfs-mode=0o700",
          {"type": "tmpfs", "target": "/t", "tmpfs_mode": 0}, {"type": "tmpfs", "target": "/t", "tmpfs_mode": 0o7777}],
         ["type=bind,src=/a,dst=/b,z,relabel=Z", "type=volume,src=,dst=/b", {"target": "/t", "source": True},
          {"type": "tmpfs", "target": "/t", "tmpfs_mode": -1}, {"type": "tmpfs", "target": "/t", "tmpfs_mode": 0o10000},
          "type=tmpfs,dst=/t,z", "type=bind,src=/a,dst=/b,ro,rw",
          "type=bind,src=/a,dst=/b,readonly,rw=false", "type=volume,src=ab,dst=/b,bind-propagation=shared",
          {"type": "tmpfs", "target": "/t", "tmpfs_options": ["noexec,x"]},
          {"type": "tmpfs", "source": "x", "target": "/t"}]),
        ("volumes", [{"/a": {"target": "/b", "mode": "ro"}}],
         [{"/a": {"target": "/b", "mode": "ro,ro"}}, {"/a": {"target": "/b", "bind": "/c"}}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_values_at_and_beyond_a_limit(option: str, accepted: list[Any], outside: list[Any]) -> None:
    """The last value that is accepted, and the first that is not."""
    for value in accepted:
        assert spec(**{option: value}) != spec()
    for value in outside:
        extra = {"network": "lab"} if option == "mac_address" else {}
        assert refused(**{option: value}, **extra).name == option, value


def test_unlimited_swap_needs_memory_and_is_the_integer_only() -> None:
    """-1 and "-1" are unlimited, -1.0 is no number of bytes; memory + swap may be memory alone."""
    assert spec(memory="64m", memory_swap="-1").limits.memory_swap == -1
    assert spec(memory="64m", memory_swap="64m").limits.memory_swap == 64 << 20
    assert refused(memory="64m", memory_swap=-1.0).name == "memory_swap"
    assert refused(memory_swap=-1).name == "memory_swap"
    assert spec(memory="64m", memory_reservation="64m").limits.memory_reservation == 64 << 20


def test_health_tests() -> None:
    """CMD and CMD-SHELL need their command."""
    assert spec(health_cmd=["CMD", "a", "b"]).health == HealthCheck(("CMD", "a", "b"))
    for broken in (["CMD"], ["CMD-SHELL"], ["CMD-SHELL", "a", "b"], " ", ["NONE", "a"][:0]):
        assert refused(health_cmd=broken).name == "health_cmd"
    assert refused(health_cmd="none", health_retries=3).name == "health_cmd"
    assert refused(health_interval=3, health_retries=3).name == "health_interval"
    assert refused(healthcheck={"test": "a"}, no_healthcheck=True).name == "no_healthcheck"
    assert refused(healthcheck={"interval": 3}).expected == "a test: the command to check with"
    assert spec(health_cmd="a", health_start_period=0, health_interval=0.001).health == HealthCheck(
        ("CMD-SHELL", "a"), interval=0.001, start_period=0.0
    )
    assert refused(health_cmd="a", health_interval=86401).name == "health_interval"


def test_settings_of_a_network_stand_in_one_place() -> None:
    """An address beside network= and in it is refused; with one network both places are joined."""
    assert spec(network={"lab": {"alias": "x"}}, ip="10.0.0.5").networks == (
        NetworkAttachment("lab", ("x",), "10.0.0.5"),
    )
    assert refused(network={"lab": {"ip": "10.0.0.4"}}, ip="10.0.0.5").expected == "ipv4_address only once"
    assert refused(network=["a", "b"], mac_address="02:00:00:00:00:01").name == "mac_address"
    assert refused(network="lab:ip=10.0.0.4,ip=10.0.0.5").name == "network"
    assert refused(network="lab:ip").name == "network"
    assert spec(network="slirp4netns:mtu=1").network_mode == "slirp4netns:mtu=1"
    assert spec(network="name=lab").networks == (NetworkAttachment("lab"),)


@pytest.mark.parametrize("limit", ["hostname", "domainname", "dns", "dns_search", "dns_option", "add_host", "expose"])
def test_another_containers_network_decides_names_and_addresses(limit: str) -> None:
    """With network="container:x" these options would have no effect."""
    value = {"dns": "192.0.2.1", "add_host": "a:192.0.2.1", "expose": 80}.get(limit, "lab")
    assert refused(**{limit: value}, network="container:db").name == limit
    assert refused(**{limit: value}, network="ns:/run/x").name == limit
    assert spec(**{limit: value}, network="none").network_mode == "none"
    if limit not in ("hostname", "domainname"):
        assert spec(**{limit: value}, uts="host").uts == "host"


def test_contradictions_need_both_sides() -> None:
    """Each side of a contradiction alone is accepted."""
    assert spec(rm=True, restart="no").auto_remove
    assert spec(publish=80, network="bridge").publish
    assert spec(publish_all=False, network="host").network_mode == "host"
    assert refused(network="ns:/run/x", publish=80).name == "publish"
    assert spec(cap_add="CHOWN", cap_drop="KILL").cap_add == ("CHOWN",)
    assert refused(uts="host", domainname="lab").name == "domainname"
    assert spec(volumes="/a:/b", mounts="type=bind,src=/a,dst=/b").mounts == (Mount("bind", "/a", "/b"),)


def test_required_capabilities_are_those_of_the_table() -> None:
    """Only values that need a capability ask for it; limits are judged apart."""
    found = spec(
        memory="64m", ulimits="core=1", userns="keep-id:uid=1", add_host={"a": "host-gateway"},
        network="lab", mac_address="02:00:00:00:00:01",
    )  # fmt: skip
    assert sorted(options.required_capabilities(found)) == [
        ("host-gateway", "add_host"), ("keep-id", "userns"), ("mac-address", "mac_address"), ("ulimits", "ulimits"),
    ]  # fmt: skip
    assert list(options.required_capabilities(spec(userns="host", add_host="a:192.0.2.1", network="lab"))) == []


def test_paths_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the home of the user, a trailing slash is removed, a file name alone is relative."""
    monkeypatch.setenv("HOME", "/home/lab")
    monkeypatch.chdir(tmp_path)
    parse = names.parse_host_path
    assert [parse("p", value) for value in ("~", "~/x", "/", "/a//", "~x", "x")] == [
        "/home/lab", "/home/lab/x", "/", "/a", f"{tmp_path}/~x", f"{tmp_path}/x",
    ]  # fmt: skip
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InvalidOption, match="an absolute path"):
        parse("p", "x")
    with pytest.raises(InvalidOption, match=r"without '\.\.'$"):
        names.parse_container_path("p", "/a/..", root=True)
    assert names.parse_local_path("p", "a" * 255) == "a" * 255
    assert names.parse_local_path("p", "/a" * 2047 + "/") == "/a" * 2047 + "/"
    for long in ("a" * 256, "/a" * 2048, "ä" * 128):
        with pytest.raises(InvalidOption):
            names.parse_local_path("p", long)


def test_primitive_values() -> None:
    """Times, texts, numbers, payloads and choices."""
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert primitives.parse_time("t", moment) == moment.timestamp() == 1767312000.0
    assert primitives.parse_time("t", 5) == 5.0
    assert primitives.parse_time("t", None) is None
    assert primitives.parse_seconds("t", 2_147_483) == 2_147_483.0
    assert primitives.parse_seconds("t", "1h2m3.5s") == 3723.5
    assert primitives.parse_seconds("t", "5us") == primitives.parse_seconds("t", "5µs") == pytest.approx(5e-6)
    assert primitives.parse_size("s", " 1 k ", low=1024) == 1024
    assert primitives.parse_size("s", "1.25k") == 1280
    assert primitives.parse_bytes("b", "ä") == b"\xc3\xa4"
    assert primitives.parse_bytes("b", bytearray(b"x")) == primitives.parse_bytes("b", memoryview(b"x")) == b"x"
    assert primitives.parse_text("t", "", empty=True) == ""
    assert primitives.parse_integer("n", "-5") == -5
    assert primitives.parse_integer("n", 2**63 - 1) == -primitives.parse_integer("n", -(2**63) + 1)
    assert primitives.parse_choice("c", "a", "a", "b") == "a"
    refusals: list[Any] = [
        lambda: primitives.parse_seconds("x", 2_147_484),
        lambda: primitives.parse_integer("x", 2**63),
        lambda: primitives.parse_integer("x", 1.0),
        lambda: primitives.parse_number("x", 2.0**64, "small"),
        lambda: primitives.parse_number("x", True, "no bool"),
        lambda: primitives.parse_word("x", "a\x07"),
        lambda: primitives.parse_word("x", "a b"),
        lambda: primitives.parse_choice("x", "c", "a", "b"),
        lambda: primitives.parse_time("x", "5"),
        lambda: primitives.parse_timeout("x", 0),
        lambda: primitives.parse_bytes("x", None),
        lambda: primitives.parse_size("x", 1, low=2),
        lambda: primitives.parse_size("x", "1", low=2),
    ]
    for refusal in refusals:
        with pytest.raises(InvalidOption, match=r"^x="):
            refusal()


@pytest.mark.parametrize(
    ("given", "found"),
    [("RTMIN", "SIGRTMIN"), (34, "SIGRTMIN"), (35, "SIGRTMIN+1"), (64, "SIGRTMIN+30"), ("sigrtmax-1", "SIGRTMIN+29"),
     ("RTMIN+30", "SIGRTMIN+30"), ("RTMAX-30", "SIGRTMIN"), (1, "SIGHUP"), (31, "SIGSYS"), ("IOT", "SIGABRT"),
     ("SIGCLD", "SIGCHLD"), ("POLL", "SIGIO"), (29, "SIGIO")],
)  # fmt: skip
def test_a_signal_by_number_and_by_its_other_names(given: Any, found: str) -> None:
    """Linux numbers; synonyms and realtime signals have one name each."""
    assert options.parse_signal("signal", given) == found


@pytest.mark.parametrize("given", ["RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1", "RT", 33, 32, 65])
def test_a_signal_out_of_range_is_refused(given: Any) -> None:
    """32 and 33 belong to the C library."""
    with pytest.raises(InvalidOption):
        options.parse_signal("signal", given)


def test_lists_and_sets() -> None:
    """A set is sorted, one value is a list of one, bytes are no list."""
    assert groups.parse_items("x", {"b", "a"}, "e") == ("a", "b")
    assert groups.parse_items("x", (item for item in "ab"), "e") == ("a", "b")
    assert groups.parse_items("x", 5, "e") == (5,)
    for broken in (True, b"a", {"a": 1}, None, 1.5):
        with pytest.raises(InvalidOption):
            groups.parse_items("x", broken, "e")
    assert [groups.parse_scalar("x", value) for value in (True, False, 0.5, 3, Path("/a"), "")] == [
        "true", "false", "0.5", "3", "/a", "",
    ]  # fmt: skip
    assert groups.parse_scalar("x", 2**63 - 1) == str(2**63 - 1)
    with pytest.raises(InvalidOption, match="at most 64 bits"):
        groups.parse_scalar("x", 2**63)


def test_an_env_file_may_hold_names_alone_and_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte order mark is skipped, a name alone is inherited, a later file wins."""
    monkeypatch.setenv("MINE", "mine")
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"\xef\xbb\xbfA=1\nMINE\n#B=2\n")
    second.write_text("A=2\n")
    assert spec(env_file=[first, second]).env == {"A": "2", "MINE": "mine"}
    second.write_text("=2\n")
    assert refused(env_file=second).value == "=2"


def test_keys_are_given_once() -> None:
    """Two spellings of one key are a contradiction, an unknown key is refused with the nearest."""
    assert refused(mounts={"source": "/a", "src": "/a", "dst": "/b", "type": "bind"}).expected == "source only once"
    assert "did you mean 'target'?" in refused(mounts={"targt": "/b"}).expected
    assert "not 5" in refused(mounts={5: "/b"}).expected
    assert refused(ulimits=[Ulimit("core", 1, 1), "core=2"]).expected == "each ulimit once"
    assert spec(restart={"name": "always", "max_retries": None}).restart is not None


def test_an_unknown_option_is_named() -> None:
    """The nearest option of the same call is proposed; docker-py's names have a fixed answer."""
    assert refused(memroy="1g").expected == "an option of run, start and create; did you mean 'memory'?"
    assert refused(nano_cpus=5).expected == "an option of run, start and create; did you mean 'cpus'?"
    assert refused(qqqq=None).expected == "an option of run, start and create"
    assert refused(**{"": 5}).name == "options"
    with pytest.raises(InvalidOption, match="an option of exec; did you mean 'workdir'"):
        options.exec_spec("x", workdirr="/")  # type: ignore[call-arg]


def test_networks_of_both_versions() -> None:
    """A gateway and a range must lie in the subnet and have its version."""
    four = ipaddress.ip_network("10.5.0.0/24")
    found = options.network_spec("lab", subnet=four, gateway=ipaddress.ip_address("10.5.0.1"))
    assert (found.subnet, found.gateway, found.ipv6) == ("10.5.0.0/24", "10.5.0.1", False)
    assert options.network_spec("lab", subnet="fd00::/64", gateway="fd00::1", ip_range="fd00::/80").ipv6
    assert options.network_spec("lab", ipv6=True).ipv6
    outside: list[dict[str, Any]] = [
        {"gateway": "fd00::1"},
        {"ip_range": "fd00::/80"},
        {"gateway": "10.5.1.1"},
        {"ip_range": "10.4.0.0/15"},
    ]
    for place in outside:
        with pytest.raises(InvalidOption, match=r"a part of subnet 10\.5\.0\.0/24"):
            options.network_spec("lab", subnet=four, **place)


def test_every_option_is_none_by_default() -> None:
    """No row of a container has a default of its own: the engine's applies."""
    assert {row.default for row in CREATE.values()} == {None}


def test_the_options_of_run_alone_have_parsers() -> None:
    """check, timeout, input, on_output, pull and limits accept what their types say."""
    accepted: dict[str, list[Any]] = {
        "check": [True], "timeout": [5, "1m"], "input": ["x", b"x"], "on_output": [print],
        "pull": ["missing", "always", "never"], "limits": ["enforce", "best-effort"],
    }  # fmt: skip
    assert set(accepted) == set(RUN) - set(CREATE)
    for name, values in accepted.items():
        for value in values:
            assert RUN[name].parse(name, value) is not None
        with pytest.raises(InvalidOption, match=f"^{name}="):
            RUN[name].parse(name, 7.5 if name != "timeout" else -1)


#: One value of each kind that some option refuses.
REFUSED: tuple[Any, ...] = ("", "\0", "=", ":", "/a:b:c:d", "x y", 1.5, -7, object(), b"x", [None], [""], {"": 1},
                            {"a=b": 1}, {"no such key": 1}, {1: 2}, [{"no such key": 1}], {"x": object()},
                            ["="])  # fmt: skip


@pytest.mark.parametrize("name", sorted(CREATE))
def test_the_message_of_a_refusal(name: str) -> None:
    """It names the option, shows the value, and says what was expected, in words."""
    refusals: list[InvalidOption] = []
    for value in REFUSED:
        try:
            spec(**{name: value})
        except InvalidOption as exc:  # noqa: PERF203
            refusals.append(exc)
    assert refusals
    for error in refusals:
        assert error.name in CREATE
        assert str(error).startswith(f"{error.name}=")
        assert re.search(r"expected \S", str(error))
        assert "expected None" not in str(error)
        assert "XX" not in str(error)
