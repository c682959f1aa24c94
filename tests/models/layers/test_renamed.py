"""Weights that were saved under old names of submodules."""

import torch

from models.discriminators import DISCRIMINATORS


def test_old_parameter_names_load():
    settings = {"width": 4, "patch_width": 4, "caption_head": True}
    saved, loaded = (DISCRIMINATORS["projected"](settings) for _ in range(2))
    old = {k.replace("caption_head.", "meaning."): v for k, v in saved.state_dict().items()}
    loaded.load_state_dict(old)
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in saved.state_dict().items())
