"""A BERT sentence encoder compiled by OpenVINO, without torch (Devlin et al. 2019).

Reads the folder of a sentence-transformers model: BERT, mean pooling, vectors of length 1
(Reimers and Gurevych 2019). `models.frozen.bert_graph` builds the network.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from models.frozen.bert_graph import build_graph
from models.openvino_import import openvino_core

# What this graph computes; a model with other values of these goes to sentence-transformers.
_CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
}
_MODULES = ["Transformer", "Pooling", "Normalize"]


# Sentences are padded to a multiple of so many tokens: with fewer rows a product is computed by
# another kernel, in another order.
_PAD = 16
_MAX_TOKENS = 4096  # of a call, padding included: about 50 MB of activations
_MASKED = -1e9  # added to scores of attention; its softmax is 0 in every format
# Computed together and alone when an encoder is loaded.
_SAMPLES = ("a dog", "two children play with a ball in the snow", "word " * 20, "word " * 70)


class SentenceBert:
    """Sentences to vectors on a CPU, those of a list together.

    A vector depends on its sentence alone: the same bits alone or in any list. A CPU that
    computes a few examples otherwise gets one sentence at a time.

    Attributes:
        precision: of products, `f32`, `bf16` or `f16`.
        dimension: length of a vector.
        max_tokens: a sentence is cut to as many tokens, the two special ones included.
    """

    def __init__(self, folder: Path, *, exact: bool = True) -> None:
        """Load the weights and compile the network. Check `is_supported` first.

        Unless it is to be `exact`, it computes in the CPU's short format if there is one in
        hardware.
        """
        config = read_json(folder / "config.json")
        self.dimension = int(config["hidden_size"])
        self.max_tokens = int(read_json(folder / "sentence_bert_config.json")["max_seq_length"])
        self._positions = int(config["max_position_embeddings"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        self._file = folder / "model.safetensors"
        graph = build_graph(config, load_file(self._file))
        self._network = openvino_core().compile_model(graph, "CPU", settings)
        precision = self._network.get_property("INFERENCE_PRECISION_HINT")
        self.precision: str = precision.get_type_name()
        self._max_tokens = _MAX_TOKENS
        if not self._is_alike():
            self._max_tokens = 1

    @staticmethod
    def is_supported(folder: Path) -> bool:
        """Whether a folder holds what this class computes: BERT with mean pooling."""
        try:
            config = read_json(folder / "config.json")
            modules = read_json(folder / "modules.json")
            pooling = read_json(folder / modules[1]["path"] / "config.json")
        except (OSError, ValueError, LookupError):
            return False
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        files = ("model.safetensors", "tokenizer.json", "sentence_bert_config.json")
        return (
            kinds == _MODULES
            and all(config.get(key) == value for key, value in _CONFIG.items())
            and bool(pooling.get("pooling_mode_mean_tokens"))
            and all((folder / name).is_file() for name in files)
        )

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Embed sentences: float32 `(N, dimension)`, rows of length 1."""
        vectors = np.empty((len(sentences), self.dimension), np.float32)
        tokens = [self._cut(self.tokenize(sentence)) for sentence in sentences]
        for rows in _groups(tokens, self._max_tokens):
            vectors[rows] = self._embed([tokens[row] for row in rows])
        return vectors

    def _cut(self, tokens: list[int]) -> list[int]:
        if len(tokens) <= self.max_tokens:
            return tokens
        return [*tokens[: self.max_tokens - 1], tokens[-1]]

    def _embed(self, sentences: Sequence[list[int]]) -> NDArray[np.float32]:
        """Embed tokens in one call, padded to the longest sentence."""
        length = _padded(max(map(len, sentences)))
        ids = np.zeros((len(sentences), length), np.int64)
        bias = np.full((len(sentences), 1, 1, length), _MASKED, np.float32)
        for row, tokens in enumerate(sentences):
            ids[row, : len(tokens)] = tokens
            bias[row, ..., : len(tokens)] = 0
        # A position past the last one that is learnt is of padding alone.
        positions = np.minimum(np.arange(length), self._positions - 1)
        states = self._network([ids, positions, bias])[0]
        means = [states[row, : len(tokens)].mean(0) for row, tokens in enumerate(sentences)]
        return np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means])

    def _is_alike(self) -> bool:
        """Whether this CPU gives some sentences the same vectors alone and together."""
        alone = [self.encode([sentence])[0] for sentence in _SAMPLES]
        return np.array_equal(self.encode(_SAMPLES), alone)

    def tokenize(self, sentence: str) -> list[int]:
        """The ids of a sentence's tokens, not cut, with the special ones at both ends."""
        ids: list[int] = self._tokenizer.encode(sentence).ids
        return ids

    def is_unknown(self, sentence: str) -> bool:
        """Whether none of a sentence's tokens is in the vocabulary."""
        return all(token == self._unknown for token in self.tokenize(sentence)[1:-1])

    def weights(self) -> Iterator[tuple[str, tuple[int, ...], memoryview]]:
        """The sorted names, shapes and bytes of the weights, named as in sentence-transformers."""
        with safe_open(self._file, "np") as file:  # all at once would take 90 MB
            for key in sorted(file.keys()):
                if key != "embeddings.position_ids":  # a constant that older files carry
                    value = file.get_tensor(key)
                    yield f"0.model.{key}", value.shape, value.reshape(-1).view(np.uint8).data


def _groups(tokens: Sequence[list[int]], most: int) -> Iterator[list[int]]:
    """Yield rows of sentences of like length, up to so many tokens with their padding."""
    rows = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or (end - start + 1) * _padded(len(tokens[rows[end]])) > most:
            yield rows[start:end]
            start = end


def _padded(length: int) -> int:
    return -(-length // _PAD) * _PAD


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
