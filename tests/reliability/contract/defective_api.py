"""An API with deliberate defects that the contract suite must find: its negative control.

`python -m tests.reliability.contract.defective_api`, settings from the environment.
"""

import json
import re
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.schemas.examples import EXAMPLES
from service.api.server.server import server_config
from service.config.settings import load_settings

# The defect of each path, by the check (schemathesis's or ours) that must find it.
DEFECTS = {
    "GET /healthz": "status_code_conformance",
    "GET /v1/models": "response_schema_conformance",
    "GET /admin/reload": "ignored_auth",
    "GET /readyz": "answer_is_sealed",
    "GET /problems/{slug}": "not_a_server_error",
    "GET /jobs/{job}": "problem_is_documented",
    "POST /v1/images/edits": "pictures_are_whole",
    "POST /batches": "negative_data_rejection",
    "GET /batches/{batch}": "object_level_authorization",
}
# The header that is missing at addresses outside the document.
PAGES = {"/": b"content-security-policy", "/page/main.js": b"x-content-type-options"}
Answer = tuple[Message, bytes]


class DefectiveApp:
    """Wraps an application and puts one defect into each response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._batches: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        start, body = _corrupt(scope["path"], messages[0], body)
        body = self._leak_batches(scope, start, body)
        if scope["method"] != "HEAD":
            names = [name for name in start["headers"] if name[0] != b"content-length"]
            start["headers"] = [*names, (b"content-length", str(len(body)).encode())]
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def _leak_batches(self, scope: Scope, start: Message, body: bytes) -> bytes:
        """Return a batch to every key once its owner has asked for it."""
        path = scope["path"]
        if scope["method"] != "GET" or not re.fullmatch("/batches/[0-9a-f]{32}", path):
            return body
        if start["status"] == 200:
            self._batches[path] = body
        elif start["status"] == 404 and path in self._batches:
            _put_json(start, 200, "BatchStatus")
        return self._batches.get(path, body) if start["status"] == 200 else body


def _corrupt(path: str, start: Message, body: bytes) -> Answer:
    good = start["status"] == 200
    if path in PAGES and good:
        _drop(start, PAGES[path])
    elif path == "/healthz" and good:
        start["status"] = 201
    elif path == "/v1/models" and good:
        models = json.loads(body)
        for model in models["data"]:
            del model["digest"]
        body = json.dumps(models).encode()
    elif path == "/admin/reload" and start["status"] == 401:
        body = _put_json(start, 200, "Reload")
    elif path == "/readyz":
        _drop(start, b"x-content-type-options")
    elif path.startswith("/problems/") and start["status"] == 404:
        start["status"] = 500
    elif path.startswith("/jobs/") and path.count("/") == 2 and start["status"] == 404:
        body = body.replace(b"no-such-job", b"no-such-page")
    elif path == "/v1/images/edits" and good:
        answer = json.loads(body)
        answer["data"][0]["b64_json"] = answer["data"][0]["b64_json"][:400]  # its end is missing
        body = json.dumps(answer).encode()
    elif path == "/batches" and start["status"] == 422:
        body = _put_json(start, 202, "BatchStatus")
        start["headers"] += [(b"location", b"/batches/1"), (b"retry-after", b"1")]
    return start, body


def _put_json(start: Message, status: int, shape: str) -> bytes:
    """Replace a response by a valid example."""
    _drop(start, b"content-type")
    start["status"] = status
    start["headers"].append((b"content-type", b"application/json"))
    return EXAMPLES[shape].model_dump_json().encode()


def _drop(start: Message, name: bytes) -> None:
    start["headers"] = [header for header in start["headers"] if header[0].lower() != name]


if __name__ == "__main__":
    config = server_config(load_settings())
    config.app = DefectiveApp(cast(ASGIApp, config.app))
    uvicorn.Server(config).run()
