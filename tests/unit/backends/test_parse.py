"""Every field that is read from an engine's JSON, each with a value of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from containerkit.backends import _parse, _parse_images

ID, IMAGE = "c" * 64, "d" * 64
DAY = "2024-01-31T12:00:00Z"
NOON = 1706702400.0


def plain(record: Any) -> dict[str, Any]:
    """Return the fields without the raw response."""
    return {key: value for key, value in asdict(record).items() if key != "raw"}


def inspected() -> dict[str, Any]:
    return {
        "Id": ID,
        "Name": "/web",
        "Image": IMAGE,
        "Path": "sh",
        "Args": ["-c", "true"],
        "Created": DAY,
        "SizeRw": 5,
        "SizeRootFs": 9,
        "State": {
            "Status": "exited",
            "ExitCode": 3,
            "Error": "no such file",
            "OOMKilled": True,
            "StartedAt": "2024-01-31T12:00:01.5Z",
            "FinishedAt": "2024-01-31T13:00:02+01:00",
            "Pid": 7,
        },
        "Config": {"Image": "app:1", "Labels": {"a": "b"}, "Tty": True},
        "HostConfig": {
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "x": []},
            "RestartPolicy": {"Name": "always"},
            "NetworkMode": "net",
        },
        "NetworkSettings": {
            "Ports": {"53/udp": [{"HostIp": "::1", "HostPort": "5353"}, {"HostPort": ""}], "90": None},
            "Networks": {
                "net": {
                    "IPAddress": "10.0.0.2",
                    "GlobalIPv6Address": "fd00::2",
                    "MacAddress": "02:00:00:00:00:02",
                    "Gateway": "10.0.0.1",
                    "Aliases": ["web", "www"],
                }
            },
        },
        "Mounts": [
            {"Type": "bind", "Source": "/src", "Destination": "/dst", "RW": False},
            {"Type": "volume", "Source": "/var", "Destination": "/data", "Name": "data", "RW": True},
        ],
    }


def test_a_container() -> None:
    """Published ports of the settings and of the host's configuration count together."""
    record = _parse.container(inspected())
    found = plain(record)
    assert (found["id"], found["name"], found["image"], found["image_id"]) == (ID, "web", "app:1", f"sha256:{IMAGE}")
    assert (found["status"], found["exit_code"], found["error"], found["oom_killed"]) == (
        "exited", 3, "no such file", True,
    )  # fmt: skip
    assert (found["created"], found["started"], found["finished"]) == (NOON, NOON + 1.5, NOON + 2)
    assert (found["labels"], found["command"], found["tty"]) == ({"a": "b"}, ("sh", "-c", "true"), True)
    assert (found["restart"], found["network_mode"], found["pid"]) == ("always", "net", 0)
    assert (found["size_rw"], found["size_root_fs"], found["complete"]) == (5, 9, True)
    assert {key: list(map(str, each)) for key, each in record.ports.items()} == {
        (80, "tcp"): ["0.0.0.0:8080"],
        (53, "udp"): ["[::1]:5353"],
        (90, "tcp"): [],
    }
    assert found["networks"]["net"] == {
        "network": "net",
        "ipv4_address": "10.0.0.2",
        "ipv6_address": "fd00::2",
        "mac_address": "02:00:00:00:00:02",
        "gateway": "10.0.0.1",
        "aliases": ("web", "www"),
    }
    assert found["mounts"] == (
        {"kind": "bind", "source": "/src", "target": "/dst", "name": "", "read_only": True},
        {"kind": "volume", "source": "/var", "target": "/data", "name": "data", "read_only": False},
    )
    assert _parse.container(inspected(), "named:1").image == "named:1"


def test_a_running_container() -> None:
    """Only a container that has exited has an exit code; only one that runs has a process."""
    raw = inspected()
    raw["State"] = {"Status": "running", "ExitCode": 0, "Pid": 7}
    found = _parse.container(raw)
    assert (found.exit_code, found.pid, found.oom_killed, found.health) == (None, 7, False, None)
    del raw["HostConfig"]["RestartPolicy"]
    assert _parse.container(raw).restart == "no"


def test_health() -> None:
    """A check that has not answered is starting; an image's check that was removed is none."""
    raw = inspected()
    for test, state, health, has in (
        (["CMD", "true"], "healthy", "healthy", True),
        (["CMD", "true"], "", "starting", True),
        (["NONE"], "none", None, False),
        ([], "unhealthy", "unhealthy", True),
        ([], "none", None, False),
        (["CMD", "true"], "none", None, True),
    ):
        raw["State"]["Health"] = {"Status": state}
        raw["Config"]["Healthcheck"] = {"Test": test}
        found = _parse.container(raw)
        assert (found.health, found.has_health_check) == (health, has), (test, state)


def test_words_of_podman_for_a_status() -> None:
    """Each is the word that Docker has for the same state."""
    raw = inspected()
    for theirs, ours in (("configured", "created"), ("initialized", "created"), ("stopped", "exited"),
                         ("Stopping", "running"), ("paused", "paused"), ("dead", "dead")):  # fmt: skip
        raw["State"]["Status"] = theirs
        assert _parse.container(raw).status == ours


def test_a_row_of_a_list() -> None:
    """Names by links are left out; several addresses of one port stay in order."""
    raw = {
        "Id": ID,
        "Names": ["/other/alias", "/web"],
        "Image": "app:1",
        "ImageID": IMAGE,
        "State": "stopped",
        "Labels": {"a": "b"},
        "Command": "sh -c true",
        "Created": 1706702400,
        "SizeRw": 5,
        "SizeRootFs": 9,
        "Ports": [
            {"PrivatePort": 80, "PublicPort": 8080, "IP": "0.0.0.0", "Type": "tcp"},
            {"PrivatePort": 80, "PublicPort": 8081, "IP": "::"},
            {"PrivatePort": 53, "Type": "udp"},
        ],
        "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.2"}}},
    }
    record = _parse.container_summary(raw)
    assert (record.id, record.name, record.image, record.image_id) == (ID, "web", "app:1", f"sha256:{IMAGE}")
    assert (record.status, record.labels, record.command) == ("exited", {"a": "b"}, ("sh -c true",))
    assert (record.created, record.size_rw, record.size_root_fs, record.complete) == (NOON, 5, 9, False)
    assert {key: list(map(str, each)) for key, each in record.ports.items()} == {
        (80, "tcp"): ["0.0.0.0:8080", "[::]:8081"],
        (53, "udp"): [],
    }
    assert record.networks["net"].ipv4_address == "10.0.0.2"
    assert _parse.container_summary({"Id": ID, "State": "created", "Names": ["/a/b"]}).name == "a/b"
    assert _parse.container_summary({"Id": ID, "State": "created"}).name == ""


def test_images() -> None:
    """The inspect and the row of a list; a digest without a name is left out of the row."""
    full = _parse_images.image(
        {
            "Id": IMAGE,
            "RepoDigests": ["app@sha256:1"],
            "Size": 8,
            "Created": DAY,
            "Config": {"Labels": {"a": "b"}},
            "Parent": ID,
            "Os": "linux",
            "Architecture": "arm64",
            "Author": "someone",
            "RootFS": {"Layers": ["sha256:a"]},
        },
        ["app:1"],
    )
    assert (full.id, full.refs, full.digests, full.size) == (f"sha256:{IMAGE}", ("app:1",), ("app@sha256:1",), 8)
    assert (full.created, full.labels, full.parent) == (NOON, {"a": "b"}, f"sha256:{ID}")
    assert (full.os, full.arch, full.author, full.diff_ids) == ("linux", "arm64", "someone", ("sha256:a",))
    assert full.config == {"Labels": {"a": "b"}}
    assert full.complete
    row = _parse_images.image_summary(
        {
            "Id": IMAGE,
            "RepoDigests": ["<none>@sha256:1", "app@sha256:2"],
            "Size": 8,
            "Created": 1706702400,
            "Labels": {"a": "b"},
            "ParentId": ID,
            "Containers": 2,
            "SharedSize": -1,
        },
        ["app:1"],
    )
    assert (row.id, row.refs, row.digests, row.size) == (f"sha256:{IMAGE}", ("app:1",), ("app@sha256:2",), 8)
    assert (row.created, row.labels, row.parent) == (NOON, {"a": "b"}, f"sha256:{ID}")
    assert (row.containers, row.shared_size, row.complete) == (2, None, False)


def test_networks_and_volumes() -> None:
    """Addresses stand without their prefix lengths."""
    net = _parse.network(
        {
            "Id": ID,
            "Name": "net",
            "Driver": "bridge",
            "Internal": True,
            "EnableIPv6": True,
            "Labels": {"a": "b"},
            "Options": {"mtu": "1400"},
            "IPAM": {"Config": [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1/24"}, {"Subnet": "fd00::/64"}]},
            "Containers": {
                ID: {"Name": "web", "IPv4Address": "10.0.0.2/24", "IPv6Address": "fd00::2/64", "MacAddress": "02:00"}
            },
            "Created": DAY,
        }
    )
    assert (net.id, net.name, net.driver, net.internal, net.ipv6) == (ID, "net", "bridge", True, True)
    assert (net.labels, net.options, net.created) == ({"a": "b"}, {"mtu": "1400"}, NOON)
    assert net.subnets == (("10.0.0.0/24", "10.0.0.1"), ("fd00::/64", ""))
    assert [plain(each) for each in net.containers] == [
        {"id": ID, "name": "web", "ipv4_address": "10.0.0.2", "ipv6_address": "fd00::2", "mac_address": "02:00"}
    ]
    bare = _parse.network({"Id": ID, "Name": "net", "Internal": "yes", "EnableIPv6": None})
    assert (bare.internal, bare.ipv6, bare.subnets, bare.containers) == (False, False, (), ())
    raw = {
        "Name": "data", "Driver": "local", "Mountpoint": "/m", "Labels": {"a": "b"}, "Options": {"o": "bind"},
        "CreatedAt": DAY,
    }  # fmt: skip
    (data,) = _parse.volumes({"Volumes": [raw]})
    assert plain(data) == {
        "name": "data", "driver": "local", "mountpoint": "/m", "labels": {"a": "b"}, "options": {"o": "bind"},
        "created": NOON,
    }  # fmt: skip
    assert _parse.volumes({"Volumes": None}) == ()


def test_history() -> None:
    """Oldest first; a missing ID is empty, a time of zero is none."""
    rows = [
        {"Id": IMAGE, "CreatedBy": "RUN b", "Created": 1706702400, "Size": 2, "Comment": "new"},
        {"Id": "<missing>", "CreatedBy": "RUN a", "Created": 0, "Size": 1, "Comment": ""},
    ]
    found = [plain(each) for each in _parse_images.history(rows)]
    assert [each.pop("empty_layer") for each in found] == [None, None]
    assert found == [
        {"created_by": "RUN a", "created": None, "size": 1, "comment": "", "image_id": ""},
        {"created_by": "RUN b", "created": NOON, "size": 2, "comment": "new", "image_id": f"sha256:{IMAGE}"},
    ]


def test_progress() -> None:
    """A line of a pull, and the last line of a build."""
    row = {"status": "Downloading", "id": "abc", "progressDetail": {"current": 1, "total": 2}, "stream": "Step 1"}
    assert plain(_parse_images.progress(row)) == {
        "status": "Downloading", "id": "abc", "current": 1, "total": 2, "stream": "Step 1", "image_id": "",
    }  # fmt: skip
    done = _parse_images.progress({"aux": {"ID": IMAGE}, "progressDetail": {"total": 0}})
    assert (done.image_id, done.total, done.current) == (f"sha256:{IMAGE}", None, None)


def sample() -> dict[str, Any]:
    return {
        "read": "2024-01-31T12:00:01Z",
        "preread": DAY,
        "cpu_stats": {"cpu_usage": {"total_usage": 3_000_000_000}, "system_cpu_usage": 40, "online_cpus": 4},
        "precpu_stats": {"cpu_usage": {"total_usage": 2_999_999_998}, "system_cpu_usage": 20},
        "memory_stats": {"usage": 100, "limit": 1000, "stats": {"inactive_file": 30}},
        "pids_stats": {"current": 6},
        "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 5}, {"op": "write", "value": 7}, {"op": "read", "value": 1},
            ]
        },
    }  # fmt: skip


def test_stats() -> None:
    """CPU time counts per CPU; without the host's clock it is taken from the time between two samples."""
    raw = sample()
    assert plain(_parse.stats(raw)) == {
        "cpu_percent": 40.0, "cpu_total": 3.0, "memory": 70, "memory_limit": 1000, "pids": 6, "network_rx": 11,
        "network_tx": 22, "block_read": 6, "block_write": 7, "time": NOON + 1,
    }  # fmt: skip
    raw["cpu_stats"]["online_cpus"] = 0
    raw["cpu_stats"]["cpu_usage"]["percpu_usage"] = [1, 2]
    raw["memory_stats"]["stats"] = {"total_inactive_file": 40, "inactive_file": 1}
    found = _parse.stats(raw)
    assert (found.cpu_percent, found.memory) == (20.0, 60)
    raw["precpu_stats"] = {"cpu_usage": {"total_usage": 2_500_000_000}}
    raw["memory_stats"]["stats"] = {"inactive_file": 200}
    found = _parse.stats(raw)
    assert (found.cpu_percent, found.memory) == (50.0, 100)
    del raw["preread"]
    assert _parse.stats(raw).cpu_percent is None


def test_events() -> None:
    """Podman's words become Docker's; the exit code is that of an end only."""
    raw: dict[str, Any] = {
        "Type": "container",
        "Action": "died",
        "Actor": {"ID": ID, "Attributes": {"name": "web", "containerExitCode": "-1"}},
        "timeNano": 1706702400_500000000,
        "time": 5,
    }
    found = _parse.event(raw)
    assert (found.type, found.action, found.id, found.name) == ("container", "die", ID, "web")
    assert (found.time, found.exit_code) == (NOON + 0.5, -1)
    other = _parse.event({"Type": "image", "status": "remove", "id": IMAGE, "time": 1706702400})
    assert (other.action, other.id, other.time, other.exit_code) == ("remove", IMAGE, NOON, None)
    raw |= {"Action": "remove", "Actor": {"Attributes": {"exitCode": "3"}}, "id": ID}
    again = _parse.event(raw)
    assert (again.action, again.id, again.exit_code) == ("destroy", ID, None)


def test_disk_usage() -> None:
    """What images in use have for themselves is not reclaimable; a shared record of the cache counts once."""
    raw: dict[str, Any] = {
        "LayersSize": 100,
        "Images": [
            {"Size": 60, "SharedSize": 20, "Containers": 1},
            {"Size": 70, "SharedSize": 20, "Containers": 0},
        ],
        "Containers": [{"SizeRw": 5}, {}],
        "BuildCache": [{"Size": 3, "Shared": False}, {"Size": 50, "Shared": True}],
        "Volumes": [{"UsageData": {"Size": 2}}, {"Size": 4}],
    }
    assert plain(_parse_images.disk_usage(raw)) == {
        "images": 100, "containers": 5, "reclaimable": 60, "volumes": 6, "build_cache": 3,
    }  # fmt: skip
    del raw["LayersSize"]
    raw["Volumes"].append({"UsageData": {"Size": -1}})
    found = _parse_images.disk_usage(raw)
    assert (found.images, found.reclaimable, found.volumes) == (130, 90, None)
    raw["Images"].append({"Size": -1})
    assert _parse_images.disk_usage(raw).images is None


def test_processes_and_changes() -> None:
    """A folder that was removed and made again is modified."""
    found = _parse.processes({"Titles": ["PID", "CMD"], "Processes": [["1", "sh"]]})
    assert (found.titles, found.rows) == (("PID", "CMD"), (("1", "sh"),))
    rows = [
        {"Path": "/a", "Kind": 2},
        {"Path": "/a/b", "Kind": 1},
        {"Path": "/c", "Kind": 2},
        {"Path": "/d", "Kind": 9},
    ]
    assert [(each.path, each.kind) for each in _parse.changes(rows)] == [
        ("/a", "modified"), ("/a/b", "added"), ("/c", "deleted"),
    ]  # fmt: skip
    assert _parse.changes(None) == ()
