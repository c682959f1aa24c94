"""OpenAI's own client against the API in this process."""

import base64
import io

import numpy as np
import openai
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from service.api.app import create_app
from service.api.forms.openai_form import EditForm
from service.auth.api_keys import ApiKeyFile
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server


@pytest.fixture
def ai(settings, monkeypatch):
    monkeypatch.setattr(
        "service.queue.worker_reports._MAX_AGE_SECONDS", 0
    )  # each request asks who works
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield openai.OpenAI(
            base_url="http://localhost/v1", api_key="any", http_client=client, max_retries=0
        )


@pytest.fixture
def picture(noise, encode):
    return encode(noise(90, 80))


def mask(box=(30, 20, 70, 50), size=(90, 80)):
    """A mask whose round hole fills a box."""
    alpha = Image.new("L", size, 255)
    ImageDraw.Draw(alpha).ellipse(box, fill=0)
    whole = Image.new("RGBA", size)
    whole.putalpha(alpha)
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


def pixels(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGBA"))


def test_exactly_the_transparent_mask_pixels_are_filled(ai, worker, picture):
    answer = ai.images.edit(
        image=picture, mask=mask(), prompt="a cat", extra_body={"seed": 200, "detail": "none"}
    )  # fmt: skip
    filled = pixels(base64.b64decode(answer.data[0].b64_json))
    hole = pixels(mask())[..., 3] == 0
    assert (filled[hole] == [200, 200, 200, 255]).all() and answer.size == "90x80"
    assert np.array_equal(filled[~hole], pixels(picture)[~hole])


def test_the_temperature_reaches_the_model(ai, temperatures, worker, picture):
    ai.images.edit(
        image=picture, mask=mask(), prompt="a cat", extra_body={"temperature": 0.25}
    )  # fmt: skip
    assert temperatures == [0.25]


def test_without_mask_the_image_transparency_is_filled(ai, worker, noise, encode):
    image = noise(90, 80)
    image.putalpha(Image.open(io.BytesIO(mask())).getchannel("A"))
    [edited] = ai.images.edit(
        image=("in.png", encode(image)), prompt="a cat", model="stub", size="auto",
        response_format="b64_json", user="me", extra_body={"seed": 9, "detail": "none"},
    ).data  # fmt: skip
    filled, hole = pixels(base64.b64decode(edited.b64_json)), pixels(mask())[..., 3] == 0
    assert (filled[hole] == [9, 9, 9, 255]).all()


def test_eight_candidates_and_white_masks_are_accepted(ai, worker, picture, encode):
    white = Image.fromarray(np.where(pixels(mask())[..., 3] == 0, 255, 0).astype(np.uint8))
    made = ai.images.edit(
        image=[picture], mask=encode(white), prompt="a cat", n=8, extra_body={"seed": 1}
    )
    kept = pixels(mask())[..., 3] > 0
    assert len(made.data) == 8
    filled = pixels(base64.b64decode(made.data[7].b64_json))
    assert np.array_equal(filled[kept], pixels(picture)[kept])
    assert (filled[~kept] != pixels(picture)[~kept]).any()


def test_empty_mask_is_refused(ai, worker, picture):
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        ai.images.edit(image=picture, mask=b"", prompt="a cat")
    assert refused.value.code == "invalid-mask" and refused.value.param == "mask"


def test_unset_optional_fields_count_as_absent(ai, worker, picture):
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.putalpha(Image.open(io.BytesIO(mask())).getchannel("A"))
    whole = io.BytesIO()
    image.save(whole, "PNG")
    empty = [name for name in EditForm.names() if name not in ("image", "prompt")]
    answer = ai._client.post(
        "/v1/images/edits",
        data={"prompt": "a cat", **dict.fromkeys(empty, "")},
        files={"image": whole.getvalue()},
    )
    assert len(empty) == 19 and answer.status_code == 200


def test_headers_tell_of_a_caption_that_says_nothing(ai, worker, picture):
    found = ai.images.with_raw_response.edit(image=picture, mask=mask(), prompt="\U0001f408")
    assert found.headers["x-caption-unknown"] == "true"
    assert found.headers["x-caption-truncated"] == "false"


def test_several_candidates_come_in_one_answer(ai, worker, picture):
    answer = ai.images.edit(
        image=[picture], mask=mask(), prompt="a cat", n=3,
        extra_body={"seed": 1, "detail": "none"},
    )  # fmt: skip
    centres = {int(pixels(base64.b64decode(one.b64_json))[35, 50, 0]) for one in answer.data}
    assert centres == {1, 2, 3}


@pytest.mark.parametrize("model", ["gpt-image-1", "dall-e-2"])
def test_models_of_openai_are_the_default(ai, worker, picture, model):
    wait_for_worker(ai)
    answer = ai.images.edit(image=picture, mask=mask(), prompt="a cat", model=model)
    assert len(answer.data) == 1


def test_models_are_listed_as_the_client_expects(ai, worker):
    wait_for_worker(ai)
    assert "stub" in {model.id for model in ai.models.list()}
    assert ai.models.retrieve("stub").id == "stub"
    with pytest.raises(openai.NotFoundError) as missing:
        ai.models.retrieve("none")
    assert missing.value.code == "no-such-model"


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"prompt": " "}, "prompt", "invalid-caption"),
        ({"n": 9}, "n", "invalid-field"),
        ({"size": "256x256"}, "size", "invalid-field"),
        ({"response_format": "url"}, "response_format", "invalid-field"),
        ({"mask": None}, "mask", "invalid-mask"),
        ({"model": "another"}, "model", "unknown-model"),
        ({"image": [b"a", b"b"]}, "image", "invalid-field"),
        ({"image": b"a"}, "image", "unsupported-picture"),
        ({"image": b"\xff"}, None, "unsupported-picture"),
        ({"stream": True}, "stream", "invalid-field"),
        ({"extra_body": {"nonsense": 1}}, None, "invalid-field"),
    ],
)
def test_an_error_reaches_the_client_with_its_reason(ai, worker, picture, options, param, code):
    wait_for_worker(ai)
    asked = {"image": picture, "mask": mask(), "prompt": "a cat", **options}
    with pytest.raises(openai.APIStatusError) as error:
        ai.images.edit(**{name: value for name, value in asked.items() if value is not None})
    assert (error.value.param, error.value.code) == (param, code)
    assert error.value.type == "invalid_request_error"
    assert error.value.response.headers["content-type"] == "application/problem+json"


def wait_for_worker(ai):
    """Wait for the worker's first beat: before it any model's name goes."""
    assert eventually(lambda: ai.models.list().data)


def test_middleware_refusal_is_understood_by_the_client(settings, picture, tmp_path):
    guarded = settings.model_copy(update={"auth": "on", "keys_file": tmp_path / "keys.jsonl"})
    key = ApiKeyFile(guarded.keys_path).create("ann")
    with TestClient(create_app(guarded)) as client:
        ai = openai.OpenAI(base_url="http://localhost/v1", api_key=key, http_client=client)
        with pytest.raises(openai.UnprocessableEntityError):
            ai.images.edit(image=picture, mask=mask(), prompt=" ")
        with pytest.raises(openai.AuthenticationError) as refused:
            ai.with_options(api_key="wrong").images.edit(image=picture, prompt="a cat")
    assert (refused.value.code, refused.value.type) == ("key-required", "invalid_request_error")
