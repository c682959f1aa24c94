"""BERT as an OpenVINO graph (Devlin et al. 2019)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.openvino_import import import_openvino


def build_graph(config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> Any:
    """Build BERT's graph for any number of sentences of any length, an `openvino.Model`.

    Inputs are `ids` of the tokens `(N, L)`, `positions` `(L,)`, and `bias` `(N, 1, 1, L)`, added to
    the scores of attention: 0 for a token, a large negative number for padding. The output is a
    vector for each token, `(N, L, hidden_size)`.
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
        shape = [0, 0, heads, config["hidden_size"] // heads]
        query, key, value = (
            ops.transpose(ops.reshape(linear(x, f"{name}.self.{part}"), shape, True), [0, 2, 1, 3])
            for part in ("query", "key", "value")
        )
        mixed = ops.scaled_dot_product_attention(query, key, value, bias)
        merged = ops.transpose(mixed, [0, 2, 1, 3])
        return linear(
            ops.reshape(merged, [0, 0, config["hidden_size"]], True), f"{name}.output.dense"
        )

    ids = ops.parameter([-1, -1], np.int64, "ids")
    positions = ops.parameter([-1], np.int64, "positions")
    bias = ops.parameter([-1, 1, 1, -1], np.float32, "bias")
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
    return openvino.Model([x], [ids, positions, bias], "sentence_bert")
