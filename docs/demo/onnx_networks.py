"""The networks of a bundle as ONNX with weights in half precision, for one image at a time."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.geometry import HOLE, SIZE
from models.runtime.bundle import Bundle

OPSET = 18


def export_networks(bundle: Bundle) -> dict[str, bytes]:
    """Export a bundle's `generator`, and its `scorer` if there is one.

    The generator's inputs are `context`, `mask`, `caption` and `noise`, as
    `models.runtime.sampling.generator_inputs` returns them; the scorer's are `centre` and
    `caption`.
    """
    caption = torch.zeros(1, bundle.config.caption_dim)
    inputs = {
        "context": torch.zeros(1, 3, SIZE, SIZE),
        "mask": torch.zeros(1, 1, SIZE, SIZE),
        "caption": caption,
        "noise": torch.zeros(1, bundle.config.noise_dim),
    }
    networks = {"generator": _export(bundle.generator, inputs)}
    if bundle.scorer is not None:
        centre = torch.zeros(1, 3, HOLE, HOLE)
        networks["scorer"] = _export(bundle.scorer, {"centre": centre, "caption": caption})
    return {name: model.SerializeToString() for name, model in networks.items()}


def _export(network: nn.Module, inputs: Mapping[str, Tensor]) -> ModelProto:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that are traced as constants, as wanted
        # By tracing: the newer exporter needs onnxscript. Batch norms stay as they are: merged into
        # convolutions, the weights would be no halves any more.
        place = Path(folder) / "network.onnx"
        torch.onnx.export(
            network, tuple(inputs.values()), place, input_names=list(inputs), opset_version=OPSET,
            dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
        model = onnx.load(place)
    halve_weights(model)
    return model


def halve_weights(model: ModelProto) -> None:
    """Store weights as float16 and cast them where they are used; the numbers stay the same.

    A tensor that float16 does not hold exactly stays as it is.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if not np.array_equal(half, values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
