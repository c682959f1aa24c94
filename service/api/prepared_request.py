"""A request that is ready for the queue (decoded, checked and hashed), and its result."""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from captionfill.errors import InvalidField, PictureTooLarge, UnsupportedPicture
from captionfill.imaging.canvas import Canvas, pack_mask, unpack_fills
from captionfill.imaging.codec import Picture, Pixels, strip_metadata
from captionfill.imaging.encoder import DEFAULT_QUALITY, PNG, Encoding
from captionfill.imaging.region import Region
from service.api.forms.form import InpaintRequest
from service.api.forms.upload_checks import check_picture
from service.queue.jobs import IdempotencyKey
from service.queue.task import MAX_IMAGES, SEEDS, InferenceTask, TaskSuccess


class JobOrigin(NamedTuple):
    """The HTTP request behind a job: its owner alone may see it, its account is charged for it."""

    owner: str
    account: str = "local"
    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class PreparedRequest:
    """A request with its decoded picture and its task for the model.

    Attributes:
        key: the client's Idempotency-Key, or empty.
        digest: SHA-256 over everything that decides the result except model and seed.
        media_type: of its pictures; PNG in JSON.
    """

    request: InpaintRequest
    origin: JobOrigin
    key: str
    canvas: Canvas
    task: InferenceTask
    digest: str
    media_type: str = PNG

    @property
    def name(self) -> str:
        """The digest and the seed; with a model version it identifies the result."""
        return f"{self.digest}-{self.task.seed}"

    @property
    def meta(self) -> dict[str, Any]:
        """What a job stores, beside the picture, to composite its result."""
        canvas = self.canvas
        stored: dict[str, Any] = {"region": canvas.region, "detail": canvas.detail}
        stored |= {"name": self.name} if canvas.mask is None else {"name": self.name, "mask": True}
        notes = canvas.picture.notes
        stored |= {name: value for name, value in _options(self.request).items() if value}
        return {**stored, "notes": notes} if notes else stored

    def upload(self) -> bytes:
        """What a background job stores: the picture without metadata, behind the mask if any.

        The mask is a PNG of one bit per pixel; four bytes before it give its length.
        """
        picture = strip_metadata(self.request.image)
        if self.canvas.mask is None:
            return picture
        mask = pack_mask(self.canvas)
        return len(mask).to_bytes(4, "big") + mask + picture

    @property
    def idempotency(self) -> IdempotencyKey | None:
        """The owner's Idempotency-Key with a hash of the request; None without a key."""
        if not self.key:
            return None
        request = self.request
        payload = json.dumps([self.digest, request.seed, request.model, request.webhook])
        scoped = f"{self.origin.owner}\n{self.key}"
        return IdempotencyKey(*(sha256(text.encode()).hexdigest() for text in (scoped, payload)))


@dataclass(frozen=True)
class InpaintResult:
    """Composited pictures, and those for the second caption if there is one.

    Attributes:
        name: as of `PreparedRequest`.
        windows: left, top and side of each window.
        differences: mean absolute difference of each pair of fills, in 8-bit levels.
        notes: what was dropped from the upload.
    """

    job: str
    name: str
    task: TaskSuccess
    region: Region
    windows: list[tuple[float, float, int]]
    images: list[bytes]
    others: list[bytes]
    differences: list[float]
    notes: list[str]


def decode_request(
    request: InpaintRequest, mask: bytes | None, max_pixels: int
) -> tuple[Canvas, str]:
    """Decode the picture and its mask, and hash the request.

    Raises:
        CaptionfillError: the picture, region or mask cannot be used.
    """
    try:
        canvas = Canvas.open(request.image, request.region, max_pixels, mask, request.detail)
    except UnsupportedPicture:
        check_picture("image", request.image)  # names what clients often send instead of a file
        raise
    _check_windows(len(canvas.tiles), request)
    return canvas, compute_digest(request, canvas.region, mask)


def _check_windows(windows: int, request: InpaintRequest) -> None:
    """Limit the images that the model makes for one request."""
    each = windows if request.compare is None else 2 * windows
    if request.n * each > MAX_IMAGES:
        compared = "" if request.compare is None else " with compare"
        raise InvalidField(
            f"n is at most {MAX_IMAGES // each}{compared} for this mask, which takes {windows} "
            "windows"
        )


def stored_canvas(upload: bytes, meta: dict[str, Any], max_pixels: int) -> Canvas:
    """The canvas of a background job, from `PreparedRequest.upload` and `PreparedRequest.meta`."""
    detail = meta.get("detail", "none")  # jobs of an older version have no such field
    if not meta.get("mask"):
        return Canvas.open(upload, meta["region"], max_pixels, detail=detail)
    start = 4 + int.from_bytes(upload[:4], "big")
    return Canvas.open(upload[start:], None, max_pixels, upload[4:start], detail)


def check_result_size(picture: Picture, request: InpaintRequest, max_pixels: int) -> None:
    """Limit the pixels of the result as those of the upload are limited.

    Raises:
        PictureTooLarge: the pictures of the response would have more pixels together.
    """
    width, height = picture.size
    compared, each = ("", 1) if request.compare is None else (" with compare", 2)
    most = max_pixels // (each * width * height)
    if request.n > most:
        what = f"n is at most {most}{compared}" if most else "compare is not possible"
        raise PictureTooLarge(
            f"{what} for a picture of {width}×{height}: the pictures of a response have at "
            f"most {max_pixels:,} pixels together"
        )


def compute_digest(request: InpaintRequest, region: Region, mask: bytes | None) -> str:
    """SHA-256 over the picture, the mask, the region, the captions and the options.

    This is the only hash of the picture: the ETag, the Idempotency-Key and a derived seed use it.
    """
    facts: list[Any] = [
        sha256(request.image).hexdigest(),
        None if mask is None else sha256(mask).hexdigest(),
        region,
        request.caption,
        request.compare,
        request.n,
        request.temperature,
        request.detail,
    ]
    facts += [pair for pair in _options(request).items() if pair[1]]
    return sha256(json.dumps(facts).encode()).hexdigest()


def _options(request: InpaintRequest) -> dict[str, Any]:
    """Options of the answer; each is empty by default, and was not there in older versions."""
    output = "" if request.output == "picture" else request.output
    return {"quality": request.quality, "output": output}


def choose_seed(given: int | None, key: str, digest: str) -> int:
    """The client's seed; else one derived from its Idempotency-Key; else a random one."""
    if given is not None:
        return given
    if not key:
        return secrets.randbelow(SEEDS)
    return int.from_bytes(sha256(f"{key}\n{digest}".encode()).digest()[:4], "big")


def composite(
    job: str, meta: dict[str, Any], canvas: Canvas, outcome: TaskSuccess, media_type: str = PNG
) -> InpaintResult:
    """Put the fills of a job into its picture; ``meta`` is that of its `PreparedRequest`.

    Raises:
        InvalidField: the pictures are too wide or high for their media type.
    """
    encoding = Encoding(media_type, meta.get("quality") or DEFAULT_QUALITY)
    encoding.check(canvas.picture.size)

    def write(fill: Pixels) -> bytes:
        filled = canvas.composite(fill)
        return encoding.encode(canvas.cut_out(filled) if meta.get("output") == "fill" else filled)

    fills, others = (
        unpack_fills(one, len(canvas.tiles)) for one in (outcome.fill.fills, outcome.fill.others)
    )
    return InpaintResult(
        job=job,
        name=meta["name"],
        task=outcome,
        region=canvas.region,
        windows=[tile.region.window for tile in canvas.tiles],
        images=list(map(write, fills)),
        others=list(map(write, others)),
        differences=_differences(fills, others) if len(others) else [],
        # Not the canvas's: a stored picture no longer has what was dropped.
        notes=[*meta.get("notes", []), *encoding.notes(canvas.picture)],
    )


def _differences(fills: Pixels, others: Pixels) -> list[float]:
    apart = np.abs(fills.astype(np.int16) - others.astype(np.int16))
    return [round(float(one.mean()), 3) for one in apart]
