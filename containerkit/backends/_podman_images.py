"""Podman's images and registries: where its requests differ from Docker's."""

from __future__ import annotations

import contextlib
import re
import uuid

from ..errors import AuthenticationFailed, EngineError, ImageNotFound, Unsupported
from ..reference import begins_id, display, looks_like_id, parse
from ..spec import RegistryAuth
from . import _json, _parse
from ._http import path, recast
from ._images import ImageVerbs, matches
from ._render import query_filters
from .base import Filters, HistoryEntry, ImageRecord

_ID_DIGITS = 64
_SHORT_ID = re.compile(r"(?:sha256:)?[0-9a-f]{3,11}")


class PodmanImageVerbs(ImageVerbs):
    """The verbs of images on Podman."""

    # ---------------------------------------------------------------- names
    def _image_name(self, ref: str) -> str:
        """Return the full name: the compat endpoints and libpod's resolve short names differently."""
        if not looks_like_id(ref):
            return parse(ref).qualified
        # A whole ID needs its prefix, or is taken for a name; a part of an ID must not have it.
        digits = ref.removeprefix("sha256:")
        return f"sha256:{digits}" if len(digits) == _ID_DIGITS else digits

    def _familiar(self, ref: str) -> str:
        return display(ref)

    def inspect_image(self, ref: str) -> ImageRecord:
        """Find an image as the command line does: by full name, then by the local name that `podman build` gives."""
        try:
            return super().inspect_image(ref)
        except ImageNotFound:
            for other in (self._local_name(ref), self._by_short_id(ref)):
                if other is not None:
                    with contextlib.suppress(ImageNotFound):
                        return super().inspect_image(other)
            raise

    def _by_short_id(self, ref: str) -> str | None:
        """Return the only ID that begins with 3 to 11 digits: the engine takes so few for a name."""
        if not _SHORT_ID.fullmatch(ref):
            return None
        found = {record.id for record in self.list_images(all=True, filters={})}
        found = {identity for identity in found if begins_id(ref, identity)}
        return found.pop() if len(found) == 1 else None

    def _local_name(self, ref: str) -> str | None:
        """Return the local name that a short name may stand for."""
        if looks_like_id(ref):
            return None
        name = parse(ref)
        first = ref.partition("/")[0]
        named = "/" in ref and ("." in first or ":" in first or first == "localhost")
        return None if named else f"localhost/{display(name.qualified)}"

    def _stored_name(self, ref: str) -> str:
        """Return the local name if only that exists: `podman build` and `podman load` give it to a short name."""
        local = self._local_name(ref)
        if local is None:
            return self._image_name(ref)
        for name in (self._image_name(ref), local):
            with contextlib.suppress(ImageNotFound):
                super().inspect_image(name)
                return name
        return self._by_short_id(ref) or self._image_name(ref)

    def _image_id(self, ref: str) -> str:
        return self.inspect_image(ref).id.removeprefix("sha256:")

    # ---------------------------------------------------------------- images
    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        """Use libpod's inspect: it tells which instructions created no layer, and the history endpoint does not."""
        doing = f"reading the history of image {ref}"
        raw = self._object("GET", path("/images/{}/json", self._image_id(ref)), doing, native=True)
        rows = self._read(doing, lambda raw: _json.objects(raw["History"]), raw)
        if rows and raw.get("Comment"):  # of a commit: its history entry says only "FROM …"
            rows[-1]["comment"] = raw["Comment"]
        return tuple(
            HistoryEntry(
                created_by=_json.text(row.get("created_by")),
                created=_parse.timestamp(row.get("created")) or None,
                empty_layer=row.get("empty_layer") is True,
                comment=_json.text(row.get("comment")),
            )
            for row in rows
        )

    def login(self, auth: RegistryAuth) -> None:
        """Verify credentials. Podman's /auth tries https only; if that fails, pull an image that cannot exist."""
        doing = f"logging in to {auth.registry}"
        body = {"username": auth.username, "password": auth.password, "serveraddress": auth.registry}
        try:
            self._call("POST", "/auth", doing, body=body)
        except EngineError as exc:
            if exc.status in (401, 403) or self._says_unauthorized(exc):
                raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from None
            self._verify_by_pull(auth, doing)
        self._logins[auth.registry] = auth

    def _verify_by_pull(self, auth: RegistryAuth, doing: str) -> None:
        name = f"{auth.registry}/containerkit/login-{uuid.uuid4().hex}:none"
        try:
            for _ in self.pull_image(name, platform=None, auth=auth):
                pass
        except ImageNotFound:
            return  # the credentials were accepted
        except AuthenticationFailed as exc:
            raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from None
        except EngineError as exc:
            raise recast(exc, EngineError, f"{doing}: {exc.explanation}") from None

    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        return self._says_unauthorized(exc)

    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]:
        """Apply the filter `reference` here: Podman's also finds a part of a name, and some IDs."""
        others = {name: values for name, values in filters.items() if name != "reference"}
        found = super().list_images(all=all, filters=others)
        if "reference" not in filters:
            return found
        patterns = filters["reference"]
        return tuple(r for r in found if any(matches(pattern, ref) for ref in r.refs for pattern in patterns))

    def prune_images(self, *, all: bool, filters: Filters) -> tuple[tuple[str, ...], int]:
        """Use libpod's prune: the compat endpoint of 4.3 refuses "dangling=false"."""
        doing = "pruning images"
        params = {"all": all, "filters": query_filters(filters)}
        reports = self._rows("POST", "/images/prune", doing, params=params, native=True, slow=True)
        gone = [report for report in reports if not report.get("Err")]
        return tuple(_parse.image_id(r.get("Id")) for r in gone), sum(_json.number(r.get("Size")) for r in gone)

    def prune_build_cache(self, *, all: bool) -> tuple[tuple[str, ...], int]:
        raise Unsupported("pruning the build cache: Podman keeps it as images without a name; remove these instead")
