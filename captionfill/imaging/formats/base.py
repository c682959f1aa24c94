"""What the walkers of the picture formats share: what they find, and what they may not exceed."""

from dataclasses import dataclass

from captionfill.errors import UnsupportedPicture

# Larger profiles are printing presses' and cameras'; each answer would carry a copy.
MAX_PROFILE = 2**20
MAX_EXIF = 2**20


@dataclass(frozen=True)
class PictureFile:
    """A picture file without what no decoder needs.

    Attributes:
        data: decodes to the same pixels as the whole upload. Bytes behind the picture's end and
            metadata are gone; colour information, EXIF and animation chunks are there.
        complete: whether the file had its end marker; `data` has none where it had none.
        colour: the PNG chunks that say what the pixel values mean, except an ICC profile.
        gamma: the exponent of a PNG's `gAMA` where nothing of higher precedence is there.
        notes: colour information that was dropped, a sentence each.
    """

    data: bytes
    complete: bool = True
    colour: bytes = b""
    gamma: float | None = None
    notes: tuple[str, ...] = ()


def profile_too_large(size: int | None = None) -> str:
    """The note for a profile that is not kept."""
    what = "it has" if size is None else f"its {size:,} bytes are"
    return f"the colour profile was dropped: {what} over {MAX_PROFILE:,}" + (
        " bytes" if size is None else ""
    )


def check_parts(count: int, limit: int) -> None:
    """Bound the time that walking a file takes.

    Raises:
        UnsupportedPicture: more segments or chunks than any encoder writes.
    """
    if count > limit:
        raise UnsupportedPicture(f"the picture has over {limit:,} parts; save it anew")
