"""docker contexts and podman connections are read as the command lines read them, also from broken files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerkit.discovery import connect as room
from containerkit.discovery.candidates import candidate_named, endpoint_of_url, find_candidates
from containerkit.discovery.connections import default_connection, podman_connections
from containerkit.discovery.contexts import current_context
from containerkit.discovery.endpoints import TLS, Endpoint, EngineUrl, parse_url
from containerkit.errors import EngineUnavailable, InvalidOption
from containerkit.userconfig.environment import Environment


def host(folder: Path, **env: str) -> Environment:
    return Environment({"PATH": "", **env}, folder / "home", 1000, folder, folder / "tmp")


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def add_context(folder: Path, name: str, url: object, **docker: object) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": url, **docker}}}
    base = folder / "home/.docker/contexts"
    write(base / "meta" / digest / "meta.json", json.dumps(meta))
    return base / "tls" / digest / "docker"


def test_a_docker_context_is_found_by_name(tmp_path: Path) -> None:
    """A context has its address, and the certificates in the folder of its name's digest."""
    tls = add_context(tmp_path, "lab", "tcp://lab:2376")
    for name in ("ca.pem", "cert.pem", "key.pem"):
        write(tls / name, "")
    endpoint = candidate_named(host(tmp_path), "lab").endpoint
    assert (endpoint.url, endpoint.source) == ("tcp://lab:2376", "docker context 'lab'")
    assert endpoint.tls == TLS(str(tls / "ca.pem"), str(tls / "cert.pem"), str(tls / "key.pem"))


def test_skip_tls_verify_is_kept(tmp_path: Path) -> None:
    """A context with skip-tls-verify does not verify the server."""
    add_context(tmp_path, "lab", "tcp://lab:2376", SkipTLSVerify=True)
    assert candidate_named(host(tmp_path), "lab").endpoint.tls == TLS(verify=False)


def test_the_current_context_comes_before_the_sockets(tmp_path: Path) -> None:
    """DOCKER_HOST overrides DOCKER_CONTEXT, which overrides `docker context use`; "default" is no context."""
    for name in ("used", "named"):
        add_context(tmp_path, name, f"unix:///{name}.sock")
    write(tmp_path / "home/.docker/config.json", '{"currentContext": "used"}')
    env: dict[str, str] = {}
    assert find_candidates(host(tmp_path))[0].endpoint.url == "unix:///used.sock"
    env["DOCKER_CONTEXT"] = "named"
    assert find_candidates(host(tmp_path, **env))[0].endpoint.url == "unix:///named.sock"
    assert find_candidates(host(tmp_path, DOCKER_CONTEXT="default"))[0].endpoint.source == "well-known socket"
    env["DOCKER_HOST"] = "unix:///host.sock"
    assert find_candidates(host(tmp_path, **env))[0].endpoint.url == "unix:///host.sock"


def test_a_context_that_is_gone_is_not_replaced(tmp_path: Path) -> None:
    """A chosen context without a file raises EngineUnavailable, which lists the known names."""
    add_context(tmp_path, "lab", "unix:///lab.sock")
    with pytest.raises(EngineUnavailable, match=r"no docker context 'gone' \(known: lab\)"):
        room._search(host(tmp_path, DOCKER_CONTEXT="gone"), None, 1.0)


def test_podman_connections_from_both_files(tmp_path: Path) -> None:
    """Later containers.conf files override earlier ones; podman-connections.json overrides all."""
    conf = (
        '[engine]\nactive_service = "{0}"\n[engine.service_destinations.{0}]\nuri = "ssh://u@{0}:22/p"\nidentity="/k"\n'
    )
    write(tmp_path / "etc/containers/containers.conf", conf.format("one"))
    write(tmp_path / "home/.config/containers/containers.conf.d/x.conf", conf.format("two"))
    machine = host(tmp_path)
    assert {n: (e.url, e.identity) for n, e in podman_connections(machine).items()} == {
        "one": ("ssh://u@one:22/p", "/k"),
        "two": ("ssh://u@two:22/p", "/k"),
    }
    assert default_connection(machine) == "two"
    connections = {"Connection": {"Default": "one", "Connections": {"one": {"URI": "unix:///one.sock"}}}}
    write(tmp_path / "home/.config/containers/podman-connections.json", json.dumps(connections))
    assert podman_connections(machine)["one"].url == "unix:///one.sock"
    assert default_connection(machine) == "one"


def test_a_default_connection_stands_behind_our_own_podman(tmp_path: Path) -> None:
    """The default connection is tried after the embedded podman; other connections only by name."""
    connections = {n: {"URI": f"unix:///{n}.sock"} for n in ("a", "b")}
    text = json.dumps({"Connection": {"Default": "b", "Connections": connections}})
    write(tmp_path / "home/.config/containers/podman-connections.json", text)
    places = [(p.endpoint.source, p.automatic) for p in find_candidates(host(tmp_path))][-3:]
    assert places == [("embedded podman", True), ("podman connection 'b'", True), ("podman connection 'a'", False)]


def test_container_connection_chooses(tmp_path: Path) -> None:
    """CONTAINER_CONNECTION names a podman connection."""
    file = tmp_path / "c.json"
    write(file, json.dumps({"Connection": {"Connections": {"a": {"URI": "unix:///a.sock"}}}}))
    candidate = find_candidates(host(tmp_path, PODMAN_CONNECTIONS_CONF=str(file), CONTAINER_CONNECTION="a"))[0]
    assert (candidate.endpoint.url, candidate.chosen) == ("unix:///a.sock", True)


def test_a_name_of_both_is_ambiguous(tmp_path: Path) -> None:
    """A name of both a context and a connection raises LookupError."""
    add_context(tmp_path, "lab", "unix:///docker.sock")
    conf = '[engine.service_destinations.lab]\nuri = "unix:///podman.sock"\n'
    write(tmp_path / "home/.config/containers/containers.conf", conf)
    with pytest.raises(LookupError, match="both a docker context"):
        candidate_named(host(tmp_path), "lab")


def test_containers_conf_variable_stands_for_all_files(tmp_path: Path) -> None:
    """CONTAINERS_CONF replaces every other containers.conf."""
    write(tmp_path / "etc/containers/containers.conf", '[engine.service_destinations.a]\nuri = "unix:///a"\n')
    write(tmp_path / "own.conf", '[engine.service_destinations.b]\nuri = "unix:///b"\n')
    assert list(podman_connections(host(tmp_path, CONTAINERS_CONF=str(tmp_path / "own.conf")))) == ["b"]


BROKEN = [b"", b"{", b"[]", b"3", b'{"currentContext": 5}', b"\xff\xfe\x00", b"[" * 100_000, b'{"Connection": []}',
          b'{"Connection": {"Connections": {"x": 3, "y": {"URI": []}, "z": {"URI": "ssh://a b"}}}}',
          b'engine = 3', b'[engine]\nservice_destinations = "x"', b'[engine.service_destinations]\nx = 1']  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_broken_files_never_raise(tmp_path: Path, content: bytes) -> None:
    """discover() returns reasons, whatever the configuration files contain."""
    digest = hashlib.sha256(b"lab").hexdigest()
    for path in (
        ".docker/config.json",
        f".docker/contexts/meta/{digest}/meta.json",
        ".config/containers/containers.conf",
        ".config/containers/podman-connections.json",
    ):
        write(tmp_path / "home" / path, content)
    endpoints = room._discover(host(tmp_path))
    assert all(e.reason for e in endpoints)


@pytest.mark.parametrize("kind", ["folder", "fifo", "unreadable", "loop"])
def test_files_that_are_no_files(tmp_path: Path, kind: str) -> None:
    """A folder, FIFO, unreadable file or loop in place of config.json is a reason."""
    path = tmp_path / "home/.docker/config.json"
    path.parent.mkdir(parents=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.write_text("{}")
        path.chmod(0)
    assert all(e.reason for e in room._discover(host(tmp_path)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
)


@given(value=json_values, current=json_values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_survived(tmp_path: Path, value: Any, current: Any) -> None:
    """find_candidates() does not raise, whatever a context's and a connection's fields contain."""
    digest = hashlib.sha256(b"lab").hexdigest()
    base = tmp_path / "home"
    write(base / ".docker/config.json", json.dumps({"currentContext": current}))
    meta = {"Name": "lab", "Endpoints": {"docker": {"Host": value, "SkipTLSVerify": value}}}
    write(base / f".docker/contexts/meta/{digest}/meta.json", json.dumps(meta))
    connections = {"Connection": {"Default": value, "Connections": {"x": {"URI": value, "Identity": value}}}}
    write(base / ".config/containers/podman-connections.json", json.dumps(connections))
    assert find_candidates(host(tmp_path))


@given(text=st.text(max_size=60) | st.from_regex(r"(tcp|ssh|unix|http)://[^\n]{0,30}", fullmatch=True))
def test_any_text_is_an_address_or_an_invalid_option(text: str) -> None:
    """parse_url() returns an address whose URL parses to the same host, or raises InvalidOption."""
    try:
        address = parse_url(text)
    except InvalidOption:
        return
    assert parse_url(address.url).host == address.host


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/x.sock", EngineUrl("unix", path="/run/x.sock")),
        ("unix:///run/x.sock", EngineUrl("unix", path="/run/x.sock")),
        ("unix://var/run/docker.sock", EngineUrl("unix", path="/var/run/docker.sock")),
        ("tcp://h:2375", EngineUrl("tcp", host="h", port=2375)),
        ("tcp://[::1]:2375", EngineUrl("tcp", host="::1", port=2375)),
        ("https://h/", EngineUrl("https", host="h")),
        ("ssh://u@h:2222/run/p.sock", EngineUrl("ssh", host="h", port=2222, user="u", path="/run/p.sock")),
        ("ssh://h", EngineUrl("ssh", host="h")),
    ],
)
def test_addresses(text: str, address: EngineUrl) -> None:
    """parse_url() accepts these spellings."""
    assert parse_url(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "ssh://-oProxyCommand=x/p",
        "ssh://a;b@h/p",
        "ssh://$(id)@h",
        "ssh://h/a:b",
        "ssh://h/a b",
        "ssh://u:secret@h",
        "ssh://",
    ],
)
def test_what_ssh_or_a_shell_could_misread_is_refused(text: str) -> None:
    """Options, shell words and passwords in an ssh URL raise InvalidOption; the password is not repeated."""
    with pytest.raises(InvalidOption) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)


def tls(folder: Path, url: str = "tcp://h:2376", **env: str) -> TLS | None:
    return endpoint_of_url(host(folder, **env), url, "DOCKER_HOST").tls


def test_without_a_variable_tcp_has_no_tls(tmp_path: Path) -> None:
    """tcp:// is unencrypted, https:// verifies against the default authorities."""
    assert tls(tmp_path) is None
    assert tls(tmp_path, "https://h:2376") == TLS()
    assert tls(tmp_path, "http://h:2376", DOCKER_TLS_VERIFY="1") is None
    assert tls(tmp_path, "unix:///x", DOCKER_TLS_VERIFY="1") is None


def test_docker_tls_verify_verifies(tmp_path: Path) -> None:
    """DOCKER_TLS_VERIFY needs ca.pem; a client certificate is sent if there is one."""
    assert tls(tmp_path, DOCKER_TLS_VERIFY="1") == TLS(str(tmp_path / "home/.docker/ca.pem"))
    write(tmp_path / "key.pem", "")
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    for unverified in ("", "1"):  # DOCKER_TLS_VERIFY is the stronger one
        found = tls(tmp_path, DOCKER_TLS_VERIFY="1", DOCKER_TLS=unverified, DOCKER_CERT_PATH=str(tmp_path))
        assert found == TLS(ca, cert, key)


def test_a_certificate_folder_alone_verifies(tmp_path: Path) -> None:
    """DOCKER_CERT_PATH alone never accepts an unverified server: its ca.pem counts, else the default authorities."""
    assert tls(tmp_path, DOCKER_CERT_PATH=str(tmp_path)) == TLS()
    for name in ("ca.pem", "cert.pem"):
        write(tmp_path / name, "")
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    assert tls(tmp_path, DOCKER_CERT_PATH=str(tmp_path)) == TLS(ca, cert, key)


def test_docker_tls_encrypts_without_verification(tmp_path: Path) -> None:
    """DOCKER_TLS alone accepts any server, as the docker command line does."""
    write(tmp_path / "ca.pem", "")
    assert tls(tmp_path, DOCKER_TLS="1") == TLS(verify=False)
    assert tls(tmp_path, DOCKER_TLS="1", DOCKER_CERT_PATH=str(tmp_path)) == TLS(verify=False)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("host:2375", "tcp://host:2375"),
        ("host", "tcp://host"),
        ("tcp://:2375", "tcp://localhost:2375"),
        (":2375", "tcp://localhost:2375"),
        ("/run/x.sock", "unix:///run/x.sock"),
    ],
)
def test_docker_host_without_a_scheme(tmp_path: Path, value: str, url: str) -> None:
    """DOCKER_HOST is read as the docker command line reads it."""
    assert find_candidates(host(tmp_path, DOCKER_HOST=value))[0].endpoint.url == url


def test_an_unreadable_connections_file_is_one_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home folder of another account: its connections have a reason, everything else is still found."""
    file = tmp_path / "home/.config/containers/podman-connections.json"
    real = Path.is_file

    def refuse(path: Path) -> bool:
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    found = {c.endpoint.source: c.endpoint.reason for c in find_candidates(host(tmp_path))}
    assert "Permission denied" in found[f"podman connections of {file}"]
    assert found["well-known socket"] == ""


def test_unreadable_certificates_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context whose certificates cannot be read does not connect without them."""
    folder = add_context(tmp_path, "lab", "tcp://lab:2376")
    real = os.stat

    def refuse(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if Path(path).parent == folder:
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "stat", refuse)
    endpoint = candidate_named(host(tmp_path), "lab").endpoint
    assert (endpoint.url, endpoint.tls) == ("", None)
    assert "certificates cannot be read: Permission denied" in endpoint.reason


def test_our_own_variable_may_name_a_context(tmp_path: Path) -> None:
    """CONTAINERKIT_ENGINE takes a name, a URL or a kind; what it names is chosen, and says so."""
    add_context(tmp_path, "lab", "unix:///lab.sock")
    found = find_candidates(host(tmp_path, CONTAINERKIT_ENGINE="lab"))[0]
    assert (found.endpoint.url, found.endpoint.source, found.chosen, found.expected) == (
        "unix:///lab.sock",
        "CONTAINERKIT_ENGINE: docker context 'lab'",
        True,
        "docker",
    )
    missing = find_candidates(host(tmp_path, CONTAINERKIT_ENGINE="none"))[0]
    assert (missing.chosen, missing.endpoint.url) == (True, "")
    assert "is named 'none' (docker contexts: lab; podman connections: none)" in missing.endpoint.reason
    for kind in ("docker", "podman", ""):
        assert find_candidates(host(tmp_path, CONTAINERKIT_ENGINE=kind))[0].endpoint.source == "well-known socket"
    assert find_candidates(host(tmp_path, CONTAINERKIT_ENGINE="/x.sock"))[0].endpoint.url == "unix:///x.sock"
    assert find_candidates(host(tmp_path, CONTAINERKIT_ENGINE="h:2375"))[0].endpoint.url == "tcp://h:2375"


def test_the_default_context_is_a_socket(tmp_path: Path) -> None:
    """connect("default") is Docker's well-known socket."""
    found = candidate_named(host(tmp_path), "default")
    assert (found.endpoint.url, found.expected) == (f"unix://{tmp_path}/var/run/docker.sock", "docker")


def test_a_name_of_both_with_one_address_is_accepted(tmp_path: Path) -> None:
    """A context and a connection that lead to the same socket."""
    add_context(tmp_path, "lab", "unix:///lab.sock")
    conf = '[engine.service_destinations.lab]\nuri = "unix:///lab.sock"\n'
    write(tmp_path / "home/.config/containers/containers.conf", conf)
    assert candidate_named(host(tmp_path), "lab").expected == "docker"


def test_the_key_of_an_ssh_address(tmp_path: Path) -> None:
    """CONTAINER_SSHKEY is for ssh, and for CONTAINER_HOST."""
    env = {"CONTAINER_SSHKEY": "/key"}
    assert find_candidates(host(tmp_path, CONTAINER_HOST="ssh://h", **env))[0].endpoint.identity == "/key"
    assert find_candidates(host(tmp_path, DOCKER_HOST="ssh://h", **env))[0].endpoint.identity == "/key"
    assert find_candidates(host(tmp_path, DOCKER_HOST="unix:///x", **env))[0].endpoint.identity is None
    assert find_candidates(host(tmp_path, CONTAINER_HOST="ssh://h"))[0].endpoint.identity is None


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """Neither in the endpoint nor in its reason."""
    found = find_candidates(host(tmp_path, DOCKER_HOST="tcp://u:secret@h:1"))[0].endpoint
    assert "secret" not in repr(found) + found.reason
    add_context(tmp_path, "lab", "ssh://u:secret@h")
    assert "secret" not in repr(candidate_named(host(tmp_path), "lab").endpoint)


def test_candidates_of_names_are_not_automatic(tmp_path: Path) -> None:
    """connect() without a target does not try the contexts that nobody chose, nor a broken configuration."""
    add_context(tmp_path, "lab", "unix:///lab.sock")
    write(tmp_path / "home/.docker/config.json", "{")
    found = {c.endpoint.source: c for c in find_candidates(host(tmp_path))}
    assert found["docker context 'lab'"].automatic is False
    assert found["current docker context"].automatic is False
    assert found["current docker context"].chosen is False
    assert found["well-known socket"].automatic is True
    assert found["embedded podman"].endpoint.reason == "there is no podman program on PATH"


def test_podman_serves_by_itself_on_linux_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere it is a client of a virtual machine."""
    monkeypatch.setattr("containerkit.discovery.candidates.sys.platform", "darwin")
    (found,) = [c for c in find_candidates(host(tmp_path)) if c.endpoint.source == "embedded podman"]
    assert "on Linux only" in found.endpoint.reason


def test_certificates_of_a_connection(tmp_path: Path) -> None:
    """From containers.conf and from podman-connections.json; only for a network address."""
    conf = '[engine.service_destinations.a]\nuri = "tcp://h"\ntls_ca = "/ca"\ntls_cert = "/c"\ntls_key = "/k"\n'
    conf += '[engine.service_destinations.u]\nuri = "unix:///u"\ntls_ca = "/ca"\n'
    write(tmp_path / "home/.config/containers/containers.conf", conf)
    entry = {"URI": "https://h", "TLSCA": "/ca2", "TLSCert": "/c2", "TLSKey": "/k2", "Identity": "/id"}
    connections = {"Connection": {"Connections": {"b": entry, "c": {"URI": "https://h"}, "d": {}}}}
    write(tmp_path / "home/.config/containers/podman-connections.json", json.dumps(connections))
    found = podman_connections(host(tmp_path))
    assert found["a"].tls == TLS("/ca", "/c", "/k")
    assert (found["b"].tls, found["b"].identity) == (TLS("/ca2", "/c2", "/k2"), "/id")
    assert found["c"].tls == TLS()
    assert found["u"].tls is None
    assert "gives no address" in found["d"].reason


def test_an_override_file_comes_last(tmp_path: Path) -> None:
    """CONTAINERS_CONF_OVERRIDE is read over all others."""
    for name in ("one", "two"):
        write(tmp_path / name, f'[engine]\nactive_service = "{name}"\n')
    machine = host(tmp_path, CONTAINERS_CONF=str(tmp_path / "one"), CONTAINERS_CONF_OVERRIDE=str(tmp_path / "two"))
    assert default_connection(machine) == "two"


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration of many MiB is a reason."""
    monkeypatch.setattr("containerkit.userconfig.files._MAX_BYTES", 1 << 20)
    write(tmp_path / "home/.docker/config.json", " " * ((1 << 20) + 1))
    assert "larger than 1 MiB" in current_context(host(tmp_path))[1]
    write(tmp_path / "home/.docker/config.json", " " * (1 << 20))
    assert current_context(host(tmp_path)) == ("", "")


@pytest.mark.parametrize(
    ("text", "tls", "url"),
    [
        ("tcp://h", False, "tcp://h:2375"),
        ("tcp://h", True, "tcp://h:2376"),
        ("http://[::1]:99/pre/", False, "tcp://[::1]:99/pre"),
    ],
)
def test_the_port_of_a_network_address(text: str, tls: bool, url: str) -> None:
    """Docker's default ports, and a path as prefix."""
    assert parse_url(text).tcp(tls=tls) == url


@pytest.mark.parametrize(
    ("text", "local"),
    [("tcp://localhost:1", True), ("tcp://127.0.0.9:1", True), ("tcp://[::1]:1", True), ("tcp://h127.x:1", False)],
)
def test_the_loopback_interface(text: str, local: bool) -> None:
    """Names and addresses of this machine."""
    assert parse_url(text).is_local is local


def test_the_repr_of_an_endpoint() -> None:
    """Its address, its source, and what is known."""
    assert repr(Endpoint("", "x")) == "<Endpoint ? (x): not probed>"
    assert repr(Endpoint("u", "x", reason="why")) == "<Endpoint u (x): why>"
    for rootless, text in ((True, " rootless"), (False, " rootful"), (None, "")):
        found = Endpoint("u", "x", "docker", rootless, True, version="27")
        assert repr(found) == f"<Endpoint u (x): docker 27{text}>"
