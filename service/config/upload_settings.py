"""Settings of uploads: how large bodies and pictures may be."""

from pathlib import Path

from pydantic import BaseModel, Field, PositiveInt

from service.config.machine import default_image_threads


class UploadSettings(BaseModel):
    """Settings of uploads: how large bodies and pictures may be."""

    max_bytes: int = Field(10 * 2**20, gt=0, description="of one request's body")
    max_pixels: int = Field(
        40_000_000, gt=0, description="of one picture, and of an answer's pictures together"
    )
    max_held_pixels: int = Field(
        200_000_000, gt=0, description="of all pictures that wait for their fill"
    )
    body_limits: dict[str, PositiveInt] = Field(
        {"/batches": 256 * 2**20, "/v1/images/edits": 20 * 2**20},
        description="bytes of a body, by the path of a route",
    )
    max_upload_bytes: int = Field(
        2**29,
        gt=0,
        description="of all bodies in hand, no less than the largest; one caller may have half",
    )
    temp_folder: Path | None = Field(
        None, description="takes uploads over 1 MB while they are in hand; TMPDIR by default"
    )
    batch_pictures: int = Field(256, gt=0, description="in one POST /batches")
    image_threads: int = Field(
        default_factory=default_image_threads,
        gt=0,
        description="images decoded or encoded at the same time; 2 to 8 by the number of cores",
    )
