"""Structure of picture files, read before a decoder sees them: one module a format."""

from dataclasses import dataclass

from captionfill.errors import UnsupportedPicture

# Larger profiles are those of printing presses and cameras; each answer would carry a copy.
MAX_PROFILE = 2**20
MAX_EXIF = 2**20


@dataclass(frozen=True)
class PictureFile:
    """A picture file without what no decoder needs.

    Attributes:
        data: decodes to the same pixels as the upload. Metadata and bytes behind the end of the
            picture are left out; colour information, EXIF and animation chunks are kept.
        complete: whether the file had its end marker; `data` has none where it had none.
        colour: the PNG chunks that define what the pixel values mean, except an ICC profile.
        gamma: the exponent of a PNG's `gAMA` where nothing of higher precedence is there.
        notes: colour information that was dropped, a sentence each.
    """

    data: bytes
    complete: bool = True
    colour: bytes = b""
    gamma: float | None = None
    notes: tuple[str, ...] = ()


def profile_too_large(size: int) -> str:
    """The note for a profile that is not kept."""
    return f"the colour profile was dropped: its {size:,} bytes are over {MAX_PROFILE:,}"


def too_many_parts(limit: int) -> UnsupportedPicture:
    """The error of a file with more segments or chunks than any encoder writes."""
    return UnsupportedPicture(f"the picture has over {limit:,} parts; save it anew")
