"""The formats of a response: lossless ones keep every pixel, JPEG the profile; the region alone."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.helpers.images import decode_image, encode_image, noise_image, smooth_image

pytestmark = pytest.mark.server

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def post(client, image, accept, prefer="", **fields):
    fields = {"caption": "a cat", "seed": "1000", **fields}
    headers = {"Accept": accept, "Prefer": prefer}
    return client.post("/inpaint", files={"image": image}, data=fields, headers=headers)


def test_webp_has_the_pixels_of_the_png(client, worker, picture):
    png, webp = (post(client, picture, f"image/{kind}") for kind in ("png", "webp"))
    assert webp.headers["content-type"] == "image/webp"
    assert np.array_equal(decode_image(webp.content), decode_image(png.content))
    assert png.headers["etag"] != webp.headers["etag"]


def test_jpeg_has_the_profile_and_the_quality(client, worker):
    image = encode_image(smooth_image(100, 80), "JPEG", quality=95, icc_profile=PROFILE)
    small, large = (post(client, image, "image/jpeg", quality=str(n)) for n in (20, 95))
    assert len(small.content) < len(large.content)
    assert small.headers["etag"] != large.headers["etag"]
    with Image.open(BytesIO(large.content)) as written:
        assert (written.format, written.size) == ("JPEG", (100, 80))
        assert written.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("quality", ["0", "101", "high"])
def test_bad_quality_is_refused(client, worker, picture, quality):
    problem = post(client, picture, "image/jpeg", quality=quality).json()
    assert "quality must be a whole number from 1 to 100" in problem["detail"]


def test_output_fill_is_the_region_alone(client, worker):
    image = encode_image(noise_image(100, 80))
    whole, part = (
        post(client, image, "image/png", region="10,20,40,30", output=output)
        for output in ("picture", "fill")
    )
    assert np.array_equal(decode_image(whole.content)[20:50, 10:50], decode_image(part.content))
    assert post(client, image, "*/*", output="both").status_code == 422


def test_job_keeps_its_quality_and_output(client, worker):
    image, options = encode_image(smooth_image(100, 80)), {"quality": "30", "output": "fill"}
    wanted = post(client, image, "image/jpeg", **options)
    job = post(client, image, "*/*", "respond-async, wait=10", **options).headers["x-job-id"]
    result = client.get(f"/jobs/{job}/result", headers={"Accept": "image/jpeg"})
    assert result.headers["content-type"] == "image/jpeg"
    assert result.content == wanted.content
