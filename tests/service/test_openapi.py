import json

import pytest

from service.app import create_app
from service.settings import Settings


@pytest.fixture(scope="module")
def document():
    return create_app(Settings()).openapi()


def test_every_error_in_the_document_is_a_problem(document):
    for operations in document["paths"].values():
        for operation in operations.values():
            errors = {s: r for s, r in operation["responses"].items() if s >= "400"}
            assert all(set(r["content"]) == {"application/problem+json"} for r in errors.values())
    assert "ValidationError" not in json.dumps(document)


def test_every_reference_of_the_document_leads_somewhere(document):
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys() and "BatchItem" in names


def test_the_webhook_is_described_with_its_signature(document):
    told = document["webhooks"]["job-ended"]["post"]
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} == {
        parameter["name"] for parameter in told["parameters"]
    }
    assert told["requestBody"]["content"]["application/json"]["schema"]
    assert set(told["responses"]) == {"204", "2XX", "410", "default"}


def test_a_batch_has_the_errors_that_it_may_be_answered_with(document):
    answers = document["paths"]["/batches"]["post"]["responses"]
    examples = answers["422"]["content"]["application/problem+json"]["examples"]
    assert {"invalid-archive", "unknown-model", "idempotency-key-reused"} <= examples.keys()
    assert {"202", "413", "503"} <= answers.keys() and "504" not in answers
