"""Manifests and indexes with something missing: every violation is named."""

from __future__ import annotations

from typing import Any

import pytest

from containerkit.errors import InvalidImage
from containerkit.oci.manifest import Index, Manifest

DIGEST = "sha256:" + "0" * 64
GOOD: dict[str, Any] = {"digest": DIGEST, "size": 2, "mediaType": "application/vnd.oci.image.config.v1+json"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"config": None}, "config is no descriptor"),
        ({"config": {**GOOD, "digest": "sha256:12"}}, "config has no SHA-256 digest: 'sha256:12'"),
        ({"config": {**GOOD, "size": -1}}, "config has no size: -1"),
        ({"config": {**GOOD, "size": True}}, "config has no size: True"),
        ({"layers": None}, "manifest has no layers"),
        ({"layers": [GOOD, []]}, r"layers\[1\] is no descriptor"),
        ({"layers": [{**GOOD, "size": "2"}]}, r"layers\[0\] has no size: '2'"),
    ],
)
def test_a_manifest_that_lacks_something(change: dict[str, Any], problem: str) -> None:
    """Each violation, with its place."""
    with pytest.raises(InvalidImage, match=problem):
        Manifest.from_document({"config": GOOD, "layers": [], **change})


def test_every_violation_is_named() -> None:
    """Not only the first."""
    with pytest.raises(InvalidImage) as caught:
        Manifest.from_document({"layers": [1, 2]})
    assert len(caught.value.violations) == 3


def test_an_image_and_another_artifact() -> None:
    """A media type that is missing is that of a layer; a signature is no image."""
    assert Manifest.from_document({"config": GOOD, "layers": [{**GOOD, "mediaType": ""}]}).is_image
    signature = {**GOOD, "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}
    assert not Manifest.from_document({"config": GOOD, "layers": [signature]}).is_image


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_document(raw: bytes) -> None:
    """Text, a list, half of a document, one that is too deep."""
    with pytest.raises(InvalidImage, match="manifest is not"):
        Manifest.parse(raw)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "index lists no manifests"),
        ({"manifests": {}}, "index lists no manifests"),
        ({"manifests": [GOOD, None]}, r"manifests\[1\] is no descriptor"),
    ],
)
def test_an_index_that_lacks_something(document: dict[str, Any], problem: str) -> None:
    """As with a manifest."""
    with pytest.raises(InvalidImage, match=problem):
        Index.from_document(document)


def test_an_index_keeps_names_and_platforms() -> None:
    """In order."""
    found = Index.from_document({"manifests": [GOOD, {**GOOD, "size": 3, "annotations": {"a": "b"}}]})
    assert [item.size for item in found.manifests] == [2, 3]
