"""The packages of an image as a software bill of materials in CycloneDX, written by cyclonedx-python-lib."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import Unsupported

if TYPE_CHECKING:
    from .packages import Package, Packages

__all__ = ["OS_RELEASE", "cyclonedx", "os_release"]

#: Where a distribution states its name.
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_LINE = re.compile(r"""^(?P<name>[A-Z_]+)=(?P<quote>["']?)(?P<value>.*)(?P=quote)\s*$""", re.MULTILINE)
_PURL = {"deb": "deb", "apk": "apk", "rpm": "rpm", "python": "pypi"}
_VENDOR = {"rhel": "redhat", "sles": "suse", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse"}


def os_release(text: str) -> Mapping[str, str]:
    """Return the fields of an os-release file."""
    return {found["name"]: found["value"] for found in _LINE.finditer(text)}


def cyclonedx(
    packages: Packages, *, ref: str, digest: str | None, diff_ids: Sequence[str], release: Mapping[str, str]
) -> str:
    """Return the bill of materials as JSON. See LayerStack.cyclonedx.

    Args:
        ref: name of the image.
        digest: digest of the image's config, if it is known.
        diff_ids: those of the layers, base first.
        release: fields of the image's os-release file.

    Raises:
        Unsupported: cyclonedx-python-lib is not installed.
    """
    try:
        from cyclonedx.model import Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
        from packageurl import PackageURL
    except ImportError as exc:
        raise Unsupported("a bill of materials needs cyclonedx-python-lib: pip install 'containerkit[sbom]'") from exc
    layer_of = {_identity(one): layer.index for layer in packages.layers for one in layer.added}
    distribution = release.get("ID", "")
    bom = Bom()
    image = Component(name=ref, version=digest, type=ComponentType.CONTAINER, bom_ref="image")
    bom.metadata.component = image
    for number, one in enumerate(packages.installed):
        epoch, _, version = one.version.rpartition(":") if one.kind == "rpm" else ("", "", one.version)
        qualifiers = {"arch": one.arch, "epoch": epoch}
        if one.kind != "python" and distribution:
            qualifiers["distro"] = "-".join(filter(None, (distribution, release.get("VERSION_ID"))))
        namespace = None if one.kind == "python" else _VENDOR.get(distribution, distribution)
        purl = PackageURL(_PURL[one.kind], namespace, one.name, version, {k: v for k, v in qualifiers.items() if v})
        properties = []
        if (index := layer_of.get(_identity(one))) is not None:
            properties += [Property(name="containerkit:layer:index", value=str(index))]
            properties += [Property(name="containerkit:layer:diff_id", value=diff_ids[index])]
        if one.bytes is not None:
            properties.append(Property(name="containerkit:bytes", value=str(one.bytes)))
        bom.components.add(
            Component(name=one.name, version=one.version, purl=purl, bom_ref=f"{number}-{purl}", properties=properties)
        )
    bom.register_dependency(image, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _identity(package: Package) -> tuple[str, str, str, str]:
    return package.kind, package.name, package.version, package.arch
