"""The one exception tree of the training package: each message is a line for the user."""

from pathlib import Path


class TrainingError(Exception):
    """Something the user can put right: the command line prints it without a traceback."""


class SourceError(TrainingError):
    """The raw data set is missing, unreadable, or holds nothing that can be used."""


class ArchiveError(SourceError):
    """An archive cannot be read to its end.

    Attributes:
        reason: why, without the archive's path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class PictureError(TrainingError):
    """One picture cannot be used; `prepare` names it, counts it and passes over it."""


class PreparedDataError(TrainingError):
    """A prepared folder is missing, incomplete, changed, or made for another encoder."""


class RecipeError(TrainingError):
    """A recipe is not found, or one of its values is unknown, out of range or does not fit."""


class RunError(TrainingError):
    """A run directory is missing, in use, damaged, or does not fit its data."""


class EvaluationError(TrainingError):
    """The evaluation cannot be made of this bundle and data."""


class HubError(TrainingError):
    """A bundle cannot be uploaded to the Hugging Face Hub."""


class OutputError(RunError):
    """A result cannot be written where it is wanted; raised before the work wherever possible."""


class NonFiniteError(TrainingError):
    """A term of the loss or a weight is NaN or infinite; nothing was stepped with or saved."""
