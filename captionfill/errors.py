# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of the library, each with the problem document that the service answers with (RFC 9457).

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from typing import Any, ClassVar


class CaptionfillError(Exception):
    """The service failed with an unexpected error. Its log has the traceback."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    retry_after: ClassVar[int | None] = None

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the error."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def problem(self) -> dict[str, Any]:
        """The problem document."""
        kind = {"type": f"/problems/{self.slug}", "title": self.title}
        return {**kind, "status": self.status, "detail": str(self)}


class InvalidField(CaptionfillError):
    """A form field is missing, unknown, sent twice, or has a value out of range.

    So is a field that was sent as a query parameter: no POST takes any.
    """

    status, slug, title = 422, "invalid-field", "Invalid form field"


class InvalidRegion(InvalidField):
    """The region is not ``x,y,width,height`` in whole pixels inside the picture.

    Each side must be at least 4 pixels and at most three quarters of the picture's shorter side.
    """

    slug, title = "invalid-region", "Invalid region"


class InvalidMask(InvalidField):
    """The mask does not say what to fill.

    It must be a picture of the same size: white pixels are filled, black ones are kept. Where it
    has transparent pixels, these are filled instead. A mask is refused if it has none of either,
    fills most of the picture's border (it is then likely inverted), leaves too little visible
    around a hole, or has holes for more than 16 windows.
    """

    slug, title = "invalid-mask", "Invalid mask"


class InvalidCaption(InvalidField):
    """The caption is blank, too long, not UTF-8, or holds control characters."""

    slug, title = "invalid-caption", "Invalid caption"


class UnsupportedPicture(CaptionfillError):
    """The file is not a complete, still PNG, JPEG, WebP, AVIF, HEIC (where installed), nor a GIF.

    What counts is the content, not the name: a truncated or broken file ends here, too.
    """

    status, slug, title = 415, "unsupported-picture", "Unsupported picture"


class PictureTooSmall(CaptionfillError):
    """The picture is less than 64 pixels wide or high."""

    status, slug, title = 422, "picture-too-small", "Picture too small"


class PictureTooLarge(CaptionfillError):
    """The picture has more pixels than the service takes, or the pictures of its answer have.

    One limit holds for both: 40 million, unless ``CAPTIONFILL_MAX_PIXELS`` says otherwise. An
    answer has ``n`` pictures of the upload's size, and twice as many with ``compare``.
    """

    status, slug, title = 413, "picture-too-large", "Picture too large"


class StartError(CaptionfillError):
    """A command cannot start: a busy port, a missing bundle, no Redis."""

    slug, title = "start-error", "Cannot start"
