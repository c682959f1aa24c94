"""Arrays are converted, hidden and pasted as tensors are."""

import numpy as np
import torch

from models import geometry, pixels


def test_levels_become_the_same_floats():
    levels = np.arange(256, dtype=np.uint8)
    ours, theirs = pixels.to_float(levels), geometry.to_float(torch.from_numpy(levels))
    assert ours.tobytes() == theirs.numpy().tobytes()


def test_floats_become_the_same_levels():
    floats = np.append(np.linspace(-1.2, 1.2, 100_000), [np.inf, -np.inf]).astype(np.float32)
    ours, theirs = pixels.to_uint8(floats), geometry.to_uint8(torch.from_numpy(floats))
    assert np.array_equal(ours, theirs.numpy())
    assert pixels.to_uint8(np.array([np.nan], np.float32)) == 0


def test_context_and_composite_are_the_same():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 3, 64, 64), np.uint8)
    fills = random.integers(0, 256, (2, 3, 32, 32), np.uint8)
    tensors, mask = torch.from_numpy(images), geometry.hole_mask()
    context = geometry.hide(geometry.to_float(tensors), mask)
    assert np.array_equal(pixels.to_context(images), context.numpy())
    assert np.array_equal(pixels.hole_mask(), mask.numpy())
    assert np.array_equal(pixels.cut_centre(images), geometry.centre(tensors).numpy())
    composite = geometry.paste(tensors, mask, torch.from_numpy(fills))
    assert np.array_equal(pixels.paste_centre(images, fills), composite.numpy())
