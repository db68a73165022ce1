"""The table of options: each option alone, in every spelling, reaches its exact place in the request.

The JSON here is written by hand, not derived from the package.
"""

from __future__ import annotations

import base64
import dataclasses
import inspect
import json
import typing
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import options
from containerkit.backends import _render
from containerkit.options import typed, types
from containerkit.options.table import BUILD, CREATE, EXEC, LIMITS, NETWORK, RUN, START, UPDATE, VOLUME, Table
from containerkit.resources.containers import Containers
from containerkit.resources.images import Images
from containerkit.resources.networks import Networks
from containerkit.resources.volumes import Volumes
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
    RegistryAuth,
    ResourceLimits,
    RestartPolicy,
    Ulimit,
    VolumeSpec,
)
from docs import make_options
from tests.recorded.cli_options import read_help

BASE: dict[str, Any] = {"Image": "busybox", "AttachStdout": True, "AttachStderr": True, "HostConfig": {}}
_TMPFS = "rw,noexec,nosuid,nodev"
_CHECK = {"Test": ["CMD-SHELL", "true"], "Interval": 30 * 10**9, "Timeout": 30 * 10**9, "Retries": 3, "StartPeriod": 0}

#: option -> the spellings of one value, and the places where it goes in the body of a create.
BODY: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    "memory": [([64 << 20, "64m", "64MiB", "67108864"], {"HostConfig.Memory": 67108864})],
    "memory_reservation": [(["64m"], {"HostConfig.MemoryReservation": 67108864})],
    "cpus": [([0.5, "0.5"], {"HostConfig.NanoCpus": 500_000_000})],
    "cpu_shares": [([512, "512"], {"HostConfig.CpuShares": 512})],
    "cpuset_cpus": [(["0,1", [0, 1], (0, 1), "0, 1"], {"HostConfig.CpusetCpus": "0,1"}),
        ([0], {"HostConfig.CpusetCpus": "0"})],
    "cpuset_mems": [(["0-1"], {"HostConfig.CpusetMems": "0-1"}), ([0], {"HostConfig.CpusetMems": "0"})],
    "cpu_period": [([50000, "50000"], {"HostConfig.CpuPeriod": 50000})],
    "cpu_quota": [([25000, "25000"], {"HostConfig.CpuQuota": 25000})],
    "pids_limit": [([100, "100"], {"HostConfig.PidsLimit": 100}), ([-1], {"HostConfig.PidsLimit": -1})],
    "env": [([{"A": 1, "B": "x"}, ["A=1", "B=x"], ("A=1", "B=x")], {"Env": ["A=1", "B=x"]}),
        (["A=1"], {"Env": ["A=1"]})],
    "labels": [([{"a": "b", "c": None}, ["a=b", "c"]], {"Labels": {"a": "b", "c": ""}}),
        (["a=b"], {"Labels": {"a": "b"}})],
    "user": [([1000, "1000"], {"User": "1000"}), (["lab:lab"], {"User": "lab:lab"})],
    "workdir": [(["/srv", Path("/srv"), "/srv/"], {"WorkingDir": "/srv"})],
    "hostname": [(["box"], {"Hostname": "box"})],
    "domainname": [(["lab.example"], {"Domainname": "lab.example"})],
    "interactive": [([True], {"OpenStdin": True, "AttachStdin": True, "StdinOnce": True}), ([False], {})],
    "tty": [([True], {"Tty": True, "StdinOnce": False}), ([False], {})],
    "init": [([True], {"HostConfig.Init": True}), ([False], {"HostConfig.Init": False})],
    "stop_signal": [(["SIGINT", "int", 2, "2"], {"StopSignal": "SIGINT"})],
    "stop_timeout": [([5, "5"], {"StopTimeout": 5}), ([0], {"StopTimeout": 0})],
    "rm": [([True], {"HostConfig.AutoRemove": True}), ([False], {})],
    "restart": [
        (
            ["on-failure:3", {"name": "on-failure", "max_retries": 3}, RestartPolicy("on-failure", 3)],
            {"HostConfig.RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        ),
        (["always", {"name": "always"}], {"HostConfig.RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
    ],
    "entrypoint": [
        (["echo -n", ["echo", "-n"], ("echo", "-n")], {"Entrypoint": ["echo", "-n"]}),
        (["", [], (), [""]], {"Entrypoint": [""]}),
    ],
    "healthcheck": [
        ([{"test": "true"}, HealthCheck(("CMD-SHELL", "true"))], {"Healthcheck": _CHECK}),
        (
            [{"test": ["true"], "interval": 1.5, "timeout": "2s", "retries": 4, "start_period": "1m"}],
            {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_500_000_000, "Timeout": 2_000_000_000, "Retries": 4,
                             "StartPeriod": 60_000_000_000}},
        ),
    ],
    "no_healthcheck": [([True], {"Healthcheck": {**_CHECK, "Test": ["NONE"]}}), ([False], {})],
    "health_cmd": [
        (["true", ["CMD-SHELL", "true"]], {"Healthcheck": _CHECK}),
        ([["true"]], {"Healthcheck": {**_CHECK, "Test": ["CMD", "true"]}}),
        (["none", ["NONE"]], {"Healthcheck": {**_CHECK, "Test": ["NONE"]}}),
    ],
    "volumes": [
        (
            ["/a:/b:ro", ["/a:/b:ro"], {"/a": "/b:ro"}, {"/a": ["/b:ro"]}, {Path("/a"): "/b:ro"},
             {"/a": {"target": "/b", "read_only": True}}, {"/a": {"bind": "/b", "mode": "ro"}},
             [Mount("bind", "/a", "/b", read_only=True)],
             [{"type": "bind", "source": "/a", "target": "/b", "ro": True}]],
            {"HostConfig.Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]},
        ),
        (
            ["/a:/b:rslave", {"/a": "/b:rslave"}],
            {"HostConfig.Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": False,
                                    "BindOptions": {"Propagation": "rslave"}}]},
        ),
        (
            ["data:/b:nocopy", {"data": "/b:nocopy"}],
            {"HostConfig.Mounts": [{"Type": "volume", "Source": "data", "Target": "/b", "ReadOnly": False,
                                    "VolumeOptions": {"NoCopy": True}}]},
        ),
        (["/data"], {"HostConfig.Mounts": [{"Type": "volume", "Source": "", "Target": "/data", "ReadOnly": False}]}),
        (["/a:/b:ro,Z,rslave"], {"HostConfig.Binds": ["/a:/b:ro,Z,rslave"]}),
        (["data:/b:z,nocopy"], {"HostConfig.Binds": ["data:/b:rw,z,nocopy"]}),
    ],
    "mounts": [
        (
            ["type=bind,source=/a,target=/b,readonly", ["type=bind,src=/a,dst=/b,ro=1"],
             {"type": "bind", "source": "/a", "target": "/b", "read_only": True},
             Mount("bind", "/a", "/b", read_only=True), [Mount("bind", "/a", "/b", read_only=True)]],
            {"HostConfig.Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]},
        ),
        (
            ["type=bind,source=/a,target=/b,bind-propagation=shared,z",
             {"kind": "bind", "source": "/a", "target": "/b", "propagation": "shared", "relabel": "shared"}],
            {"HostConfig.Binds": ["/a:/b:rw,z,shared"]},
        ),
        (
            ["type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700",
             {"type": "tmpfs", "target": "/t", "tmpfs_size": "1m", "tmpfs_mode": 0o700}],
            {"HostConfig.Tmpfs": {"/t": f"{_TMPFS},size=1048576,mode=700"}},
        ),
    ],
    "tmpfs": [
        (["/t", ["/t"], {"/t": None}, {"/t": ""}], {"HostConfig.Tmpfs": {"/t": f"{_TMPFS},mode=1777"}}),
        (
            ["/t:size=1m,mode=755", {"/t": "size=1m,mode=755"}, {"/t": {"size": "1m", "mode": 0o755}}],
            {"HostConfig.Tmpfs": {"/t": f"{_TMPFS},size=1048576,mode=755"}},
        ),
        (["/t:exec,ro,uid=5"], {"HostConfig.Tmpfs": {"/t": "nosuid,nodev,exec,uid=5,ro,mode=1777"}}),
        (["/t:suid,dev,noexec"], {"HostConfig.Tmpfs": {"/t": "rw,suid,dev,noexec,mode=1777"}}),
    ],
    "volumes_from": [(["data:ro", ["data:ro"], ["data:ro", "data:ro"]], {"HostConfig.VolumesFrom": ["data:ro"]})],
    "read_only": [([True], {"HostConfig.ReadonlyRootfs": True}), ([False], {})],
    "shm_size": [([1 << 20, "1m"], {"HostConfig.ShmSize": 1048576})],
    "storage_opt": [([{"size": "1g"}, ["size=1g"], "size=1g"], {"HostConfig.StorageOpt": {"size": "1g"}})],
    "publish": [
        (
            [{80: 8080}, {"80/tcp": "8080"}, "8080:80", ["8080:80/tcp"], PortBinding(80, host_port=8080)],
            {"ExposedPorts": {"80/tcp": {}},
             "HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        ),
        (
            [80, "80", ["80"], {80: None}],
            {"ExposedPorts": {"80/tcp": {}}, "HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}},
        ),
        (
            ["[::1]:8080:80/udp", {"80/udp": ("::1", 8080)}, {"80/udp": "[::1]:8080"}],
            {"ExposedPorts": {"80/udp": {}},
             "HostConfig.PortBindings": {"80/udp": [{"HostIp": "::1", "HostPort": "8080"}]}},
        ),
        (
            [{80: [8080, 8081]}, ["8080:80", "8081:80"]],
            {"ExposedPorts": {"80/tcp": {}},
             "HostConfig.PortBindings": {
                 "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081"}]}},
        ),
        (
            ["8000-8005:80", {80: "8000-8005"}],
            {"ExposedPorts": {"80/tcp": {}},
             "HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8000-8005"}]}},
        ),
    ],
    "publish_all": [([True], {"HostConfig.PublishAllPorts": True}), ([False], {})],
    "expose": [([80, "80", [80], ["80/tcp"]], {"ExposedPorts": {"80/tcp": {}}}),
        (["9/udp"], {"ExposedPorts": {"9/udp": {}}})],
    "network": [
        (["host"], {"HostConfig.NetworkMode": "host"}),
        (["container:db", ["container:db"]], {"HostConfig.NetworkMode": "container:db"}),
        (["default", "lab", ["a", "b"], {"lab": None}, NetworkAttachment("lab")], {}),
    ],
    "dns": [(["192.0.2.53", ["192.0.2.53"]], {"HostConfig.Dns": ["192.0.2.53"]})],
    "dns_search": [(["lab.example", ["lab.example"]], {"HostConfig.DnsSearch": ["lab.example"]}),
        (["."], {"HostConfig.DnsSearch": ["."]})],
    "dns_option": [(["ndots:2", ["ndots:2"]], {"HostConfig.DnsOptions": ["ndots:2"]})],
    "add_host": [
        ([{"far": "192.0.2.7"}, ["far:192.0.2.7"], "far=192.0.2.7"], {"HostConfig.ExtraHosts": ["far:192.0.2.7"]}),
        ([{"far": ["192.0.2.7", "::1"]}], {"HostConfig.ExtraHosts": ["far:192.0.2.7", "far:::1"]}),
        ([{"me": "host-gateway"}], {"HostConfig.ExtraHosts": ["me:host-gateway"]}),
    ],
    "ulimits": [
        (
            ["nofile=1024:2048", {"nofile": (1024, 2048)}, {"nofile": "1024:2048"}, Ulimit("nofile", 1024, 2048),
             {"name": "nofile", "soft": 1024, "hard": 2048}],
            {"HostConfig.Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}]},
        ),
        (
            [{"core": -1}, "core=-1", "core=unlimited"],
            {"HostConfig.Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}]},
        ),
    ],
    "oom_kill_disable": [([True], {"HostConfig.OomKillDisable": True}), ([False], {})],
    "oom_score_adj": [([-500, "-500"], {"HostConfig.OomScoreAdj": -500}), ([0], {"HostConfig.OomScoreAdj": 0})],
    "privileged": [([True], {"HostConfig.Privileged": True}), ([False], {})],
    "cap_add": [(["net_admin", ["CAP_NET_ADMIN"], ["NET_ADMIN", "NET_ADMIN"]], {"HostConfig.CapAdd": ["NET_ADMIN"]})],
    "cap_drop": [(["all", ["ALL"]], {"HostConfig.CapDrop": ["ALL"]}), (["chown"], {"HostConfig.CapDrop": ["CHOWN"]})],
    "security_opt": [
        (["no-new-privileges", ["no-new-privileges:true"]], {"HostConfig.SecurityOpt": ["no-new-privileges"]}),
        (["seccomp:unconfined", "seccomp=unconfined"], {"HostConfig.SecurityOpt": ["seccomp=unconfined"]}),
    ],
    "group_add": [([5, "5", [5]], {"HostConfig.GroupAdd": ["5"]}),
        ([["lab", 5]], {"HostConfig.GroupAdd": ["lab", "5"]})],
    "devices": [
        (
            ["/dev/fuse:/dev/x:r", ["/dev/fuse:/dev/x:r"], DeviceSpec("/dev/fuse", "/dev/x", "r"),
             {"host_path": "/dev/fuse", "container_path": "/dev/x", "permissions": "r"}],
            {"HostConfig.Devices": [
                {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]},
        ),
        (
            ["/dev/fuse", Path("/dev/fuse"), {"host_path": "/dev/fuse"}],
            {"HostConfig.Devices": [
                {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}]},
        ),
    ],
    "gpus": [
        (["all"], {"HostConfig.DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]], "Count": -1}]}),
        ([2, "2"], {"HostConfig.DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]], "Count": 2}]}),
        (
            ["device=0,GPU-1"],
            {"HostConfig.DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]], "DeviceIDs": ["0", "GPU-1"]}]},
        ),
    ],
    "sysctls": [
        (
            [{"net.ipv4.ip_forward": True}, {"net.ipv4.ip_forward": 1}, "net.ipv4.ip_forward=1"],
            {"HostConfig.Sysctls": {"net.ipv4.ip_forward": "1"}},
        )
    ],
    "userns": [(["host"], {"HostConfig.UsernsMode": "host"}),
        (["keep-id:uid=5"], {"HostConfig.UsernsMode": "keep-id:uid=5"})],
    "pid": [(["host"], {"HostConfig.PidMode": "host"}), (["container:db"], {"HostConfig.PidMode": "container:db"})],
    "ipc": [(["none"], {"HostConfig.IpcMode": "none"})],
    "uts": [(["host"], {"HostConfig.UTSMode": "host"})],
    "cgroupns": [(["private"], {"HostConfig.CgroupnsMode": "private"})],
    "cgroup_parent": [(["/lab"], {"HostConfig.CgroupParent": "/lab"})],
    "runtime": [(["crun"], {"HostConfig.Runtime": "crun"})],
    "log_driver": [(["json-file"], {"HostConfig.LogConfig": {"Type": "json-file"}})],
    "log_opt": [([{"max-size": "1m"}, "max-size=1m"], {"HostConfig.LogConfig": {"Config": {"max-size": "1m"}}})],
}  # fmt: skip
#: options that need another beside them: the options, and the places in the body.
TOGETHER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "memory_swap": (
        {"memory": "64m", "memory_swap": "128m"},
        {"HostConfig.Memory": 67108864, "HostConfig.MemorySwap": 134217728},
    ),
    "health_interval": (
        {"health_cmd": "true", "health_interval": "5s"},
        {"Healthcheck": {**_CHECK, "Interval": 5 * 10**9}},
    ),
    "health_timeout": ({"health_cmd": "true", "health_timeout": 5}, {"Healthcheck": {**_CHECK, "Timeout": 5 * 10**9}}),
    "health_retries": ({"health_cmd": "true", "health_retries": 5}, {"Healthcheck": {**_CHECK, "Retries": 5}}),
    "health_start_period": (
        {"health_cmd": "true", "health_start_period": 5},
        {"Healthcheck": {**_CHECK, "StartPeriod": 5 * 10**9}},
    ),
}
#: options of a network's place: the value, and the body of that place.
ENDPOINT: dict[str, tuple[Any, dict[str, Any]]] = {
    "network_alias": (["a", "b"], {"Aliases": ["a", "b"]}),
    "ip": ("10.0.0.5", {"IPAMConfig": {"IPv4Address": "10.0.0.5"}}),
    "ip6": ("fd00::5", {"IPAMConfig": {"IPv6Address": "fd00::5"}}),
    "mac_address": ("02:42:ac:11:00:02", {"MacAddress": "02:42:ac:11:00:02"}),
}
QUERY: dict[str, Any] = {"name": "box", "platform": "linux/arm64"}
IN_A_FILE = {"env_file", "label_file"}


def body(**given: Any) -> dict[str, Any]:
    return _render.container_body(options.container_spec("busybox", None, given), "busybox")


def expected(places: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {**BASE, "HostConfig": {}}
    for place, value in places.items():
        outer, dot, inner = place.partition(".")
        if dot:
            found[outer][inner] = value
        else:
            found[outer] = value
    return found


ALONE = [
    pytest.param(name, value, places, id=f"{name}-{index}-{number}")
    for name, groups in BODY.items()
    for index, (spellings, places) in enumerate(groups)
    for number, value in enumerate(spellings)
]


@pytest.mark.parametrize(("name", "value", "places"), ALONE)
def test_an_option_alone_reaches_its_place_in_the_body(name: str, value: Any, places: dict[str, Any]) -> None:
    """Each spelling of each option adds exactly its own JSON to the body of a create."""
    assert body(**{name: value}) == expected(places)


@pytest.mark.parametrize("name", TOGETHER)
def test_an_option_with_the_one_it_needs_reaches_its_place(name: str) -> None:
    """An option that needs another beside it adds its own JSON too."""
    given, places = TOGETHER[name]
    assert name in given
    assert body(**given) == expected(places)


@pytest.mark.parametrize("name", ENDPOINT)
def test_an_option_of_a_network_reaches_its_endpoint(name: str) -> None:
    """network_alias, ip, ip6 and mac_address go to the place of the container in its network."""
    value, endpoint = ENDPOINT[name]
    spec = options.container_spec("busybox", None, {"network": "lab", name: value})
    (attachment,) = spec.networks
    assert attachment.name == "lab"
    assert _render.endpoint_body(attachment) == endpoint
    assert _render.container_body(spec, "busybox") == expected({})


@pytest.mark.parametrize("name", QUERY)
def test_an_option_of_the_query_reaches_the_query(name: str) -> None:
    """name and platform are query parameters of a create."""
    spec = options.container_spec("busybox", None, {name: QUERY[name]})
    assert _render.container_query(spec) == {name: QUERY[name]}
    assert _render.container_body(spec, "busybox") == expected({})


def test_an_env_file_reaches_the_body(tmp_path: Path) -> None:
    """The variables of a file stand before those of env."""
    file = tmp_path / "env"
    file.write_text("A=1\n")
    assert body(env_file=file) == body(env_file=[str(file)]) == expected({"Env": ["A=1"]})
    assert body(env={"B": 2}, env_file=file) == expected({"Env": ["A=1", "B=2"]})


def test_every_option_of_a_create_is_tested() -> None:
    """A new row of the table needs its JSON here."""
    assert {*BODY, *TOGETHER, *ENDPOINT, *QUERY, *IN_A_FILE} == set(CREATE)
    assert not [name for name, groups in BODY.items() if not groups or not all(values for values, _ in groups)]


@pytest.mark.parametrize("alias", sorted({(alias, row.name) for row in CREATE.values() for alias in row.aliases}))
def test_an_alias_is_the_option(alias: tuple[str, str]) -> None:
    """A second spelling of an option's name reaches the same place."""
    spelling, name = alias
    for values, places in BODY[name]:
        assert body(**{spelling: values[0]}) == expected(places)


def test_options_join_at_one_place() -> None:
    """expose and publish share ExposedPorts, log_driver and log_opt LogConfig, and mounts three places."""
    assert body(expose=9, publish=80)["ExposedPorts"] == {"9/tcp": {}, "80/tcp": {}}
    assert body(log_driver="local", log_opt="a=b")["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {"a": "b"}}
    assert body(interactive=True, tty=True) == expected(
        {"OpenStdin": True, "AttachStdin": True, "StdinOnce": False, "Tty": True}
    )
    assert body(volumes="/a:/1:z", mounts="type=tmpfs,dst=/2", tmpfs="/3")["HostConfig"] == {
        "Binds": ["/a:/1:rw,z"],
        "Tmpfs": {"/2": f"{_TMPFS},mode=1777", "/3": f"{_TMPFS},mode=1777"},
    }


def test_a_command_reaches_the_body() -> None:
    """The command stands in Cmd; without one the key is missing."""
    spec = options.container_spec("busybox", "echo 'a b'", {})
    assert _render.container_body(spec, "sha256:1") == {**BASE, "Image": "sha256:1", "Cmd": ["echo", "a b"]}


@pytest.mark.parametrize("unlimited", [-1, _render.ALL_SWAP])
def test_unlimited_swap_is_the_number_of_the_engine(unlimited: int) -> None:
    """memory_swap=-1 is sent as the backend says it; other values are not changed."""
    spec = options.container_spec("busybox", None, {"memory": "64m", "memory_swap": -1})
    host = {"Memory": 64 << 20, "MemorySwap": unlimited}
    assert _render.container_body(spec, "x", unlimited_swap=unlimited)["HostConfig"] == host
    assert _render.limits_body(spec.limits, unlimited_swap=unlimited) == host
    assert _render.limits_body(ResourceLimits(memory_swap=1 << 30), unlimited_swap=unlimited) == {"MemorySwap": 1 << 30}
    assert _render.ALL_SWAP == 9223372036854771712


def _header(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text))


def test_credentials_are_json_in_a_header() -> None:
    """An account is a user name and a password, or an identity token in place of both."""
    account, token = RegistryAuth("quay.io", "u", "p"), RegistryAuth("docker.io", "", "", identity_token="t")
    assert _header(_render.auth_header(account)) == {"username": "u", "password": "p", "serveraddress": "quay.io"}
    assert _header(_render.auth_header(token)) == {"identitytoken": "t", "serveraddress": "docker.io"}
    assert _header(_render.config_header([account, token])) == {
        "quay.io": {"username": "u", "password": "p"},
        "https://index.docker.io/v1/": {"identitytoken": "t"},
    }


def test_filters_are_json_of_lists() -> None:
    """Without filters the parameter is left out."""
    assert _render.query_filters({"label": ("a=1", "b"), "status": ("running",)}) == (
        '{"label": ["a=1", "b"], "status": ["running"]}'
    )
    assert _render.query_filters({}) is None


# ---------------------------------------------------------------- exec, build, volumes, networks, update
EXEC_BODY: dict[str, tuple[Any, dict[str, Any]]] = {
    "env": ({"A": 1}, {"Env": ["A=1"]}),
    "user": (0, {"User": "0"}),
    "workdir": ("/srv", {"WorkingDir": "/srv"}),
    "tty": (True, {"Tty": True}),
    "interactive": (True, {"AttachStdin": True}),
    "privileged": (True, {"Privileged": True}),
}


@pytest.mark.parametrize("name", EXEC_BODY)
def test_an_option_of_exec_reaches_its_place(name: str) -> None:
    """Each option of exec adds its own JSON."""
    value, added = EXEC_BODY[name]
    spec = options.exec_spec(["id"], **{name: value})
    assert _render.exec_body(spec) == {"Cmd": ["id"], "AttachStdout": True, "AttachStderr": True, **added}
    assert {*EXEC_BODY, "env_file"} == set(EXEC)


BUILD_QUERY: dict[str, tuple[Any, dict[str, Any]]] = {
    "tags": (["x:1", "y"], {"t": ["x:1", "y"]}),
    "dockerfile": ("./sub/Dockerfile", {"dockerfile": "sub/Dockerfile"}),
    "build_args": ({"A": True}, {"buildargs": '{"A": "true"}'}),
    "target": ("base", {"target": "base"}),
    "labels": ({"a": "b"}, {"labels": '{"a": "b"}'}),
    "platform": ("linux/arm64", {"platform": "linux/arm64"}),
    "no_cache": (True, {"nocache": True}),
    "pull": (True, {"pull": True}),
    "network": ("none", {"networkmode": "none"}),
    "add_host": ({"far": "192.0.2.7"}, {"extrahosts": ["far:192.0.2.7"]}),
    "shm_size": ("1m", {"shmsize": 1048576}),
}


@pytest.mark.parametrize("name", BUILD_QUERY)
def test_an_option_of_build_reaches_the_query(name: str) -> None:
    """Each option of build is a query parameter, mappings as JSON."""
    value, added = BUILD_QUERY[name]
    base = {"dockerfile": "Dockerfile", "rm": True, "forcerm": True}
    assert _render.build_query(options.build_spec(**{name: value})) == {**base, **added}
    assert set(BUILD_QUERY) == set(BUILD)


VOLUME_BODY: dict[str, tuple[Any, dict[str, Any]]] = {
    "driver": ("nfs", {"Driver": "nfs"}),
    "options": (["type=tmpfs"], {"DriverOpts": {"type": "tmpfs"}}),
    "labels": (["a=b", "c"], {"Labels": {"a": "b", "c": ""}}),
}


@pytest.mark.parametrize("name", VOLUME_BODY)
def test_an_option_of_a_volume_reaches_its_place(name: str) -> None:
    """Each option of a volume adds its own JSON."""
    value, added = VOLUME_BODY[name]
    found = _render.volume_body(options.volume_spec("data", **{name: value}))
    assert found == {"Name": "data", "Driver": "local", **added}
    assert set(VOLUME_BODY) == set(VOLUME)


NETWORK_BODY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "driver": ({"driver": "macvlan"}, {"Driver": "macvlan"}),
    "subnet": ({"subnet": "10.5.0.0/24"}, {"IPAM": {"Driver": "default", "Config": [{"Subnet": "10.5.0.0/24"}]}}),
    "gateway": (
        {"subnet": "10.5.0.0/24", "gateway": "10.5.0.1"},
        {"IPAM": {"Driver": "default", "Config": [{"Subnet": "10.5.0.0/24", "Gateway": "10.5.0.1"}]}},
    ),
    "ip_range": (
        {"subnet": "10.5.0.0/24", "ip_range": "10.5.0.0/25"},
        {"IPAM": {"Driver": "default", "Config": [{"Subnet": "10.5.0.0/24", "IPRange": "10.5.0.0/25"}]}},
    ),
    "ipv6": ({"ipv6": True}, {"EnableIPv6": True}),
    "internal": ({"internal": True}, {"Internal": True}),
    "options": ({"options": {"mtu": 1400}}, {"Options": {"mtu": "1400"}}),
    "labels": ({"labels": "a=b"}, {"Labels": {"a": "b"}}),
}


@pytest.mark.parametrize("name", NETWORK_BODY)
def test_an_option_of_a_network_reaches_its_place(name: str) -> None:
    """Each option of a network adds its own JSON."""
    given, added = NETWORK_BODY[name]
    found = _render.network_body(options.network_spec("lab", **given))
    assert found == {"Name": "lab", "CheckDuplicate": True, "Driver": "bridge", **added}
    assert set(NETWORK_BODY) == set(NETWORK)


# ---------------------------------------------------------------- what is made from the table
@pytest.mark.parametrize(
    ("table", "spec", "elsewhere"),
    [
        (CREATE, ContainerSpec, {"image", "command", "networks"}),
        (EXEC, ExecSpec, {"command"}),
        (BUILD, BuildSpec, {"credentials", "hidden"}),
        (VOLUME, VolumeSpec, {"name"}),
        (NETWORK, NetworkSpec, {"name"}),
        (LIMITS, ContainerSpec, {*ContainerSpec.__slots__} - {"limits"}),
    ],
)
def test_the_fields_of_a_spec_are_those_of_the_table(table: Table, spec: type, elsewhere: set[str]) -> None:
    """Every option sets a field that exists, and every field is set by an option."""
    fields = {(row.field or row.name).partition(".")[0] for row in table.values()}
    assert fields | elsewhere == {field.name for field in dataclasses.fields(spec)}


@pytest.mark.parametrize(("outer", "kind"), [("limits", ResourceLimits), ("health", HealthCheck)])
def test_the_parts_of_a_field_are_those_of_the_table(outer: str, kind: type) -> None:
    """Every limit and every part of a health check is an option."""
    parts = {row.field.partition(".")[2] for row in CREATE.values() if row.field.startswith(f"{outer}.")}
    assert parts == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (make_options.PAGE, make_options.page),
        (make_options.COMMANDS_PAGE, make_options.commands_page),
        (make_options.TYPED, make_options.typed),
    ],
    ids=["docs/options.md", "docs/command-line-options.md", "typed.py"],
)
def test_a_generated_file_is_up_to_date(path: Path, text: Any) -> None:
    """`python docs/make_options.py` changes nothing."""
    assert path.read_text() == text(), f"run {make_options.COMMAND}"


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("LimitOptions", LIMITS),
        ("UpdateOptions", UPDATE),
        ("ExecOptions", EXEC),
        ("CreateOptions", CREATE),
        ("StartOptions", START),
        ("RunOptions", RUN),
        ("BuildOptions", BUILD),
        ("VolumeOptions", VOLUME),
        ("NetworkOptions", NETWORK),
    ],
)
def test_a_typed_dict_has_every_option(name: str, table: Table) -> None:
    """The types resolve, and the keys are the options and their aliases."""
    hints = typing.get_type_hints(getattr(typed, name), {**vars(types), **vars(typed)})
    assert set(hints) == {spelling for row in table.values() for spelling in (row.name, *row.aliases)}
    assert getattr(options, name) is getattr(typed, name)


@pytest.mark.parametrize(
    ("function", "table"),
    [
        (ck.Engine.run, RUN),
        (ck.Engine.start, START),
        (Containers.create, START),
        (ck.Container.exec, EXEC),
        (ck.Container.update, UPDATE),
        (Images.build, BUILD),
        (Volumes.create, VOLUME),
        (Networks.create, NETWORK),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_the_signature_and_the_help_of_a_function_name_every_option(function: Any, table: Table) -> None:
    """inspect.signature has a keyword-only parameter for each option, and the docstring documents each."""
    parameters = inspect.signature(function).parameters
    assert not [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    for row in table.values():
        assert parameters[row.name].kind is inspect.Parameter.KEYWORD_ONLY
        if f"\n    {row.name}: {row.doc}\n" not in function.__doc__:  # a parameter of its own, documented above
            assert row.name in function.__code__.co_varnames
            assert row.name in function.__doc__
    assert set(table) <= set(parameters)


def test_the_signature_shows_types_and_defaults() -> None:
    """An option without a default is None; create() does not pull by itself."""
    run = inspect.signature(ck.Engine.run).parameters
    assert (run["memory"].default, run["memory"].annotation) == (None, "Size | None")
    assert (run["pull"].default, run["pull"].annotation) == ("missing", 'Literal["missing", "always", "never"]')
    assert (run["check"].default, run["check"].annotation) == (False, "bool")
    assert inspect.signature(Containers.create).parameters["pull"].default == "never"
    assert inspect.signature(Volumes.create).parameters["options"].annotation == "Pairs | None"
    assert list(run)[:5] == ["self", "image", "command", "name", "env_file"]


@pytest.mark.parametrize(
    "table", [RUN, EXEC, BUILD, VOLUME, NETWORK], ids=["run", "exec", "build", "volume", "network"]
)
def test_every_row_is_documented(table: Table) -> None:
    """An option has a one-line documentation, a type, and a flag in the style of the command line."""
    for row in table.values():
        assert row.doc[0].isupper(), row.name
        assert row.doc.endswith("."), row.name
        assert "\n" not in row.doc
        assert row.cli_flag == "" or row.cli_flag.startswith("--")
        assert not row.capability or ck.Capability(row.capability)


RECORD: dict[str, dict[str, dict[str, str]]] = json.loads(make_options.RECORD.read_text())


@pytest.mark.parametrize("verb", make_options.VERBS)
def test_every_option_of_docker_and_podman_is_here_or_has_its_reason(verb: str) -> None:
    """No option of the recorded command lines is forgotten; no reason outlives its option; short forms are the same."""
    theirs = {f"--{name}" for engine in RECORD.values() for name in engine[verb]}
    own = make_options.own_options(verb)
    excused = {f"--{name}" for where, name in make_options.reasons() if where == verb}
    assert theirs - set(own) == excused
    for engine in RECORD.values():
        short = {f"-{letter}": f"--{name}" for name, letter in engine[verb].items() if letter and f"--{name}" in own}
        assert {letter: own.get(letter) for letter in short} == short


def test_the_options_of_a_help_page_are_read() -> None:
    """Long options with their short forms; words of the descriptions and --help itself are none."""
    page = """Usage: x [OPTIONS]

Options:
  -d, --detach          Run like --rm does
      --env-file list   Read a file
                        --not an option
      --help            Print usage
"""
    assert read_help(page) == {"detach": "d", "env-file": ""}
