"""Preflight requests as browsers send them: names in lower case, in order, without spaces."""

import re
from pathlib import Path

import pytest

from service.api.app import REQUEST_HEADERS, create_app
from service.config.settings import Settings
from service.middleware.cors import ALLOWED_HEADERS, EXPOSED_HEADERS

pytestmark = pytest.mark.server
ORIGIN = "https://app.example"
DOCS = Path(__file__).parents[3] / "docs"
# A header in a page is code: its name, or its name and a value.
NAMED = re.compile(r"`([A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)+|ETag|RateLimit|Location|Allow)(?:`|: )")
# Named in the pages as headers of requests; scripts can read Cache-Control of any response.
SENT = {
    "Cache-Control", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID",
    "X-API-Key", "X-Forwarded-For", "X-Forwarded-Prefix",
}  # fmt: skip


@pytest.fixture
def preflight(behind_gate):
    client = behind_gate(cors_origins=(ORIGIN,))

    def ask(names, origin=ORIGIN, method="POST", **more):
        headers = {
            "Accept": "*/*",
            "Access-Control-Request-Headers": names,
            "Access-Control-Request-Method": method,
            "Origin": origin,
            "Sec-Fetch-Dest": "empty",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "cross-site",
            **more,
        }
        return client.options("/echo", headers=headers)

    return ask


def allowed(answer):
    """The header names that a preflight allows, in lower case."""
    return {
        name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")
    }


OPENAI = (
    "authorization,content-type,idempotency-key,openai-organization,openai-project,user-agent,"
    "x-stainless-arch,x-stainless-helper-method,x-stainless-lang,x-stainless-os,"
    "x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,"
    "x-stainless-runtime-version,x-stainless-timeout"
)


@pytest.mark.parametrize(
    "names",
    [
        "cache-control",
        "authorization,cache-control,idempotency-key,if-none-match,prefer,x-api-key,x-request-id",
        "last-event-id",
        "traceparent,tracestate",
        "x-stainless-lang",
        OPENAI,
    ],
)
def test_documented_and_client_headers_pass_the_preflight(preflight, names):
    answer = preflight(names)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert set(names.split(",")) <= allowed(answer)


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ("x-other", {}),
        ("x-stainless-lang,x-other", {}),
        ("x-stainless", {}),
        ("x-stainless-lang", {"origin": "https://evil.example"}),
        ("x-stainless-lang", {"method": "PUT"}),
    ],
)
def test_anything_else_fails_the_preflight(preflight, names, more):
    answer = preflight(names, **more)
    assert answer.status_code == 400
    assert "x-other" not in allowed(answer)
    assert answer.headers.get("access-control-allow-origin") != "https://evil.example"


def test_a_preflight_for_a_private_network_passes(preflight):
    answer = preflight("cache-control", **{"Access-Control-Request-Private-Network": "true"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.fixture(scope="module")
def operations():
    document = create_app(Settings(auth="on")).openapi()
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_every_request_header_of_the_document_is_allowed(operations):
    named = {
        parameter["name"]
        for operation in operations
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert named <= {*ALLOWED_HEADERS, *REQUEST_HEADERS} and "Cache-Control" in named


def test_every_response_header_of_the_document_is_exposed(operations):
    named = {
        name
        for operation in operations
        for response in operation["responses"].values()
        for name in response.get("headers", ())
    }
    assert named <= set(EXPOSED_HEADERS) and "X-Model" in named


def test_every_response_header_of_the_pages_is_exposed(behind_gate):
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    named = {name for page in pages for name in NAMED.findall(page.read_text("utf-8"))}
    answer = behind_gate(cors_origins=(ORIGIN,)).get("/healthz", headers={"Origin": ORIGIN})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert named - SENT <= set(exposed)
    assert {"X-Request-Id", "X-Engine", "Retry-After", "RateLimit", "ETag"} <= named - SENT
