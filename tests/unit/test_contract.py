"""The public names that users rely on."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest

import containerkit as ck
from containerkit import errors

PROMISED = {
    "Endpoint": "kind url source rootless reachable reason",
    "Engine": "kind url capabilities info run map start layers sharing savings waste reclaimable duplicates disk_usage "
    "check events login close",
    "EngineInfo": "version api_version rootless cgroup_version cgroup_driver storage_driver image_store root_dir os "
    "arch kernel cpus memory warnings",
    "RunResult": "exit_code stdout stderr stdout_bytes stderr_bytes duration warnings",
    "Container": "id short_id name image status labels ports health exit_code refresh start stop kill pause unpause "
    "restart wait remove rename update exec logs stream_logs copy_to copy_from read_file write_file commit export diff "
    "stats stream_stats top port wait_until layer_usage inspect check",
    "Image": "id refs digests size created labels config layers history tag save remove",
    "LayerStack": "ref image_id config_digest layers history sizes files tree diff verify waste __iter__ __getitem__",
    "Layer": "index diff_id chain_id created_by mapping sizes shared_with files",
    "Waste": "total_bytes visible_bytes wasted_bytes efficiency items dive_efficiency dive_wasted_bytes",
    "Savings": "images containers logical_bytes unique_bytes disk_bytes full_copies_bytes ratio disk_ratio",
    "Duplicates": "groups bytes to_dict",
    "DiskUsage": "claims to_dict",
    "RwLayer": "content_bytes disk_bytes engine_reported log_bytes overhead_bytes to_dict",
    "Reclaim": "bytes disk_bytes images layers kept",
    "IsolationReport": "engine endpoint results counts get to_dict to_markdown",
    "AuditReport": "engine endpoint containers worst get to_dict to_markdown",
    "Baseline": "known covers expired",
    "ContainerAudit": "id name image findings unknown worst to_dict",
    "CheckResult": "id title group status severity summary evidence conflicts remediation reason",
}
#: class -> (base class, attributes)
ERRORS = {
    "EngineUnavailable": ("ContainerKitError", ""),
    "EngineTimeout": ("ContainerKitError", ""),
    "EngineError": ("ContainerKitError", "status"),
    "NotFound": ("EngineError", ""),
    "ImageNotFound": ("NotFound", ""),
    "ContainerNotFound": ("NotFound", ""),
    "VolumeNotFound": ("NotFound", ""),
    "NetworkNotFound": ("NotFound", ""),
    "Conflict": ("EngineError", ""),
    "NameInUse": ("Conflict", ""),
    "InUse": ("Conflict", ""),
    "WrongState": ("Conflict", "actual"),
    "StartFailed": ("EngineError", ""),
    "PullFailed": ("EngineError", ""),
    "BuildFailed": ("EngineError", "log"),
    "AuthenticationFailed": ("EngineError", ""),
    "Unsupported": ("ContainerKitError", "capability"),
    "LimitNotEnforced": ("ContainerKitError", ""),
    "InvalidReference": ("ContainerKitError", ""),
    "InvalidImage": ("ContainerKitError", "violations"),
    "InvalidOption": ("ContainerKitError", "name value expected"),
    "CommandFailed": ("ContainerKitError", "exit_code stdout stderr"),
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_class_has_its_promised_names(name: str) -> None:
    """Every promised attribute and method exists."""
    found = getattr(ck, name)
    fields = getattr(found, "__dataclass_fields__", {})
    assert [word for word in PROMISED[name].split() if not hasattr(found, word) and word not in fields] == []


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_stands_where_the_tree_has_it(name: str) -> None:
    """Each error has its promised base class and attributes."""
    ancestor, carried = ERRORS[name]
    found = getattr(errors, name)
    assert issubclass(found, getattr(errors, ancestor))
    ours = [kind for kind in found.__mro__ if kind.__module__ == errors.__name__]
    assert set(carried.split()) <= {word for kind in ours for word in inspect.signature(kind.__init__).parameters}


@pytest.mark.parametrize(
    "name", [n for n in ck.__all__ if inspect.isclass(getattr(ck, n)) and dataclasses.is_dataclass(getattr(ck, n))]
)
def test_a_value_is_frozen_and_can_be_told_in_json(name: str) -> None:
    """Every public value class is frozen and has to_dict()."""
    found = getattr(ck, name)
    assert found.__dataclass_params__.frozen
    assert callable(found.to_dict)


def test_a_secret_is_in_no_repr_and_no_dict() -> None:
    """Credentials show the user and the registry, never the password."""
    auth = ck.RegistryAuth("registry.test", "lab", "s3cret")
    assert "s3cret" not in repr(auth)
    assert "s3cret" not in json.dumps(auth.to_dict())
