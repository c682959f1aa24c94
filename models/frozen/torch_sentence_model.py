"""Any sentence-transformers model, by torch."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

from models.torch_threads import one_thread


class TorchSentenceModel:
    """A `models.captions.SentenceModel` on any device.

    Attributes:
        precision: `torch`.
        dimension: length of a vector.
        max_tokens: a sentence is cut to as many tokens, the special ones included.
    """

    precision = "torch"

    def __init__(self, place: str, device: str, *, single: bool = False) -> None:
        """Load from a folder or by name.

        With `single` sentences are computed one at a time, on a CPU by one thread, so that a
        vector has the same bits alone and in any list.
        """
        disable_progress_bar()  # type: ignore[no-untyped-call]
        local = Path(place).is_dir()  # a hub need not be asked
        self._model = SentenceTransformer(place, device=device, local_files_only=local).eval()
        self._device, self._single = device, single
        self._tokenizer: Any = self._model.tokenizer
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 2**31)

    def weights(self) -> Iterator[tuple[str, tuple[int, ...], memoryview]]:
        """The names, shapes and bytes of the weights, in the order of the names."""
        for key, value in sorted(self._model.state_dict().items()):
            flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
            yield key, tuple(value.shape), flat.numpy().data

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Embed sentences: float32 `(N, dimension)`, rows of length 1."""
        with one_thread(self._device) if self._single else nullcontext():
            vectors = self._model.encode(
                list(sentences),
                batch_size=1 if self._single else 64,
                normalize_embeddings=True,
                show_progress_bar=False,
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
