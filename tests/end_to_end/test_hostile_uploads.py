"""Uploads that mean no good: each gets a problem document or a right answer, never a 5xx."""

import functools
import io
import socket
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.helpers.image_files import png_chunk, png_file
from tests.helpers.images import encode_image, noise_image

pytestmark = [pytest.mark.server, pytest.mark.slow]


GOOD = encode_image(noise_image())
JPEG, WEBP = encode_image(noise_image(), "JPEG"), encode_image(noise_image(), "WEBP")
FRAMES = {"save_all": True, "append_images": [noise_image(seed=1)]}


@functools.cache
def just_too_large():
    """Made when asked for: it takes a second."""
    return png_file(8000, 8000, rows=bytes(192_008_000))


# Name -> (image or what makes it, other fields, status).
REFUSED = {
    "empty": (b"", {}, 415),
    "only a signature": (b"\x89PNG\r\n\x1a\n", {}, 415),
    "truncated PNG": (GOOD[: len(GOOD) // 2], {}, 415),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], {}, 415),
    "truncated WebP": (WEBP[: len(WEBP) // 2], {}, 415),
    "PNG with a flipped byte": (GOOD[:5000] + bytes([GOOD[5000] ^ 255]) + GOOD[5001:], {}, 415),
    "text named PNG": (b"hello " * 1000, {}, 415),
    "HTML": (b"<html><script>alert(1)</script></html>", {}, 415),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>', {}, 415),
    "PDF": (b"%PDF-1.7\n" + bytes(500), {}, 415),
    "ZIP": (b"PK\x03\x04" + bytes(500), {}, 415),
    "BMP": (encode_image(noise_image(), "BMP"), {}, 415),
    "TIFF": (encode_image(noise_image(), "TIFF"), {}, 415),
    "animated PNG": (encode_image(noise_image(), "PNG", **FRAMES), {}, 415),
    "animated WebP": (encode_image(noise_image(), "WEBP", **FRAMES), {}, 415),
    "bomb of pixels": (png_file(50_000, 50_000, rows=bytes(1_000_000)), {}, 413),
    "bomb just over the limit": (just_too_large, {}, 413),
    "size of zero": (png_file(0, 0, rows=b""), {}, 415),
    "size beyond 31 bits": (png_file(2**31 + 5, 64, rows=b""), {}, 413),
    "huge file": (GOOD + bytes(11 * 2**20), {}, 413),
    "one pixel": (encode_image(noise_image(1, 1)), {}, 422),
    "a line": (encode_image(noise_image(5000, 1)), {}, 422),
    "NUL in caption": (GOOD, {"caption": "a\0cat"}, 422),
    "escape in caption": (GOOD, {"caption": "\x1b[31mcat"}, 422),
    "blank caption": (GOOD, {"caption": " \n "}, 422),
    "endless caption": (GOOD, {"caption": "cat " * 3000}, 422),
    "NaN in region": (GOOD, {"region": "nan,nan,8,8"}, 422),
    "infinite region": (GOOD, {"region": "0,0,inf,inf"}, 422),
    "negative region": (GOOD, {"region": "-8,-8,16,16"}, 422),
    "region outside": (GOOD, {"region": "60,60,16,16"}, 422),
    "region of everything": (GOOD, {"region": "0,0,64,64"}, 422),
    "region that overflows": (GOOD, {"region": "0,0,99999999999999999999,8"}, 422),
    "seed that overflows": (GOOD, {"seed": "4294967296"}, 422),
    "seed of words": (GOOD, {"seed": "seven"}, 422),
    "n of a thousand": (GOOD, {"n": "1000"}, 422),
    "unknown field": (GOOD, {"exec": "rm -rf"}, 422),
}  # fmt: skip
ANSWERED = {
    "alpha": (encode_image(noise_image(mode="RGBA")), {}),
    "palette": (encode_image(noise_image().convert("P")), {}),
    "palette with a clear colour": (encode_image(noise_image().convert("P"), transparency=0), {}),
    "grey": (encode_image(noise_image(mode="L")), {}),
    "grey with alpha": (encode_image(noise_image().convert("LA")), {}),
    "one bit": (encode_image(noise_image().convert("1")), {}),
    "GIF": (encode_image(noise_image(), "GIF"), {}),
    "animated GIF": (encode_image(noise_image(), "GIF", **FRAMES), {}),
    "CMYK JPEG": (encode_image(noise_image(mode="CMYK"), "JPEG"), {}),
    "16-bit grey": (png_file(64, 64, 16, 0, (b"\0" + bytes(128)) * 64), {}),
    "16-bit RGB": (png_file(64, 64, 16, 2, (b"\0" + bytes(384)) * 64), {}),
    "all of one colour": (png_file(64, 64, rows=(b"\0" + bytes(192)) * 64), {}),
    "junk after the end": (GOOD + b"<?php evil(); ?>" * 100, {}),
    "a video behind the end": (JPEG + b"\xff\xda" * 1000, {}),
    "very long and thin": (encode_image(noise_image(4000, 64)), {}),
    "right-to-left and emoji": (GOOD, {"caption": "\u202eقطة 🐈\u200d⬛"}),
    "words like markup": (GOOD, {"caption": "'; DROP TABLE jobs; -- {{7*7}} ${x} %s"}),
}


def post(client, image, fields, name="photo.png"):
    image = image() if callable(image) else image
    return client.post(
        "/inpaint", files={"image": (name, image)}, data={"caption": "a cat", **fields}
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_upload_is_refused_with_a_problem(client, name):
    image, fields, status = REFUSED[name]
    problem = post(client, image, fields)
    assert (problem.status_code, problem.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert problem.json()["type"].startswith("/problems/") and problem.json()["detail"]


@pytest.mark.parametrize("name", ANSWERED)
def test_a_strange_but_lawful_upload_is_answered_rightly(client, name):
    image, fields = ANSWERED[name]
    answer = post(client, image, fields)
    assert answer.status_code == 200, answer.text
    before, after = Image.open(io.BytesIO(image)), Image.open(io.BytesIO(answer.content))
    outside = [np.asarray(picture.convert("RGBA"))[:8] for picture in (before, after)]
    assert before.size == after.size and np.array_equal(*outside)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"], ids=["text", "profile"])
def test_metadata_that_inflates_is_skipped(client, kind):
    """Of a chunk that inflates to 200 MB."""
    extra = png_chunk(kind, b"bomb\0\0" + zlib.compress(bytes(200_000_000), 9))
    answer = post(client, png_file(64, 64, rows=(b"\0" + bytes(192)) * 64, extra=extra), {})
    assert answer.status_code == 200, answer.text
    assert not np.asarray(Image.open(io.BytesIO(answer.content)))[:8].any()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\r\nb.png", "\u202egnp.exe", "x" * 5000])
def test_the_name_of_the_upload_does_not_matter(client, name):
    assert post(client, GOOD, {}, name).status_code in (200, 400)


@pytest.mark.parametrize("sent", [0.5, 1], ids=["within the body", "before the answer"])
def test_client_that_disconnects_midway_affects_no_other(client, service, sent):
    address = httpx.URL(service.address)
    request = client.build_request("POST", "/inpaint", files={"image": GOOD}, data={"caption": "a"})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    body = request.read()
    for _ in range(5):
        with socket.create_connection((address.host, address.port)) as hasty:
            hasty.sendall(f"POST /inpaint HTTP/1.1\r\n{head}\r\n".encode())
            hasty.sendall(body[: int(len(body) * sent)])
    assert post(client, GOOD, {}).status_code == 200


def test_next_request_is_answered_after_all_of_them(client):
    for image, fields, _ in REFUSED.values():
        post(client, image, fields)
    answer = post(client, GOOD, {"seed": "1"})
    assert answer.status_code == 200 and client.get("/readyz").status_code == 200
