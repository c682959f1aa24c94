"""Checks of every response, beside those of schemathesis."""

import io
import json
import zipfile
from base64 import b64decode

import schemathesis
from PIL import Image
from schemathesis.generation.meta import REQUEST_SHAPE_PROBES, coverage_scenario
from schemathesis.transport.serialization import Binary

from service.errors.catalogue import MEDIA_TYPE
from tests.reliability.contract.inputs import size_of

OURS = ("problem_is_documented", "pictures_are_whole", "answer_is_sealed")


def problem_is_documented(ctx, response, case):
    """An error is a problem document, of a kind that the operation has an example of."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [MEDIA_TYPE], "no problem document"
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code and problem["detail"], "it contradicts itself"
    if coverage_scenario(case) in REQUEST_SHAPE_PROBES:  # such as 405: no operation answers that
        return
    message = case.operation.definition.raw["responses"][str(response.status_code)]
    known = message["content"][MEDIA_TYPE]["examples"]
    slug = problem["type"].rpartition("/")[2]
    assert slug in known, f"{slug} is not among the examples: {', '.join(known)}"


def pictures_are_whole(ctx, response, case):
    """Each picture of an answer can be decoded, at the size of the upload; each zip is whole."""
    if response.status_code != 200 or case.operation.method.upper() == "HEAD":
        return
    kind = response.headers.get("content-type", [""])[0]
    try:
        if kind == "application/zip":
            assert zipfile.ZipFile(io.BytesIO(response.content)).testzip() is None, "a broken zip"
        sizes = [_load(image) for image in _pictures(kind, response.content)]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise AssertionError(f"a broken picture: {error}") from error
    upload = case.body.get("image") if isinstance(case.body, dict) else None
    if sizes and isinstance(upload, Binary):
        assert set(sizes) == {size_of(upload.data)}, "another size"


def answer_is_sealed(ctx, response, case):
    """Every answer has an id, and the headers that keep browsers from harm."""
    assert response.headers.get("x-request-id"), "no X-Request-Id"
    assert response.headers.get("x-content-type-options") == ["nosniff"], "no nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"][0], "no policy"
    assert response.headers.get("cache-control"), "no Cache-Control"


def register() -> None:
    """Make them checks of schemathesis's, which runs all there are."""
    for check in (problem_is_documented, pictures_are_whole, answer_is_sealed):
        schemathesis.check(check)


def _load(image: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(image)) as opened:
        opened.load()
        return opened.size


def _pictures(kind: str, content: bytes) -> list[bytes]:
    if kind == "image/png":
        return [content]
    if kind != "application/json":
        return []
    answer = json.loads(content)
    other = (answer.get("comparison") or {}).get("images", [])
    coded = [*answer.get("images", []), *other]
    coded += [entry["b64_json"] for entry in answer.get("data", []) if "b64_json" in entry]
    return [b64decode(text, validate=True) for text in coded]
