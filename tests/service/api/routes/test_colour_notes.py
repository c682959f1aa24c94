"""Answers name the colour information that a fill does not have."""

import base64
import io
import json
import time
import zipfile

from PIL import Image

from tests.helpers.image_files import icc_profile

CMYK = icc_profile(b"CMYK")


def test_json_and_headers_tell_what_was_dropped(client, worker, noise, encode):
    data = encode(noise(), "JPEG", icc_profile=CMYK)
    said = fill(client, data, "application/json")
    assert "CMYK colour" in said.json()["notes"][0]
    assert said.headers["x-notes"] == said.json()["notes"][0]
    assert fill(client, data, "image/png").headers["x-notes"] == said.json()["notes"][0]


def test_nothing_dropped_is_no_note(client, worker, noise, encode):
    said = fill(client, encode(noise()), "application/json")
    assert said.json()["notes"] == [] and "x-notes" not in said.headers


def test_a_later_result_tells_what_was_dropped(client, worker, noise, encode):
    data = encode(noise(), "JPEG", icc_profile=icc_profile() + bytes(2**20))
    place = fill(client, data, "*/*", Prefer="respond-async").headers["location"]
    assert "1,048,576" in result(client, f"{place}/result").headers["x-notes"]


def test_a_batch_tells_what_was_dropped(client, worker, noise, encode):
    files = [("image", ("a.jpg", encode(noise(), "JPEG", icc_profile=CMYK)))]
    batch = client.post("/batches", files=files, data={"caption": "a cat"}).headers["location"]
    with zipfile.ZipFile(io.BytesIO(result(client, f"{batch}/result").content)) as found:
        [line] = map(json.loads, found.read("results.jsonl").splitlines())
    assert "CMYK colour" in line["notes"][0]


def test_openai_clients_are_told_what_was_dropped(client, worker, noise, encode):
    icc = icc_profile() + bytes(2**20)
    image = noise(mode="RGBA")
    image.putalpha(Image.new("L", (64, 64), 255))
    image.paste((0, 0, 0, 0), (20, 20, 40, 40))
    files = {"image": encode(image, icc_profile=icc)}
    said = client.post("/v1/images/edits", files=files, data={"prompt": "a cat"}).json()
    assert "1,048,576" in said["notes"][0] and base64.b64decode(said["data"][0]["b64_json"])


def test_fill_prints_what_was_dropped(captionfill, tiny_bundle, tmp_path, noise, encode):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(noise(), "JPEG", icc_profile=CMYK))
    out = tmp_path / "filled.png"
    status, said = captionfill("fill", photo, "a cat", "-o", out, "--bundle", tiny_bundle)
    assert status == 0 and "photo.jpg: the colour profile was dropped" in said.err


def fill(client, data, accept, **headers):
    return client.post(
        "/inpaint",
        files={"image": data},
        data={"caption": "a cat"},
        headers={"Accept": accept, **headers},
    )


def result(client, place):
    """What is there in the end; a result that is not ready yet is 409."""
    for _ in range(3000):
        answer = client.get(place)
        if answer.status_code != 409:
            return answer
        time.sleep(0.02)
    raise AssertionError(answer.text)
