"""Encode images as PNG or WebP without loss, or as JPEG."""

from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from PIL import Image

from captionfill.errors import InvalidField
from captionfill.imaging.codec import Picture, to_image, write_png

PNG, WEBP, JPEG = "image/png", "image/webp", "image/jpeg"
DEFAULT_QUALITY = 90
# Longest side of a format that is shorter than the longest of an upload.
_LONGEST = {WEBP: 16_383, JPEG: 65_535}
_OTHER_COLOUR = "only PNG keeps the colour information that the upload has besides a profile"
_NO_ALPHA = "JPEG has no transparency: what was transparent is on white"


@dataclass(frozen=True)
class Encoding:
    """How an image is written.

    Attributes:
        media_type: `image/png` or `image/webp` (every pixel as it is), or `image/jpeg`.
        quality: of JPEG, 1 to 100.
    """

    media_type: str = PNG
    quality: int = DEFAULT_QUALITY

    def check(self, size: tuple[int, int]) -> None:
        """Raise `InvalidField` for a width and height that the format does not have."""
        longest = _LONGEST.get(self.media_type, max(size))
        if max(size) > longest:
            raise InvalidField(f"{self.media_type} has at most {longest:,} pixels a side; take PNG")

    def encode(self, picture: Picture) -> bytes:
        """Encode with the ICC profile and no other metadata; PNG with all colour information."""
        if self.media_type == PNG:
            return write_png(picture)
        return _write_webp(picture) if self.media_type == WEBP else self._write_jpeg(picture)

    def notes(self, picture: Picture) -> tuple[str, ...]:
        """What of an image is lost in this format, a sentence each."""
        if self.media_type == PNG:
            return ()
        loses_alpha = self.media_type == JPEG and picture.alpha is not None
        return (_OTHER_COLOUR,) * bool(picture.colour) + (_NO_ALPHA,) * loses_alpha

    def _write_jpeg(self, picture: Picture) -> bytes:
        out = BytesIO()
        profile = picture.profile or b""
        to_image(_on_white(picture)).save(out, "JPEG", quality=self.quality, icc_profile=profile)
        return out.getvalue()


def _write_webp(picture: Picture) -> bytes:
    """Write WebP without loss, with the least effort: more takes seconds for a large photo."""
    out = BytesIO()
    to_image(picture).save(
        out,
        "WEBP",
        lossless=True,
        exact=True,  # the colour of transparent pixels, too
        quality=0,
        method=0,
        icc_profile=picture.profile or b"",
    )
    return out.getvalue()


def _on_white(picture: Picture) -> Picture:
    if picture.alpha is None:
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(Image.fromarray(picture.rgb), mask=Image.fromarray(picture.alpha))
    return replace(picture, rgb=np.asarray(white), alpha=None)
