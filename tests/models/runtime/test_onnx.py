"""Bundles carry their networks as ONNX, which share the weights and fill without torch."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from models.generators import GENERATORS
from models.runtime.bundle import Bundle, load_bundle
from models.runtime.bundle_files import DEFAULT_BUNDLE, BundleError, read_bundle, read_config
from models.runtime.bundle_writer import add_onnx, write_bundle
from models.runtime.engine import EngineError
from models.runtime.engines import load_engine, open_engine
from models.runtime.openvino_engine import GENERATOR_INPUTS
from models.runtime.sampling import example_inputs
from models.runtime.torch_engine import TorchEngine
from tests.models.runtime.test_engines import apart, bundle, inputs


def write(folder, made: Bundle, **options):
    folder.mkdir()
    config = replace(made.config, settings={"caption_dim": 12, **made.config.settings})
    return write_bundle(folder, made.generator, config, "# card", **options)


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "unet"
    write(folder, bundle("unet"))
    return folder


def run_onnx(path, names, arrays):
    """Compute a network by ONNX Runtime, a row at a time."""
    session = onnxruntime.InferenceSession(path)
    wanted = [one.name for one in session.get_inputs()]
    given = dict(zip(names, arrays, strict=True))
    rows = range(len(arrays[0]))
    return np.concatenate(
        [session.run(None, {name: given[name][i : i + 1] for name in wanted})[0] for i in rows]
    )


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_every_generator_fills_from_onnx_as_torch(kind, tmp_path):
    write(tmp_path / kind, bundle(kind))
    engine = open_engine(tmp_path / kind, kind="openvino-f32")
    torch_engine = TorchEngine(load_bundle(tmp_path / kind))
    assert apart(engine.fill(*inputs(2)), torch_engine.fill(*inputs(2))).max() <= 1
    _, example = example_inputs(12, torch_engine.bundle.config.noise_dim)
    fills = run_onnx(tmp_path / kind / "generator.onnx", GENERATOR_INPUTS, example)
    assert np.abs(fills - torch_engine.generate(*example)).max() < 1e-4


@pytest.mark.parametrize("kind", ["openvino", "openvino-f32"])
def test_onnx_and_a_trace_give_the_same_bits(kind, unet):
    traced = load_engine(load_bundle(unet), kind)
    assert np.array_equal(open_engine(unet, kind=kind).fill(*inputs(4)), traced.fill(*inputs(4)))


def test_the_default_bundle_runs_in_onnx_runtime():
    engine = open_engine(DEFAULT_BUNDLE, kind="openvino-f32")
    config = engine.bundle.config
    pixels, example = example_inputs(config.caption_dim, config.noise_dim)
    fills = run_onnx(DEFAULT_BUNDLE / "generator.onnx", GENERATOR_INPUTS, example)
    assert np.abs(fills - engine.generate(*example)).max() < 1e-4
    centres = pixels[:, :, 16:48, 16:48] / np.float32(127.5) - np.float32(1)
    scores = run_onnx(DEFAULT_BUNDLE / "scorer.onnx", ("centre", "caption"), (centres, example[2]))
    assert np.abs(scores - engine.score(pixels, example[2])).max() < 1e-5


def test_no_weight_is_stored_twice():
    weights = sum(one.stat().st_size for one in DEFAULT_BUNDLE.glob("*.safetensors"))
    graphs = sum(one.stat().st_size for one in DEFAULT_BUNDLE.glob("*.onnx"))
    assert graphs < weights / 8
    graph = onnx.load(DEFAULT_BUNDLE / "generator.onnx", load_external_data=False).graph
    assert {one.data_location for one in graph.initializer} == {onnx.TensorProto.EXTERNAL}
    assert not any(node.doc_string for node in graph.node)


@pytest.mark.parametrize("name", ["generator.onnx", "reference.safetensors"])
def test_the_digest_covers_the_onnx_files(unet, tmp_path, name):
    shutil.copytree(unet, tmp_path / "copy")
    place = tmp_path / "copy" / name
    place.write_bytes(place.read_bytes() + b"x")
    with pytest.raises(BundleError, match=f"{name} does not fit its digest"):
        open_engine(tmp_path / "copy")
    place.unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        open_engine(tmp_path / "copy")


def test_adding_onnx_changes_the_digest_alone(unet, tmp_path):
    before = write(tmp_path / "old", load_bundle(unet), onnx=False)
    fills = open_engine(tmp_path / "old").fill(*inputs(2))
    after = add_onnx(tmp_path / "old")
    files = read_bundle(tmp_path / "old")
    assert (files.digest, files.weights_digest, files.has_onnx) == (after, before, True)
    assert after != before and read_bundle(unet).weights_digest == before
    assert np.array_equal(open_engine(tmp_path / "old").fill(*inputs(2)), fills)
    assert add_onnx(tmp_path / "old") == after
    assert (tmp_path / "old/README.md").read_text() == "# card"


def test_a_bundle_that_computes_otherwise_is_not_written(tmp_path, monkeypatch):
    def other(made):
        return {"fills": np.ones((2, 3, 32, 32), np.float32)}

    monkeypatch.setattr("models.runtime.onnx_export.reference", other)
    with pytest.raises(EngineError, match="levels from torch"):
        write(tmp_path / "bundle", bundle("unet"))


def test_a_bundle_of_links_fills_without_torch(unet, tmp_path, no_torch):
    (tmp_path / "snapshot").mkdir()
    for number, place in enumerate(unet.iterdir()):  # as the Hub's cache has files
        shutil.copy(place, tmp_path / str(number))
        (tmp_path / "snapshot" / place.name).symlink_to(f"../{number}")
    linked = open_engine(tmp_path / "snapshot")
    assert np.array_equal(linked.fill(*inputs(2)), open_engine(unet).fill(*inputs(2)))


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setattr("models.runtime.engines._has_torch", lambda: False)


def test_an_older_bundle_without_torch_says_so(tmp_path, no_torch):
    write(tmp_path / "old", bundle("unet"), onnx=False)
    with pytest.raises(BundleError, match=r"no ONNX.*pip install 'captionfill\[gpu\]'"):
        open_engine(tmp_path / "old")


@pytest.mark.parametrize(
    ("device", "kind", "message"),
    [("cuda", "auto", "device cuda needs torch"), ("cpu", "torch", "engine 'torch' needs torch")],
)
def test_torch_that_is_wanted_and_missing_is_named(unet, no_torch, device, kind, message):
    with pytest.raises((BundleError, EngineError), match=message):
        open_engine(unet, device, kind)


def test_a_config_of_a_later_version_is_refused(unet, tmp_path):
    shutil.copytree(unet, tmp_path / "copy")
    record = read_config(unet)
    record["format"] = 2
    (tmp_path / "copy/config.json").write_text(json.dumps(record))
    with pytest.raises(BundleError, match="not of format 1"):
        read_bundle(tmp_path / "copy")
