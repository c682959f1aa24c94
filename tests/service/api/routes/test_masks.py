"""Masks over HTTP: a real server behind it, and a worker whose fills are known."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from captionfill.inpainter import Inpainter
from service.worker.predictor import Predictor
from tests.helpers.images import encode_image, noise_image
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server

HOLES = ((10, 12, 30, 20), (100, 60, 12, 12))
# A strip of three windows.
STRIP = ((0, 40, 150, 24),)


def white(*holes, size=(150, 100)):
    mask = np.zeros((size[1], size[0]), np.uint8)
    for x, y, w, h in holes:
        mask[y : y + h, x : x + w] = 255
    return mask


def transparent(*holes):
    mask = Image.new("RGB", (150, 100))
    mask.putalpha(Image.fromarray(255 - white(*holes)))
    return encode_image(mask)


@pytest.fixture(scope="module")
def photo():
    return encode_image(noise_image(150, 100))


def post(client, photo, mask, headers=None, **fields):
    files = {"image": photo, "mask": mask}
    return client.post(
        "/inpaint",
        files=files,
        data={"caption": "a cat", "detail": "none", **fields},
        headers=headers or {},
    )


def png(mask):
    return encode_image(Image.fromarray(mask))


def pixels(data):
    return np.array(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("holes", [HOLES, STRIP])
def test_exactly_the_white_pixels_are_filled(client, worker, photo, holes):
    answer = post(client, photo, png(white(*holes)), seed=200)
    expected = pixels(photo)
    expected[white(*holes) > 0] = 200
    assert answer.status_code == 200 and np.array_equal(pixels(answer.content), expected)


def test_white_and_transparent_masks_give_one_answer(client, worker, photo):
    one, other = (post(client, photo, m, seed=9) for m in (png(white(*HOLES)), transparent(*HOLES)))
    assert one.content == other.content


def test_json_reports_every_window(client, worker, photo):
    answer = post(client, photo, png(white(*STRIP)), {"Accept": "application/json"}, n=2, seed=5)
    body = answer.json()
    assert body["region"] == [0, 40, 150, 24] and body["window"] == body["windows"][0]
    assert len(body["windows"]) == 3 and body["batch_size"] == 6
    assert [pixels(base64.b64decode(one))[50, 75, 0] for one in body["images"]] == [5, 6]


def test_levels_compare_whole_candidates(client, worker, photo):
    body = post(client, photo, png(white(*STRIP)), n=2, seed=5, compare="a dog").json()
    assert body["comparison"]["levels"] == [1, 1]


def test_a_masked_job_is_one_job(client, worker, photo):
    accepted = post(client, photo, png(white(*STRIP)), {"Prefer": "respond-async"}, seed=9)
    place = accepted.headers["location"]
    assert accepted.status_code == 202
    assert eventually(lambda: client.get(place).json()["state"] == "done")
    result = client.get(f"{place}/result")
    assert result.content == post(client, photo, png(white(*STRIP)), seed=9).content


def test_a_batch_has_one_mask(client, worker, photo, noise, encode):
    files = [("image", photo), ("image", encode(noise())), ("mask", png(white(*HOLES)))]
    data = {"caption": ["a cat", "a dog"], "seed": "7", "detail": "none"}
    place = client.post("/batches", files=files, data=data).headers["location"]
    assert eventually(lambda: client.get(place).json()["state"] == "done")
    good, bad = client.get(place).json()["items"]
    assert good["state"] == "done" and bad["problem"]["type"] == "/problems/invalid-mask"
    filled = pixels(client.get(f"/jobs/{good['job_id']}/result").content)
    assert (filled[white(*HOLES) > 0] == 7).all()


@pytest.mark.parametrize(
    ("mask", "fields", "slug", "words"),
    [
        (png(white()), {}, "invalid-mask", "empty"),
        (png(255 - white(*HOLES)), {}, "invalid-mask", "inverted"),
        (png(white(*HOLES, size=(150, 101))), {}, "invalid-mask", "one size"),
        (b"", {}, "invalid-mask", "empty file"),
        (b"mask.png", {}, "invalid-mask", "-F mask=@mask.png"),
        (b"\x89PNG", {}, "invalid-mask", "cannot be read"),
        (png(white(*HOLES)), {"region": "0,0,9,9"}, "invalid-field", "one of them"),
        (png(white((0, 0, 16, 64), size=(150, 100)) | white(*(
            (x, y, 8, 8) for x in range(20, 150, 32) for y in (0, 30, 60))
        )), {"n": "3", "compare": "b"}, "invalid-field", "n is at most 2 with compare"),
    ],
)  # fmt: skip
def test_an_unusable_mask_is_explained(client, worker, photo, mask, fields, slug, words):
    answer = post(client, photo, mask, **fields)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, f"/problems/{slug}")
    assert words in problem["detail"]


def test_an_unset_mask_counts_as_absent(client, worker, photo):
    unset = client.post(
        "/inpaint",
        files={"image": photo, "mask": ("", b"")},
        data={"caption": "a", "seed": "5", "detail": "none"},
    )
    assert unset.status_code == 200
    assert (pixels(unset.content)[50, 75] == 5).all()


@pytest.mark.parametrize("holes", [HOLES, STRIP])
def test_the_service_fills_as_the_library(client, hire, scored_bundle, photo, holes):
    inpainter = Inpainter.load(scored_bundle, "cpu")
    hire(lambda: Served([inpainter]))
    answer = post(
        client, photo, png(white(*holes)), n=3, seed=5, compare="two dogs", detail="surroundings"
    )
    answer = answer.json()
    made = inpainter.fill(photo, "a cat", mask=white(*holes), n=3, seed=5, compare="two dogs")
    assert answer["images"] == [base64.b64encode(one.png()).decode() for one in made.candidates]
    assert (answer["seeds"], answer["scores"]) == (made.seeds, made.scores)
    assert len(set(answer["images"])) == 3 and made.scores == sorted(made.scores, reverse=True)


class Served(Predictor):
    def close(self):
        pass


def data_url(data):
    return b"data:image/png;base64," + base64.b64encode(data)


def test_data_urls_count_as_their_files(client, worker, photo):
    mask = png(white(*HOLES))
    urls = post(client, data_url(photo), data_url(mask), seed=9)
    assert urls.content == post(client, photo, mask, seed=9).content
    broken = post(client, b"data:image/png;base64,@@", mask)
    assert (broken.status_code, broken.json()["type"]) == (415, "/problems/unsupported-picture")
