"""Under which address the caller reaches us, and our cookies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

SESSION_COOKIE: Final = "flora_session"
LOGIN_COOKIE: Final = "flora_login"
LOGIN_PATH: Final = "/api/auth"


@dataclass(frozen=True, slots=True)
class Here:
    """``public_url`` as it is set, or empty; ``trusted`` proxies of ours say the scheme."""

    public_url: str = ""
    trusted: int = 0

    def origin(self, request: Request) -> str:
        """``https://flora.example.com``."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return f"{parts.scheme}://{parts.netloc}"
        scheme = request.url.scheme
        if self.trusted:
            said = request.headers.get("x-forwarded-proto", "").split(",")[-1].strip().lower()
            scheme = said if said in {"http", "https"} else scheme
        return f"{scheme}://{request.url.netloc}"

    def set_cookie(
        self, request: Request, response: Response, name: str, value: str, *, seconds: int, path: str = "/"
    ) -> None:
        """A cookie that no script reads, and that no other site's request brings but a link's."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            secure=self.origin(request).startswith("https://"),
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, request: Request, response: Response, name: str, *, path: str = "/") -> None:
        self.set_cookie(request, response, name, "", seconds=0, path=path)
