"""Pull, push and login, over the endpoints that both engines serve alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from ..errors import AuthenticationFailed, EngineError, ImageNotFound, PullFailed, PushFailed
from ..reference import parse
from ..spec import RegistryAuth
from . import _json, _parse_images
from ._http import HttpBackend, path, recast
from ._render import auth_header, query_filters
from .base import Filters, FoundImage, Progress

#: Error codes of the distribution-spec for wrong credentials and for missing images. Engines pass them on as text of
#: their progress stream; a registry's refusal has no other form there.
_AUTH_CODES = ("unauthorized", "denied", "authentication required", "no basic auth credentials")
_MISSING_CODES = ("manifest unknown", "name unknown", "not found")


class RegistryVerbs(HttpBackend):
    """Pull and push."""

    @abstractmethod
    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        """Return whether a pull or push failed for want of the right credentials."""

    def _credentials(self, ref: str, auth: RegistryAuth | None) -> tuple[RegistryAuth | None, dict[str, str]]:
        """Return the credentials for a registry and the header that carries them; "e30=" is an empty object."""
        auth = auth or self._logins.get(parse(ref).registry)
        return auth, {"X-Registry-Auth": auth_header(auth) if auth else "e30="}

    def logout(self, registry: str) -> None:
        self._logins.pop(registry, None)

    def search_images(self, term: str, *, limit: int | None, filters: Filters) -> tuple[FoundImage, ...]:
        doing = f"searching for {term}"
        params = {"term": term, "limit": limit, "filters": query_filters(filters) if filters else None}
        found = self._json("GET", "/images/search", doing, params=params, slow=True)
        rows = [] if found is None else found  # Podman's word for an empty list
        return self._read(doing, lambda rows: tuple(map(_parse_images.found_image, _json.objects(rows))), rows)

    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[Progress]:
        doing = f"pulling {ref}"
        name = parse(ref)
        auth, headers = self._credentials(ref, auth)
        source = name.qualified.rpartition("@")[0] if name.digest else name.qualified.rpartition(":")[0]
        params = {"fromImage": source, "tag": name.digest or name.tag, "platform": platform}
        try:
            yield from self._progress("/images/create", doing, params=params, headers=headers)
        except EngineError as exc:
            if self._refused_credentials(ref, auth, exc):
                words = f"{doing}: {exc.explanation}; log in to {name.registry} first"
                raise recast(exc, AuthenticationFailed, words) from None
            if any(code in exc.explanation.lower() for code in _MISSING_CODES):
                raise recast(exc, ImageNotFound, f"{doing}: {exc.explanation}") from None
            hint = f"if the engine cannot reach {name.registry}, load the image from a file with images.load()"
            raise recast(exc, PullFailed, f"{doing}: {exc.explanation}; {hint}") from None

    def push_image(self, ref: str, *, auth: RegistryAuth | None) -> Iterator[Progress]:
        doing = f"pushing {ref}"
        name = parse(ref)
        auth, headers = self._credentials(ref, auth)
        self.inspect_image(ref)  # raises the same error on every engine if the image is missing
        where = path("/images/{}/push", name.qualified.rpartition(":")[0])
        try:
            yield from self._progress(where, doing, params={"tag": name.tag}, headers=headers)
        except EngineError as exc:
            if self._refused_credentials(ref, auth, exc):
                words = f"{doing}: {exc.explanation}; log in to {name.registry} first"
                raise recast(exc, AuthenticationFailed, words) from None
            raise recast(exc, PushFailed, f"{doing}: {exc.explanation}") from None

    def _progress(self, where: str, doing: str, **how: Any) -> Iterator[Progress]:
        """Yield progress lines of a POST. Raise EngineError for a line that carries an error."""
        response = self._open("POST", where, doing, slow=True, quiet=True, **how)
        empty = True
        try:
            for row in _json.json_lines(response.chunks, doing):
                detail = row.get("errorDetail") or row.get("error")
                if detail:
                    words = _json.text(detail.get("message") if isinstance(detail, dict) else detail).strip()
                    raise EngineError(f"{doing}: {words}", explanation=words)
                found = _parse_images.progress(row)
                if found != Progress():  # a line for programs, without progress
                    empty = False
                    yield found
        finally:
            response.close()
        if empty:
            raise self._invalid(doing, "no progress was reported")

    def _says_unauthorized(self, exc: EngineError) -> bool:
        return exc.status in (401, 403) or any(code in exc.explanation.lower() for code in _AUTH_CODES)
