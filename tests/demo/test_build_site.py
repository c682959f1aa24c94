"""The parts of the demo's build that need no npm."""

import re

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from docs.demo.build_site import PAGE, adapt_html
from docs.demo.onnx_networks import halve_weights
from docs.demo.quantised_encoder import look_up_first


@pytest.fixture(scope="module")
def html():
    return adapt_html((PAGE / "index.html").read_text(encoding="utf-8"))


def test_the_page_has_what_its_scripts_use(html):
    for script in PAGE.glob("*.js"):
        # What a script asks for with `?.` may be missing, as the service's detail is here.
        optional = {"detail"}
        for name in re.findall(r'\$\("([\w-]+)"\)', script.read_text(encoding="utf-8")):
            assert f'id="{name}"' in html or name in optional


def test_the_page_does_not_mention_the_service(html):
    assert "<!--" not in html and "curl" not in html and 'href="docs"' not in html
    assert "stays in this browser" in html


def test_the_page_connects_to_its_site_alone(html):
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert "default-src 'none'" in policy and "connect-src 'self';" in policy
    assert html.index("Security-Policy") < html.index("<script")


def make_model(nodes, weights, inputs, rank):
    made = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["a", "b", "c"][-rank:])
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", made, [out], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_weights_are_halved_without_loss():
    weights = {
        "exact": np.arange(6, dtype=np.float32).reshape(2, 3),
        "other": np.float32([[0.1, 0.2, 0.3]]),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "exact"], ["product"]),
        helper.make_node("Add", ["product", "other"], ["out"]),
    ]
    model = make_model(nodes, weights, [("x", TensorProto.FLOAT, [1, 2])], 2)
    x = {"x": np.float32([[0.5, 2]])}
    before = ReferenceEvaluator(model).run(None, x)[0]
    halve_weights(model)
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds == {"exact.half": TensorProto.FLOAT16, "other": TensorProto.FLOAT}
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, x)[0], before)


def test_embeddings_are_scaled_after_the_look_up():
    rng = np.random.default_rng(0)
    weights = {
        "levels": rng.integers(-127, 128, (50, 4), np.int8),
        "scale": rng.random((50, 1), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["levels"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["weights"]),
        helper.make_node("Gather", ["weights", "ids"], ["out"], axis=0),
    ]
    model = make_model(nodes, weights, [("ids", TensorProto.INT64, [1, 3])], 3)
    ids = {"ids": np.int64([[3, 49, 3]])}
    before = ReferenceEvaluator(model).run(None, ids)[0]
    look_up_first(model)
    assert [node.op_type for node in model.graph.node] == ["Gather", "Cast", "Gather", "Mul"]
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, ids)[0], before)
