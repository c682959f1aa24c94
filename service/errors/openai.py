"""The error object that OpenAI's clients read, an additional member of problem documents."""

from captionfill.errors import CaptionfillError, InvalidCaption, InvalidMask
from service.errors.requests import UnknownModel

_FIELDS = {
    "image", "mask", "prompt", "n", "model", "size", "seed", "temperature",
    "response_format", "output_format", "background", "stream", "partial_images",
    "output_compression",
}  # fmt: skip


def explain(error: CaptionfillError) -> dict[str, str | None]:
    """The member ``error``; its `param` is the field that the error's kind or first word names."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"message": str(error), "type": kind, "param": _param(error), "code": error.slug}


def _param(error: CaptionfillError) -> str | None:
    kinds = {InvalidCaption: "prompt", InvalidMask: "mask", UnknownModel: "model"}
    for kind, name in kinds.items():
        if isinstance(error, kind):
            return name
    first = str(error).partition(" ")[0].rstrip(":")
    return first if first in _FIELDS else None
