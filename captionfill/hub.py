"""Bundles on the Hugging Face Hub, named `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`."""

import re
import sys
from os import PathLike
from pathlib import Path

from captionfill.errors import StartError

SCHEME = "hf://"
_REFERENCE = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[^@\s]+))?", re.ASCII)
# What inference reads. The state for further training and the figures of the card stay there.
_READ = ["*.json", "*.safetensors", "*.onnx", "README.md"]
_LEFT = ["training-state.safetensors", "*/*"]
# By the names of huggingface_hub's exceptions, so that the package is imported only for `hf://`.
_REASONS = {
    "RepositoryNotFoundError": "there is no such repository, or it is private and no token of "
    "yours may read it (hf auth login, or HF_TOKEN)",
    "GatedRepoError": "the repository is gated, and no token of yours may read it",
    "RevisionNotFoundError": "the repository has no such branch, tag or commit",
    "OfflineModeIsEnabled": "the Hub may not be asked, since HF_HUB_OFFLINE is set",
    "LocalTokenNotFoundError": "there is no token (hf auth login, or HF_TOKEN)",
}
_MOST_CHARACTERS = 300


def is_hub_reference(place: str | PathLike[str]) -> bool:
    """Whether a place is on the Hub, and no folder."""
    return str(place).startswith(SCHEME)


def split_reference(reference: str) -> tuple[str, str | None]:
    """Return the repository and the revision of `hf://OWNER/NAME@REVISION`; None without one.

    Raises:
        StartError: it has another form.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise StartError(f"{reference}: a bundle on the Hub is named hf://OWNER/NAME@REVISION")
    return found["repo"], found["revision"]


def bundle_folder(place: str | PathLike[str]) -> Path:
    """Return the folder of a bundle; one on the Hub is downloaded into the Hub's local cache.

    Where the Hub cannot be reached, the cache is used (HF_HOME, HF_HUB_CACHE). A commit as the
    revision always gives the same bundle; a branch or a tag may move.

    Raises:
        StartError: the reference has another form, there is no such repository or revision, or
            neither the Hub nor the cache has it.
    """
    if not is_hub_reference(place):
        return Path(place)
    repo, revision = split_reference(str(place))
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - half a second
        from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415
    except ImportError as error:
        raise StartError(
            f"{place} needs huggingface-hub: pip install 'captionfill[hub]'"
        ) from error
    if not sys.stderr.isatty():
        disable_progress_bars()  # a worker's log has one line for each event
    try:
        return Path(
            snapshot_download(repo, revision=revision, allow_patterns=_READ, ignore_patterns=_LEFT)
        )
    except Exception as error:  # its transport raises many kinds
        raise StartError(f"{place} cannot be downloaded: {hub_reason(error)}") from error


def hub_reason(error: BaseException) -> str:
    """Return why a call of huggingface_hub failed, as one line."""
    chain = [error, error.__cause__, error.__context__]
    for kind in (kind for one in chain if one is not None for kind in type(one).__mro__):
        if kind.__name__ in _REASONS:
            return _REASONS[kind.__name__]
    return " ".join(str(error).split())[:_MOST_CHARACTERS] or type(error).__name__
