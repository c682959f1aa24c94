"""One bundle at several guidances and temperatures."""

import json

import pytest
import torch
from PIL import Image

from models.generators import GENERATORS
from models.runtime.bundle_files import BundleConfig
from tests.helpers.bundles import save_bundle
from tests.training.experiments.conftest import write_coloured
from training.common.errors import RunError
from training.experiments.sweeps.guidance_sweep import frontier

UNET = {"caption_dim": 3, "caption_code": 4, "latent": 4, "style": 8, "width": 8}
PLAIN = {"caption_dim": 3, "width": 8, "decoder_width": 8, "caption_code": 4, "noise_dim": 4}


def write_bundle(folder, kind, settings):
    torch.manual_seed(0)
    generator = GENERATORS[kind](settings)
    if kind == "unet":
        torch.nn.init.normal_(generator.to_rgb.weight, 0.0, 0.1)  # else all fills are flat
    noise_dim = generator.settings.noise_dim
    config = BundleConfig("small", kind, settings, "made up", "sha256:test", 3, noise_dim, {})
    save_bundle(folder, generator, config, "# small")
    return folder


@pytest.mark.slow
def test_every_pair_is_measured_and_noise_spreads_draws(tmp_path):
    found = write_coloured(tmp_path / "told", lambda captions: torch.ones(len(captions), 3))
    bundle = write_bundle(tmp_path / "bundle", "unet", UNET)
    out = tmp_path / "frontier.json"
    frontier(bundle, [found], [1.0, 2.0], [0.0, 1.0], out, count=4)
    points = json.loads(out.read_text())["results"]["points"]
    asked = [(point["temperature"], point["guidance"]) for point in points]
    assert asked == [(0.0, 1.0), (0.0, 2.0), (1.0, 1.0), (1.0, 2.0)]
    diversity = [point["figures"]["diversity"]["folder, dev"][0] for point in points]
    assert diversity[0] == 0 < diversity[2]
    psnr = [point["figures"]["psnr_draw"]["folder, dev"][0] for point in points]
    assert psnr[0] != psnr[1]
    assert Image.open(out.with_suffix(".png")).width > 1000


def test_generator_without_guidance_and_temperature_is_an_error(coloured, tmp_path):
    bundle = write_bundle(tmp_path / "bundle", "inpaint", PLAIN)
    with pytest.raises(RunError, match="'inpaint' has no guidance or temperature"):
        frontier(bundle, [coloured], out=tmp_path / "frontier.json", count=4)
