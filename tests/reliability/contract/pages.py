"""Checks of the routes that the document leaves out: pages for people, and their files."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import httpx
from fastapi import APIRouter
from starlette.routing import Route

import service.api
from service.api import routes
from service.errors.catalogue import MEDIA_TYPE

_FILES = {
    "/page/{name}": sorted(
        path.name
        for path in (Path(service.api.__file__).parent / "page").iterdir()
        if path.suffix != ".html"
    ),
    "/docs/{name}": ["swagger-ui.css", "swagger-ui-bundle.js"],
}
_MEDIA_TYPES = {
    "": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
    ".webp": "image/webp",
}  # fmt: skip
_UNKNOWN = ("x", "x.js", "..%2fapp.py", "%00", "a" * 5000 + ".css")


def addresses() -> list[str]:
    """Every address that is served without a place in the document."""
    modules = [import_module(f"{routes.__name__}.{m.name}") for m in iter_modules(routes.__path__)]
    paths = [
        route.path
        for module in modules
        for route in getattr(module, "router", APIRouter()).routes
        if isinstance(route, Route) and not route.include_in_schema
    ]
    found = [path.format(name=name) for path in paths for name in _FILES.get(path, [""])]
    return [*found, "/openapi.json"]


def find_faults(address: str) -> Iterator[str]:
    """Whatever is wrong with the pages of a service; nothing where all is well."""
    with httpx.Client(base_url=address) as client:
        for path in addresses():
            yield from (f"GET {path}: {fault}" for fault in _faults_of(client, path))
        for route in _FILES:
            for name in _UNKNOWN:
                path = route.format(name=name)
                if not _is_problem(client.get(path), 404):
                    yield f"GET {path[:60]}: no problem document with 404"


def _faults_of(client: httpx.Client, path: str) -> Iterator[str]:
    page, head = client.get(path), client.head(path)
    kind = page.headers.get("content-type", "").partition(";")[0]
    policy = page.headers.get("content-security-policy", "")
    bounds = {
        f"status {page.status_code}": page.status_code == 200 and page.content != b"",
        f"media type {kind}": kind == _MEDIA_TYPES[Path(path).suffix],
        "no X-Request-Id": "x-request-id" in page.headers,
        "no nosniff": page.headers.get("x-content-type-options") == "nosniff",
        "no policy": "default-src 'none'" in policy and "frame-ancestors 'none'" in policy,
        "no Cache-Control": "cache-control" in page.headers,
        "HEAD differs": (head.status_code, head.content) == (page.status_code, b"")
        and head.headers.get("content-length") == page.headers.get("content-length"),
    }
    yield from (fault for fault, is_right in bounds.items() if not is_right)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = client.request(method, path)
        if not _is_problem(answer, 405) or answer.headers.get("allow") != "GET, HEAD":
            yield f"{method} is answered with {answer.status_code}"


def _is_problem(answer: httpx.Response, status: int) -> bool:
    return answer.status_code == status and answer.headers.get("content-type") == MEDIA_TYPE
