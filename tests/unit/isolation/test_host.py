"""What is read of a host, from recorded trees of files; and what `docker` is, from programs put on a PATH."""

from __future__ import annotations

import os
import platform
import pwd
import socket
import struct
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from containerkit.errors import InvalidOption
from containerkit.isolation import check_host, evaluate
from containerkit.isolation.accounts import parse_group
from containerkit.isolation.client import collect_client, collect_peer, collect_socket, docker_command, socket_path
from containerkit.isolation.facts import AccountFacts, ClientFacts, Facts, HomeFacts, HostFacts, SubordinateRange
from containerkit.isolation.host import account_of, collect_host, parse_subordinate, try_userns
from containerkit.isolation.procfs import capability_names, parse_id_map, parse_mountinfo

LAB = AccountFacts("lab", 1001)


def tree(root: Path, **files: str) -> Path:
    """Files below a folder; __ in a name stands for /."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def program(folder: Path, name: str, content: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def test_an_empty_host_has_no_answers_rather_than_noes(tmp_path: Path) -> None:
    """What is not there is None, and a check of it is unknown."""
    host = collect_host(LAB, root=tmp_path)
    assert (host.subuid, host.boot_id, host.unified_cgroups, host.controllers_delegated) == (None, None, None, None)
    report = evaluate(
        Facts(client=ClientFacts(None, "none"), host=host), ["subid-ranges", "cgroup-delegation", "unprivileged-ports"]
    )
    assert {str(result.status) for result in report} == {"unknown"}


def test_a_missing_file_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing is a fact of the host; unreadable is not known."""
    tree(tmp_path, etc__subuid="lab:100000:65536\n")
    assert collect_host(LAB, root=tmp_path).missing == ("/etc/subgid",)
    assert collect_host(LAB, root=tmp_path / "nothing").missing == ()


def test_a_host_that_is_ready(tmp_path: Path) -> None:
    """Everything that a rootless engine needs on version 2 with systemd."""
    user = "sys/fs/cgroup/user.slice/user-1001.slice/user@1001.service/cgroup.controllers"
    tree(tmp_path, etc__passwd="root:x:0:0::/root:/bin/sh\nlab:x:1001:1001::/home/lab:/bin/sh\n")
    tree(tmp_path, etc__subuid="lab:100000:65536\n", etc__subgid="1001:100000:65536\n")
    tree(tmp_path, proc__self__uid_map="0 0 4294967295\n", proc__sys__net__ipv4__ip_unprivileged_port_start="0\n")
    for path in (user, "sys/fs/cgroup/cgroup.controllers", "var/lib/systemd/linger/lab"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("cpuset cpu io memory pids\n")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "run/user/1001").mkdir(parents=True, mode=0o700)
    os.chmod(tmp_path / "run/user/1001", 0o700)
    host = collect_host(LAB, root=tmp_path)
    assert host.initial_userns
    assert host.linger is True
    facts = Facts(client=ClientFacts(None, "none"), host=host)
    ready = ("subid-ranges", "subid-overlap", "cgroup-delegation", "linger", "unprivileged-ports")
    assert {result.id: str(result.status) for result in evaluate(facts, ready)} == dict.fromkeys(ready, "pass")


def test_helpers_without_privilege(tmp_path: Path) -> None:
    """A newuidmap that lost both setuid bit and capability is found, and told by its path on that host."""
    program(tmp_path / "usr/bin", "newuidmap", "")
    host = collect_host(LAB, root=tmp_path)
    helper, missing = host.helpers
    assert (helper.path, helper.setuid_root, helper.capable) == ("/usr/bin/newuidmap", False, False)
    assert missing.path is None


def test_subordinate_files_are_read_with_care() -> None:
    """Comments, blanks and garbage in the file are not ranges; a missing file is not an empty one."""
    assert parse_subordinate("# a\n\nlab:1:2\nlab:x:2\nlab:1\n") == parse_subordinate("lab:1:2")
    assert parse_subordinate("") == ()
    assert parse_subordinate(None) is None


def test_groups_and_accounts(tmp_path: Path) -> None:
    """An account without a name goes by its number."""
    tree(tmp_path, etc__passwd="lab:x:1001:1001::/:/bin/sh\nbroken\n")
    assert account_of(1001, tmp_path) == AccountFacts("lab", 1001, "/")
    assert account_of(7, tmp_path) == AccountFacts("7", 7)
    assert parse_group("docker:x:106:a,b\nx\n") == {106: ("docker", ("a", "b"))}


def test_kernel_formats() -> None:
    """Maps, mounts and masks; garbage is None or left out, never a guess."""
    assert parse_id_map("0 1 x") is None
    assert parse_id_map("") is None
    assert parse_id_map("-1 0 1") is None
    assert parse_mountinfo("20 1 0:5 / /proc rw shared:1 - proc proc rw\nbroken\n")[0].target == "/proc"
    assert capability_names("800405fb") == (
        *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE"),
        *("SYS_CHROOT", "SETFCAP"),
    )
    assert capability_names("a80425fb") is not None
    assert len(capability_names("a80425fb") or ()) == 14
    assert capability_names("x") is None


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no program for this processor")
def test_user_namespaces_are_tried() -> None:
    """A try gives 0 or the kernel's errno; for an account that this process may not become, nothing."""
    assert isinstance(try_userns(os.geteuid(), arch=platform.machine()), int)
    assert try_userns(os.geteuid(), arch="riscv64") is None
    if os.geteuid() == 0:
        assert isinstance(try_userns(65534, arch=platform.machine()), int)
    else:
        assert try_userns(os.geteuid() + 1, arch=platform.machine()) is None


def test_this_host_can_be_checked_without_an_engine() -> None:
    """check_host() answers what a host can be asked, and needs nobody."""
    report = check_host()
    assert report.engine == "host"
    assert report.endpoint is None
    assert report.get("userns-sysctls").summary
    assert "no engine" not in report.to_markdown()


# ---------------------------------------------------------------- `docker` that is podman
SHIM = """#!/bin/sh
[ -e /etc/containers/nodocker ] || echo "Emulate Docker CLI using podman." >&2
exec /usr/bin/podman "$@"
"""


def test_a_script_that_runs_podman(tmp_path: Path) -> None:
    """The distributions' package: a script of that name."""
    path = program(tmp_path, "docker", SHIM)
    assert docker_command(str(tmp_path)) == (str(path), "podman", "script")


def test_a_link_to_podman(tmp_path: Path) -> None:
    """A symbolic link, which answers --version under the name docker."""
    program(tmp_path / "bin", "podman", '#!/bin/sh\necho "docker version 4.3.1"\n')
    (tmp_path / "docker").symlink_to(tmp_path / "bin/podman")
    assert docker_command(str(tmp_path))[1:] == ("podman", "symbolic link")


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("Client:       Podman Engine", "podman"),
        ("Client:", "docker"),
        ("Client: Docker Engine - Community", "docker"),
        ("hm", None),
    ],
)
def test_another_program_is_asked(tmp_path: Path, says: str, kind: str | None) -> None:
    """A wrapper that hides what it runs is asked for its version, and no engine is reached for it."""
    program(
        tmp_path,
        "docker",
        f'#!/bin/sh\n[ "$1" = version ] || exit 1\ncase "$DOCKER_HOST" in *nonexistent*) echo "{says}";; esac\n',
    )
    assert docker_command(f"{tmp_path}:/usr/bin:/bin")[1] == kind


def test_a_comment_about_podman_is_not_podman(tmp_path: Path) -> None:
    """A script that only mentions it."""
    program(tmp_path, "docker", "#!/bin/sh\n# not podman\necho 'Client:'\n")
    assert docker_command(f"{tmp_path}:/usr/bin:/bin")[1] == "docker"


def test_no_docker_at_all(tmp_path: Path) -> None:
    """No such program: nothing to say, and aliases are said to be out of sight."""
    assert docker_command(str(tmp_path)) == (None, None, None)
    report = evaluate(Facts(client=collect_client(None, environ={"PATH": str(tmp_path)})), "docker-command")
    assert "aliases" in (report.get("docker-command").reason or "")


# ---------------------------------------------------------------- sockets


def test_the_peer_is_the_kernels_word(tmp_path: Path) -> None:
    """Who made a socket: for one of this process's own, this process."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        peer = collect_peer(f"unix://{tmp_path}/engine.sock")
    assert peer is not None
    assert (peer.pid, peer.uid, peer.nested) == (os.getpid(), os.geteuid(), False)
    assert collect_peer(f"unix://{tmp_path}/engine.sock") is None  # nobody listens any more
    assert collect_peer(None) is None


def test_a_socket_is_told_through_its_links(tmp_path: Path) -> None:
    """A link to a socket is that socket, and every folder on the real way counts."""
    with socket.socket(socket.AF_UNIX) as server:
        (tmp_path / "real").mkdir(mode=0o700)
        server.bind(str(tmp_path / "real/engine.sock"))
    (tmp_path / "real/engine.sock").chmod(0o660)
    (tmp_path / "link.sock").symlink_to(tmp_path / "real/engine.sock")
    found = collect_socket(str(tmp_path / "link.sock"))
    assert found is not None
    assert (found.real_path, found.mode) == (str(tmp_path / "real/engine.sock"), 0o660)
    assert (found.folders[0].path, found.folders[-1].mode) == ("/", 0o700)
    assert collect_socket(str(tmp_path / "none")) is None


def test_an_access_list_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named users and groups that may write, as far as the mask lets them."""
    tree(tmp_path, etc__passwd="eve:x:1005:1005::/:/bin/sh\n", etc__group="lab:x:50:\n", sock="")
    entries = [
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 6, 1005),
        (0x02, 4, 1006),
        (0x04, 0, 0xFFFFFFFF),
        (0x08, 7, 50),
        (0x10, 6, 0),
    ]
    data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    monkeypatch.setattr(os, "getxattr", lambda path, name: data)
    found = collect_socket(str(tmp_path / "sock"), root=tmp_path)
    assert found is not None
    assert found.acl == ("user eve", "group lab")


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("unix:///run/x.sock", "unix"),
        ("ssh://a@b", "ssh"),
        ("https://b", "tls"),
        (None, "none"),
    ],
)
def test_transports(url: str | None, transport: str) -> None:
    """How private a connection is goes by its address."""
    assert collect_client(url, environ={"PATH": ""}, sockets=False).transport == transport
    assert socket_path(url) == ("/run/x.sock" if transport == "unix" else None)


@pytest.mark.parametrize(
    ("says", "transport"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nOK", "tcp"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "tls"),
        (b"\x15\x03\x01\0\2\2\x16", "tls"),
    ],
)
def test_a_tcp_address_is_asked_in_the_clear(says: bytes, transport: str) -> None:
    """Whether tcp:// is private cannot be told from the address: who answers without TLS is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert collect_client(url, environ={"PATH": ""}, sockets=False).transport == transport
        thread.join()
    assert collect_client(url, environ={"PATH": ""}, sockets=False).transport == "unclear"


# ---------------------------------------------------------------- what an account's engine uses
READY = {
    "etc__passwd": "root:x:0:0::/root:/bin/sh\nlab:x:1001:1001::/home/lab:/bin/sh\n",
    "proc__filesystems": "nodev\toverlay\n",
    "proc__sys__kernel__osrelease": "6.1.0-13-amd64\n",
    "run__systemd__system__x": "",
    "home__lab__x": "",
}
ACCOUNT = ("rootless-overlay", "rootless-devices", "firewall-tools", "user-session", "home-folder")


def of_account(root: Path, **changes: object) -> dict[str, str]:
    """Status of each check of the account, for a tree with some of its facts changed."""
    host = collect_host(account_of(1001, root), root=root)
    host = replace(host, **{"device_modes": {"/dev/fuse": 0o666, "/dev/net/tun": 0o666}, **changes})  # type: ignore[arg-type]
    facts = Facts(client=ClientFacts(None, "none"), host=host)
    return {result.id: str(result.status) for result in evaluate(facts, ACCOUNT)}


def test_what_the_account_s_engine_uses(tmp_path: Path) -> None:
    """A host with everything passes, and each thing that is taken away is found."""
    tree(tmp_path, **READY)
    program(tmp_path / "usr/sbin", "iptables", "")
    private = tmp_path / "run/user/1001/systemd/private"
    private.parent.mkdir(parents=True)
    private.touch()
    home = HomeFacts("/home/lab", 0o700, 1001, (), "ext4")
    assert of_account(tmp_path, home=home) == dict.fromkeys(ACCOUNT, "pass")
    for changes, check, status in (
        ({"kernel": "5.10.0"}, "rootless-overlay", "fail"),
        ({"kernel": "5.10.0", "fuse_overlayfs": "/usr/bin/fuse-overlayfs"}, "rootless-overlay", "warn"),
        ({"overlay": False}, "rootless-overlay", "fail"),
        ({"kernel": None}, "rootless-overlay", "unknown"),
        ({"device_modes": {"/dev/net/tun": None}}, "rootless-devices", "fail"),
        ({"device_modes": {"/dev/fuse": 0o660}}, "rootless-devices", "warn"),
        ({"device_modes": {}}, "rootless-devices", "unknown"),
        ({"firewall": ("nft",)}, "firewall-tools", "warn"),
        ({"firewall": ()}, "firewall-tools", "fail"),
        ({"session": False}, "user-session", "fail"),
        ({"session": None}, "user-session", "unknown"),
        ({"systemd": False}, "user-session", "unknown"),
        ({"home": None}, "home-folder", "fail"),
        ({"home": replace(home, uid=0)}, "home-folder", "fail"),
        ({"home": replace(home, flags=("ro",))}, "home-folder", "fail"),
        ({"home": replace(home, kind="nfs4")}, "home-folder", "fail"),
        ({"home": replace(home, flags=("nosuid",))}, "home-folder", "warn"),
    ):
        assert of_account(tmp_path, **{"home": home, **changes})[check] == status, changes


@pytest.mark.parametrize("errno", [1, 13, 22, 28, 38, 87])
def test_an_errno_is_told_in_words(errno: int) -> None:
    """What the kernel's number means stands beside it."""
    facts = Facts(client=ClientFacts(None, "none"), host=HostFacts(LAB, userns=errno))
    summary = evaluate(facts, "userns-allowed").get("userns-allowed").summary
    assert os.strerror(errno) in summary
    assert ", " in summary.partition(":")[2]


def test_an_overlap_is_advised_to_move() -> None:
    """The command gives the second range numbers that nobody has; afterwards the check passes."""
    ranges = (SubordinateRange("lab", 100000, 65536), SubordinateRange("eve", 120000, 65536))
    host = HostFacts(LAB, subuid=ranges, subgid=(), users={0: "root", 1001: "lab"})
    result = evaluate(Facts(client=ClientFacts(None, "none"), host=host), "subid-overlap").get("subid-overlap")
    assert result.status == "fail"
    assert result.remediation is not None
    assert result.remediation.commands == ("sed -i 's/^eve:120000:65536$/eve:165536:65536/' /etc/subuid",)
    moved = replace(host, subuid=(ranges[0], SubordinateRange("eve", 165536, 65536)))
    after = evaluate(Facts(client=ClientFacts(None, "none"), host=moved), "subid-overlap").get("subid-overlap")
    assert after.status == "pass"


def test_the_script_is_valid_shell_and_in_order(tmp_path: Path) -> None:
    """Programs first, then ids; a command stands once; what is not for root is a comment; sh accepts it."""
    tree(tmp_path, **READY, etc__subuid="", etc__subgid="")
    host = collect_host(account_of(1001, tmp_path), root=tmp_path)
    host = replace(host, sysctls={"kernel.apparmor_restrict_unprivileged_userns": "1"}, userns=1, unified_cgroups=False)
    script = evaluate(Facts(client=ClientFacts(None, "none"), host=host)).to_script()
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert script.index("# idmap-helpers") < script.index("# userns-sysctls") < script.index("# subid-ranges")
    assert len(commands) == len(set(commands))
    assert any("/etc/apparmor.d/podman" in line for line in commands)
    assert not [line for line in commands if "machinectl" in line]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    printed = next(line for line in commands if "/etc/apparmor.d/podman" in line).partition(" > ")[0]
    profile = subprocess.run(["sh", "-c", printed], capture_output=True, text=True, check=True).stdout
    assert profile.splitlines()[2:] == ["profile podman /usr/bin/podman flags=(unconfined) {", "  userns,", "}"]


def test_another_account() -> None:
    """By name or number; an account that does not exist is refused."""
    own = pwd.getpwuid(os.getuid()).pw_name
    assert check_host(own).engine == check_host(str(os.getuid())).engine == "host"
    assert "nobody" in repr([r.evidence for r in check_host("nobody")])
    with pytest.raises(InvalidOption):
        check_host("no-such-account")
