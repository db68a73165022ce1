"""The figures that depend on the storage driver, once more on a store whose driver shares nothing: vfs copies all that
is below for each layer. A second service of the engine under test, with a store of its own, is started for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.backends._peer import engine_process
from tests.conformance.test_layers import (
    family,
    load,
    store,
    test_disk_bytes_are_what_the_store_grew_by,
    test_reclaim_is_what_removal_frees,
    test_what_a_container_has_is_not_reclaimable,
)
from tests.registry.fixtures import ENGINES

__all__ = [
    "family",
    "load",
    "store",
    "test_disk_bytes_are_what_the_store_grew_by",
    "test_reclaim_is_what_removal_frees",
    "test_what_a_container_has_is_not_reclaimable",
]


def command(info: ck.EngineInfo, folder: str, socket: str) -> list[str]:
    if info.kind == "podman":
        store = ["--root", f"{folder}/store", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        return ["podman", *store, "system", "service", "--time=0", socket]
    store = ["--data-root", f"{folder}/store", "--exec-root", f"{folder}/run", "--storage-driver", "vfs"]
    alone = ["--bridge=none", "--iptables=false", "--pidfile", f"{folder}/pid"]
    return ["unshare", "--net", "dockerd", *store, *alone, "-H", socket]


@pytest.fixture(scope="module")
def engine(engine: ck.Engine) -> Iterator[ck.Engine]:
    """The same engine with --storage-driver vfs; it and its store are gone afterwards."""
    name, info = os.environ.get("CK_ENGINE", ""), engine.info()
    if "CK_ENGINE_ROOT" not in os.environ or (info.kind == "docker" and info.rootless):
        pytest.skip("a second service is started only beside a Podman, or a rootful Docker, of engines.sh")
    if info.image_store == "containerd":
        pytest.skip("vfs is a storage driver; an engine with containerd's image store has snapshotters")
    token = f"vfs-{uuid.uuid4().hex[:8]}"
    folder = f"{'/home/lab' if info.rootless else '/var/lib'}/{token}"
    url = f"unix://{Path(engine.url.removeprefix('unix://')).with_name(f'{token}.sock')}"
    started = [str(ENGINES), "in", name, "--", *command(info, folder, f"unix:///run/ck/{token}.sock")]
    service = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        ends = time.monotonic() + 60
        while (process := engine_process(url)) is None:
            assert service.poll() is None, f"the service ended with {service.returncode}"
            assert time.monotonic() < ends, "the service did not come up"
            time.sleep(0.1)
        with ck.connect(url, timeout=120) as second:
            assert second.info().storage_driver == "vfs"
            yield second
        os.kill(process, signal.SIGTERM)
        service.wait(60)
    finally:
        if service.poll() is None:
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()
        shutil.rmtree(Path(os.environ["CK_ENGINE_ROOT"], folder.lstrip("/")), ignore_errors=True)
