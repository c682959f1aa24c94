"""The flagship's objective: what the generator is told, and in what proportion."""

import pytest
import torch

from models.discriminators import DISCRIMINATORS
from models.geometry import hole_mask, paste
from training.errors import RecipeError
from training.objectives.base import Scene
from training.objectives.steered import Steered, SteeredSettings, other_captions
from training.steering import CAPTION_DIM, contrast

ROWS, DIM = 4, CAPTION_DIM


@pytest.fixture(scope="module")
def discriminator():
    torch.manual_seed(0)
    settings = {"caption_dim": DIM, "width": 4, "patch_width": 4, "resolution": 48}
    return DISCRIMINATORS["projected"](settings)


def captions(rows=ROWS, dim=DIM, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    )


def scenes(draws):
    """Real pictures and composites of the given draws, `(2, N, 3, 36, 36)`."""
    mask, caption = hole_mask(ROWS), captions()
    images = torch.rand(ROWS, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    composite = paste(images, mask, draws[0, ..., 2:-2, 2:-2])
    return Scene(images, mask, caption), Scene(composite, mask, caption, draws)


def noise(seed=2):
    return torch.randn(2, ROWS, 3, 36, 36, generator=torch.Generator().manual_seed(seed)) * 0.5


def judged(objective, discriminator, draws):
    real, fake = objective.prepare(discriminator, *scenes(draws))
    return objective.generator_terms(discriminator, real, fake)


def test_the_warm_up_knows_pixels_alone_and_then_everybody_is_heard(discriminator):
    objective = Steered(SteeredSettings(warmup=1))
    draws = noise().requires_grad_(True)
    assert judged(objective, discriminator, draws).keys() == {"pixels"}
    objective.after_step({})
    terms = judged(objective, discriminator, draws)
    assert terms.keys() == {"pixels", "adversarial", "features", "caption"}
    assert all(term.shape == (ROWS,) for term in terms.values())


def test_each_term_has_its_share_of_the_gradient_at_the_output(discriminator):
    settings = SteeredSettings(warmup=0, adversarial=1.0, features=0.5, caption=0.25)
    objective, draws = Steered(settings), noise().requires_grad_(True)
    terms = judged(objective, discriminator, draws)
    slopes = {
        name: torch.autograd.grad(term.mean(), draws, retain_graph=True)[0][0].norm()
        for name, term in terms.items()
    }
    shares = [float(slopes[name] / slopes["pixels"]) for name in ("adversarial", "features")]
    assert shares == pytest.approx([1.0, 0.5], rel=1e-3)
    assert float(slopes["caption"] / slopes["pixels"]) == pytest.approx(0.25, rel=1e-3)


def test_draws_that_differ_around_the_right_mean_are_better_than_equal_ones():
    objective = Steered(SteeredSettings(spread=1.0, warmup=0))
    real = scenes(noise())[0]
    truth, apart = real.images[..., 14:50, 14:50], noise(3)[0] * real.mask[..., 14:50, 14:50]
    differing = objective.pixels(real, torch.stack([truth + apart, truth - apart]))
    assert (differing < objective.pixels(real, torch.stack([truth, truth]))).all()
    assert (differing < objective.pixels(real, torch.stack([truth + apart, truth + apart]))).all()


def test_a_wrong_caption_is_neither_empty_nor_a_near_one():
    caption = captions(6, 8)
    caption[1] = caption[0]  # another picture of the same class
    caption[2] = 0  # dropped
    for seed in range(5):
        torch.manual_seed(seed)
        wrong, exists = other_captions(caption)
        assert exists.all()
        assert (wrong.norm(dim=1) > 0.99).all()
        assert ((wrong * caption).sum(1) < 0.75).all()


def test_contrast_is_least_for_the_own_caption_and_nothing_without_one():
    caption = captions(5)
    caption[4] = 0
    codes = torch.eye(5)
    right, wrong = contrast(codes, codes, caption), contrast(codes.roll(1, 0), codes, caption)
    assert (right[:4] < wrong[:4]).all()
    assert right[4] == wrong[4] == 0


def test_what_it_has_learnt_of_the_gradients_survives_a_resume(discriminator):
    objective = Steered(SteeredSettings(warmup=0))
    judged(objective, discriminator, noise().requires_grad_(True))
    objective.after_step({})
    other = Steered(SteeredSettings(warmup=0))
    other.load_state_dict(objective.state_dict())
    assert other.state_dict() == objective.state_dict()
    assert other.shares.lengths.keys() == {"pixels", "adversarial", "features", "caption"}


def test_captions_of_another_length_are_refused_in_one_line(discriminator):
    objective, draws = Steered(SteeredSettings(warmup=0)), noise().requires_grad_(True)
    real, fake = objective.prepare(discriminator, *scenes(draws))
    short = torch.zeros(ROWS, 8)
    with pytest.raises(RecipeError, match="have 8: set it to 0"):
        objective.judged(
            DISCRIMINATORS["projected"]({"caption_dim": 8, "width": 4, "patch_width": 4}),
            real,
            fake._replace(caption=short),
        )
