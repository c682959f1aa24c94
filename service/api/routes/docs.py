"""`/docs`: Swagger UI, served from this process only and without inline scripts."""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from service.errors.requests import NoSuchPage

router = APIRouter(include_in_schema=False)

_FILES = Path(fastapi_offline.__file__).parent / "static"
_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
# Swagger UI uses style attributes, and data URLs for icons.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_DAY = {"Cache-Control": "max-age=86400"}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>captionfill: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<main id="swagger-ui">The API is described in <a href="openapi.json">openapi.json</a>.</main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
# Swagger UI fills a form with the examples and defaults of the document, or with made-up text, and
# would send them: a webhook, a number of candidates. What is not required is left empty instead.
_START = """\
function empty(field) {
  for (const word of ["examples", "default", "enum"]) delete field[word];
  field.example = field.type === "array" ? [] : "";
}
function prepare(api) {
  for (const path of Object.values(api.paths))
    for (const { parameters, requestBody } of Object.values(path)) {
      for (const one of parameters ?? [])
        if (one.required) one.example ??= one.schema.examples?.[0];
        else empty(one.schema);
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        for (const [name, field] of Object.entries(schema.properties ?? {}))
          if (!schema.required?.includes(name)) empty(field);
    }
  return api;
}
fetch("openapi.json").then((answer) => answer.json()).then((api) => SwaggerUIBundle({
  spec: prepare(api), dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  displayRequestDuration: true,
}));
"""


@router.get("/docs", response_class=HTMLResponse)
async def docs() -> HTMLResponse:
    """Show the API interactively."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Start Swagger UI; a file of its own, as the page forbids inline scripts."""
    return Response(_START, media_type="text/javascript", headers=_DAY)


@router.get("/docs/{name}")
async def asset(name: str) -> FileResponse:
    """Serve Swagger UI's files."""
    if name not in _ASSETS:
        raise NoSuchPage("there is no such page")
    return FileResponse(_FILES / name, media_type=_ASSETS[name], headers=_DAY)
