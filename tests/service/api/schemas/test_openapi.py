import json
from pathlib import Path

import jsonschema_rs
import pytest

from service.api.app import create_app
from service.cli.openapi import text
from service.config.settings import Settings

COMMITTED = Path(__file__).parents[4] / "docs" / "openapi.json"
BYTES = {
    "image/png",
    "image/webp",
    "image/jpeg",
    "application/zip",
}  # what no JSON can be an example of


@pytest.fixture(scope="module")
def document():
    return create_app(Settings(auth="on")).openapi()


@pytest.fixture(scope="module")
def operations(document):
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def misfits(document, schema, examples):
    """Examples that do not fit a schema, and a note where there is none."""
    whole = {"components": document["components"], "allOf": [schema]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [one for one in examples if not validator.is_valid(one)] if examples else ["none"]


def examples_of(thing):
    """The examples of anything that has some: by name, as a list, or the only one."""
    found = thing.get("examples", [])
    several = [one["value"] for one in found.values()] if isinstance(found, dict) else found
    return [*several, *([thing["example"]] if "example" in thing else [])]


def test_the_committed_document_is_in_step(document):
    assert COMMITTED.read_text() == text(document), "run `make fix`, and look at the difference"


def test_every_operation_has_a_tag_and_summary(document, operations):
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, operation in operations for tag in operation["tags"]} == tags
    summaries = [operation["summary"] for _, operation in operations]
    assert all(len(text) <= 40 for text in summaries) and len(set(summaries)) == len(operations)


def test_every_answer_has_examples_that_fit_its_schema(document, operations):
    wrong = {
        f"{name} {status} {kind}": found
        for name, operation in operations
        for status, response in operation["responses"].items()
        for kind, content in response.get("content", {}).items()
        if kind not in BYTES
        if (found := misfits(document, content.get("schema", True), examples_of(content)))
    }
    assert wrong == {} and len(operations) == 20


def test_every_response_header_has_a_valid_example(document, operations):
    wrong = {
        f"{name} {status} {header}": found
        for name, operation in operations
        for status, response in operation["responses"].items()
        for header, result in response.get("headers", {}).items()
        if (found := misfits(document, result["schema"], examples_of(result)))
    }
    assert wrong == {}


def test_every_parameter_and_field_has_examples_that_fit(document, operations):
    wrong = {}
    for name, operation in operations:
        fields = dict(fields_of(operation))
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            fields[parameter["name"]] = (schema, examples_of(parameter) or examples_of(schema))
        for field, (schema, examples) in fields.items():
            if found := misfits(document, schema, examples):
                wrong[f"{name} {field}"] = found
    assert wrong == {}


def fields_of(operation):
    """The fields of an operation's form, but for the files, with their examples."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, schema in content["schema"]["properties"].items():
            if "binary" not in (schema.get("format"), schema.get("items", {}).get("format")):
                yield name, (schema, examples_of(schema))


def test_every_link_names_an_operation_with_its_parameters(operations):
    known = {
        operation["operationId"]: {one["name"] for one in operation.get("parameters", [])}
        for _, operation in operations
    }
    links = [
        link
        for _, operation in operations
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(known) == 20 and len(links) == 11
    assert all(link["parameters"].keys() <= known[link["operationId"]] for link in links)


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
    found = document["webhooks"]["job-ended"]["post"]
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} == {
        parameter["name"] for parameter in found["parameters"]
    }
    assert found["requestBody"]["content"]["application/json"]["schema"]
    assert set(found["responses"]) == {"204", "2XX", "410", "default"}


def test_batch_documents_all_of_its_errors(document):
    answers = document["paths"]["/batches"]["post"]["responses"]
    examples = answers["422"]["content"]["application/problem+json"]["examples"]
    assert {"invalid-archive", "unknown-model", "idempotency-key-reused"} <= examples.keys()
    assert {"202", "413", "503"} <= answers.keys() and "504" not in answers
