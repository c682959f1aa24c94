"""A BERT sentence encoder compiled by OpenVINO, without torch (Devlin et al. 2019).

Reads the folder of a sentence-transformers model: BERT, mean pooling, vectors of length 1
(Reimers and Gurevych 2019).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from models.openvino_import import import_openvino, openvino_core

# What this graph computes; a model with other values of these goes to sentence-transformers.
_CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
}
_MODULES = ["Transformer", "Pooling", "Normalize"]


class SentenceBert:
    """Sentences to vectors on a CPU, one sentence at a time in float32.

    A vector depends on its sentence alone: the same bits alone or in any list.

    Attributes:
        dimension: length of a vector.
        max_tokens: a sentence is cut to as many tokens, the two special ones included.
    """

    def __init__(self, folder: Path) -> None:
        """Load the weights and compile the network. Check `is_supported` first."""
        config = read_json(folder / "config.json")
        self.dimension = int(config["hidden_size"])
        self.max_tokens = int(read_json(folder / "sentence_bert_config.json")["max_seq_length"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._file = folder / "model.safetensors"
        graph = build_graph(config, load_file(self._file))
        self._network = openvino_core().compile_model(graph, "CPU", settings)

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
        for row, sentence in enumerate(sentences):
            tokens = self.tokenize(sentence)
            if len(tokens) > self.max_tokens:
                tokens = [*tokens[: self.max_tokens - 1], tokens[-1]]
            inputs = np.array([tokens]), np.arange(len(tokens))
            vectors[row] = self._network(inputs)[0][0]
        return vectors

    def tokenize(self, sentence: str) -> list[int]:
        """The ids of a sentence's tokens, not cut, with the special ones at both ends."""
        ids: list[int] = self._tokenizer.encode(sentence).ids
        return ids

    def is_unknown(self, sentence: str) -> bool:
        """Whether none of a sentence's tokens is in the vocabulary."""
        return all(token == self._unknown for token in self.tokenize(sentence)[1:-1])

    def weights(self) -> Iterator[tuple[str, tuple[int, ...], memoryview]]:
        """The names, shapes and bytes of the weights, as sentence-transformers names them."""
        for key, value in load_file(self._file).items():
            if key != "embeddings.position_ids":  # a constant that older files carry
                yield f"0.model.{key}", value.shape, value.reshape(-1).view(np.uint8).data


def build_graph(config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> Any:
    """Build BERT's graph for one sentence of any length, an `openvino.Model`.

    Inputs are the tokens' ids `(1, L)` and their positions `(L,)`; the output is `(1, dimension)`.
    """
    openvino = import_openvino()
    ops = openvino.opset13

    def constant(name: str) -> Any:
        return ops.constant(weights[name])

    def linear(x: Any, name: str) -> Any:
        product = ops.matmul(x, constant(f"{name}.weight"), False, True)
        return ops.add(product, constant(f"{name}.bias"))

    def norm(x: Any, name: str) -> Any:
        scaled = ops.mvn(x, [-1], True, float(config["layer_norm_eps"]), "inside_sqrt")
        return ops.add(ops.multiply(scaled, constant(f"{name}.weight")), constant(f"{name}.bias"))

    def attention(x: Any, name: str) -> Any:
        heads = int(config["num_attention_heads"])
        shape = [1, -1, heads, config["hidden_size"] // heads]
        query, key, value = (
            ops.transpose(ops.reshape(linear(x, f"{name}.self.{part}"), shape, False), [0, 2, 1, 3])
            for part in ("query", "key", "value")
        )
        mixed = ops.transpose(ops.scaled_dot_product_attention(query, key, value), [0, 2, 1, 3])
        merged = ops.reshape(mixed, [1, -1, config["hidden_size"]], False)
        return linear(merged, f"{name}.output.dense")

    ids = ops.parameter([1, -1], np.int64, "ids")
    positions = ops.parameter([-1], np.int64, "positions")
    embedded = [
        ops.gather(constant("embeddings.word_embeddings.weight"), ids, 0),
        ops.gather(constant("embeddings.position_embeddings.weight"), positions, 0),
        ops.gather(constant("embeddings.token_type_embeddings.weight"), 0, 0),
    ]
    x = norm(ops.add(ops.add(embedded[0], embedded[1]), embedded[2]), "embeddings.LayerNorm")
    for index in range(int(config["num_hidden_layers"])):
        layer = f"encoder.layer.{index}"
        attended = ops.add(x, attention(x, f"{layer}.attention"))
        x = norm(attended, f"{layer}.attention.output.LayerNorm")
        hidden = ops.gelu(linear(x, f"{layer}.intermediate.dense"), "erf")
        x = norm(ops.add(x, linear(hidden, f"{layer}.output.dense")), f"{layer}.output.LayerNorm")
    pooled = ops.reduce_mean(x, [1], False)
    vector = ops.normalize_l2(pooled, [1], 1e-12, "max")
    return openvino.Model([vector], [ids, positions], "sentence_bert")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
