"""The sentences at the ends of each context's caption path, given or taken from the data."""

from dataclasses import dataclass

from torch import Tensor

from models.captions import CaptionEncoder
from training.common.errors import PreparedDataError
from training.data.manifest import Manifest
from training.runs.data_record import DataRecord
from training.runs.load_run import LoadedRun


@dataclass(frozen=True)
class Sentences:
    """One end of the caption path of each of N contexts.

    Attributes:
        texts: N sentences.
        vectors: their caption vectors, `(N, caption_dim)`.
    """

    texts: list[str]
    vectors: Tensor


def own_captions(captions: list[str], vectors: Tensor) -> Sentences:
    """Return each picture's own caption."""
    return Sentences(captions, vectors)


def next_captions(captions: list[str], vectors: Tensor) -> Sentences:
    """Return for each picture the next one's caption."""
    return Sentences(captions[1:] + captions[:1], vectors.roll(-1, dims=0))


def same_sentence(run: LoadedRun, sentence: str, count: int) -> Sentences:
    """Return one sentence for all, embedded as the run's captions were.

    Raises:
        EncoderError: the encoder is not available.
        PreparedDataError: the run's data are gone, or were embedded by another encoder.
    """
    encoder = encoder_of(run.run.any_data_record())
    return Sentences([sentence] * count, encoder.encode([sentence]).expand(count, -1))


def encoder_of(prepared: Manifest | DataRecord) -> CaptionEncoder:
    """Load the encoder that a prepared folder's captions were embedded by.

    Raises:
        EncoderError: it is not to be had.
        PreparedDataError: the available encoder of its name is another one.
    """
    encoder = CaptionEncoder.load(prepared.encoder)
    if encoder.fingerprint != prepared.encoder_fingerprint:
        raise PreparedDataError(
            f"the captions were embedded by another {encoder.name} than is here"
        )
    return encoder
