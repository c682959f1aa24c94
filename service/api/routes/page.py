"""`/`: a page to fill photos with, from static files, without inline scripts or styles."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from service.errors.requests import NoSuchPage

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parents[1] / "page"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".webp": "image/webp",
}
# Listed once: a name of a request never becomes a path of its own, which may be too long for one.
_FILES = {
    path.name: _MEDIA_TYPES[path.suffix]
    for path in _FOLDER.iterdir()
    if path.suffix in _MEDIA_TYPES
}
# Photos and results are shown from blob: addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# Checked at every visit: after an update, scripts of two versions would not fit each other.
_REVALIDATE = {"Cache-Control": "no-cache"}


@router.get("/")
async def page() -> FileResponse:
    """The page."""
    headers = {"Content-Security-Policy": _POLICY} | _REVALIDATE
    return FileResponse(_FOLDER / "index.html", media_type="text/html", headers=headers)


@router.get("/page/{name}")
async def asset(name: str) -> FileResponse:
    """A script, style or example of the page."""
    if name not in _FILES:
        raise NoSuchPage("there is no such page")
    return FileResponse(_FOLDER / name, media_type=_FILES[name], headers=_REVALIDATE)
