"""Writes a bundle's networks as ONNX files that take their weights from its safetensors files.

Such a file holds the graph and names the bytes of `generator.safetensors` (ONNX external data), so
that no weight is stored twice. A weight is read as float16 and cast to float32 in the graph.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import Tensor, nn

from models.runtime.bundle import Bundle
from models.runtime.bundle_files import (
    GENERATOR_ONNX,
    REFERENCE,
    SCORER_ONNX,
    SCORER_WEIGHTS,
    WEIGHTS,
    file_digest,
)
from models.runtime.engine import EngineError
from models.runtime.openvino_engine import GENERATOR_INPUTS, SCORER_INPUTS
from models.runtime.torch_engine import reference
from models.runtime.tracing import generator_example, scorer_example, traceable

OPSET = 17
"""The first opset with `LayerNormalization`."""


def write_onnx(folder: Path, bundle: Bundle) -> dict[str, str]:
    """Write a bundle's networks as ONNX beside their weights, and fills to check an engine with.

    Returns:
        The digest of each file that was written, by its name.

    Raises:
        EngineError: ONNX cannot express a network.
    """
    names = [GENERATOR_ONNX, REFERENCE]
    graph = export_graph(bundle.generator, generator_example(bundle), GENERATOR_INPUTS, "centre")
    save_graph(graph, folder / GENERATOR_ONNX, folder / WEIGHTS)
    if bundle.scorer is not None:
        names.append(SCORER_ONNX)
        graph = export_graph(bundle.scorer, scorer_example(bundle), SCORER_INPUTS, "score")
        save_graph(graph, folder / SCORER_ONNX, folder / SCORER_WEIGHTS)
    # safetensors writes the memory of an array whatever its strides.
    right = {name: np.ascontiguousarray(array) for name, array in reference(bundle).items()}
    save_file(right, folder / REFERENCE)
    (folder / REFERENCE).chmod(0o644)
    return {name: file_digest(folder / name) for name in names}


def export_graph(
    network: nn.Module, example: tuple[Tensor, ...], inputs: tuple[str, ...], output: str
) -> onnx.ModelProto:
    """Return a network in eval mode as ONNX for batches of one row, named as in `state_dict`.

    Raises:
        EngineError: ONNX cannot express it.
    """
    try:
        with traceable(), TemporaryDirectory() as folder:
            file = Path(folder) / "graph.onnx"
            # The exporter in the place of this one needs another package, renames the weights and
            # takes several times as long.
            torch.onnx.export(
                network,
                example,
                file,
                dynamo=False,
                opset_version=OPSET,
                do_constant_folding=False,
                training=torch.onnx.TrainingMode.PRESERVE,  # else it changes weights
                input_names=list(inputs),
                output_names=[output],
            )
            graph = onnx.load(file)
    except Exception as error:  # many kinds, of many lines
        first = str(error).strip().partition("\n")[0]
        name = type(network).__name__
        raise EngineError(f"ONNX cannot express {name}: {first}") from error
    for node in graph.graph.node:  # where in the source it comes from, with paths
        node.ClearField("doc_string")
    return graph


def save_graph(model: onnx.ModelProto, path: Path, weights: Path) -> None:
    """Write a graph whose weights are read from a safetensors file beside it."""
    places = tensor_places(weights)
    casts = []
    for weight in model.graph.initializer:
        content = numpy_helper.to_array(weight).astype(np.float16).tobytes()
        # By content, since older bundles have older names. A part of the network that is not in the
        # file, such as a constant, stays in the graph.
        if content in places:
            casts.append(_link(weight, weights.name, *places[content]))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tensor_places(weights: Path) -> dict[bytes, tuple[int, int]]:
    """Return content -> offset and length in bytes of each float16 tensor of a safetensors file."""
    data = weights.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:start])
    spans = [one["data_offsets"] for one in header.values() if one.get("dtype") == "F16"]
    return {data[start + a : start + b]: (start + a, b - a) for a, b in spans}


def _link(weight: TensorProto, file: str, offset: int, length: int) -> onnx.NodeProto:
    """Let a weight be read from a file, and return the node that casts it to float32."""
    name = weight.name
    weight.ClearField("raw_data")
    weight.ClearField("float_data")
    weight.name, weight.data_type = f"{name}.float16", TensorProto.FLOAT16
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": file, "offset": offset, "length": length}.items():
        weight.external_data.add(key=key, value=str(value))
    return helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT)
