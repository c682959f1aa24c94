"""CORS: which requests scripts of other origins may send, and which response headers they read."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

ALLOWED_METHODS = ("GET", "HEAD", "POST", "DELETE")
# Beside those that the routes read: credentials, ids for logs and traces, and a header that
# OpenAI's client sets in browsers that allow it.
ALLOWED_HEADERS = (
    "Authorization", "X-API-Key", "X-Request-Id", "traceparent", "tracestate", "User-Agent",
)  # fmt: skip
# OpenAI's client sends these; they are ignored.
_ALLOWED_BY_PREFIX = re.compile(r"(x-stainless|openai)-[a-z0-9-]+", re.IGNORECASE)
EXPOSED_HEADERS = (
    "Accept-Encoding", "Allow", "Content-Disposition", "ETag", "Location", "Preference-Applied",
    "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Batch-Size",
    "X-Bundle-Digest", "X-Caption-Truncated", "X-Caption-Unknown", "X-Engine", "X-Inference-Ms",
    "X-Job-Id", "X-Model", "X-Notes", "X-Queue-Ms", "X-Request-Id", "X-Seed",
)  # fmt: skip
_REQUESTED, _ALLOWED = "access-control-request-headers", "Access-Control-Allow-Headers"


class Cors(CORSMiddleware):
    """Starlette's CORS, which also allows headers by their prefix, and those that routes read."""

    def __init__(
        self, app: ASGIApp, origins: tuple[str, ...], request_headers: tuple[str, ...]
    ) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=ALLOWED_METHODS,
            allow_headers=(*ALLOWED_HEADERS, *request_headers),
            expose_headers=EXPOSED_HEADERS,
            # Browsers require it of a service with a private address for pages of public ones.
            # The allowed origins already restrict the pages.
            allow_private_network=True,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Respond to a preflight; requested headers with an allowed prefix are allowed, too."""
        names = [name.strip() for name in request_headers.get(_REQUESTED, "").split(",")]
        known = [name for name in names if _ALLOWED_BY_PREFIX.fullmatch(name)]
        if not known:
            return super().preflight_response(request_headers)
        remaining = MutableHeaders(raw=list(request_headers.raw))
        del remaining[_REQUESTED]
        if others := [name for name in names if name not in known]:
            remaining[_REQUESTED] = ",".join(others)
        response = super().preflight_response(remaining)
        response.headers[_ALLOWED] = ", ".join([response.headers[_ALLOWED], *known])
        return response
