import re

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app

pytestmark = pytest.mark.server


def test_page_loads_no_other_site_or_inline_script(client):
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "//" not in page.text and not re.search(r"<script(?! src)", page.text)
    assert "script-src 'self';" in policy and policy.startswith("default-src 'none'")


def test_all_that_the_page_needs_is_here(client):
    needed = re.findall(r'(?:src|href)="([^":]+)"', client.get("/docs").text)
    assert len(needed) == 4
    answers = [client.get(f"/{path}") for path in needed]
    assert all(answer.status_code == 200 and len(answer.content) > 50 for answer in answers)


def test_nothing_else_is_handed_out(client):
    for name in ("redoc.standalone.js", "..%2fconsts.py", "x"):
        assert client.get(f"/docs/{name}").status_code == 404
    assert client.get("/redoc").status_code == 404


def test_document_describes_keys_and_middleware_responses(settings, tmp_path):
    with TestClient(create_app(settings.model_copy(update={"auth": "on"}))) as client:
        document = client.get("/openapi.json").json()
    operation = document["paths"]["/inpaint"]["post"]
    assert operation["security"] == [{"bearer": []}, {"header": []}]
    assert {"401", "403", "421", "429"} <= operation["responses"].keys()
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_document_describes_only_errors_that_are_problems(client):
    document = client.get("/openapi.json").json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    failures = [
        response["content"]
        for operation in operations
        for status, response in operation["responses"].items()
        if status >= "4"
    ]
    assert failures and all(list(content) == ["application/problem+json"] for content in failures)
