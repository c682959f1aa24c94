"""The flagship's objective: what the generator is told, and in what proportion."""

import pytest
import torch

from models.discriminators import DISCRIMINATORS
from models.frozen.caption_scorer import CAPTION_DIM, load_caption_scorer
from models.generators import GENERATORS
from models.geometry import hole_mask, paste
from training.losses.frozen import caption_loss, contrastive_loss, mismatched_captions
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.flagship import Flagship, FlagshipSettings
from training.losses.objectives.flagship_terms import GradientBalancer, posterior_loss

ROWS, DIM = 4, CAPTION_DIM


@pytest.fixture(scope="module")
def discriminator():
    torch.manual_seed(0)
    settings = {"caption_dim": DIM, "width": 4, "patch_width": 4, "caption_head": True}
    return DISCRIMINATORS["projected"](settings)


def captions(rows=ROWS, dim=DIM, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    )


def scenes(draws):
    """Real pictures and composites of the first draws, each `(N, 3, 36, 36)` or fewer rows."""
    mask, caption = hole_mask(ROWS), captions()
    images = torch.rand(ROWS, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    composite = paste(images, mask, draws[0][..., 2:-2, 2:-2])
    return DiscriminatorInput(images, mask, caption), DiscriminatorInput(
        composite, mask, caption, draws
    )


def pixel_loss(real, samples, diversity=1.0):
    return posterior_loss(real.images, real.mask, samples, diversity)


def noise(seed=2):
    """Two draws of each hole, with their graph."""
    rng = torch.Generator().manual_seed(seed)
    draws = torch.randn(2, ROWS, 3, 36, 36, generator=rng) * 0.5
    return tuple(draw.requires_grad_(True) for draw in draws)


def generator_terms(objective, discriminator, draws):
    real, fake = objective.prepare(discriminator, *scenes(draws))
    return objective.generator_terms(discriminator, real, fake)


def test_warmup_uses_pixels_alone_and_then_all_terms(discriminator):
    objective = Flagship(FlagshipSettings(warmup=1))
    draws = noise()
    assert generator_terms(objective, discriminator, draws).keys() == {"pixels"}
    objective.after_step({})
    terms = generator_terms(objective, discriminator, draws)
    assert terms.keys() == {"pixels", "adversarial", "features", "caption"}
    assert all(term.shape == (ROWS,) for term in terms.values())


def test_each_term_has_its_share_of_output_gradient(discriminator):
    settings = FlagshipSettings(warmup=0, adversarial=1.0, features=0.5, caption=0.25)
    objective, draws = Flagship(settings), noise()
    terms = generator_terms(objective, discriminator, draws)
    slopes = {
        name: torch.autograd.grad(term.mean(), draws[0], retain_graph=True)[0].norm()
        for name, term in terms.items()
    }
    shares = [float(slopes[name] / slopes["pixels"]) for name in ("adversarial", "features")]
    assert shares == pytest.approx([1.0, 0.5], rel=1e-3)
    assert float(slopes["caption"] / slopes["pixels"]) == pytest.approx(0.25, rel=1e-3)


def test_spread_around_the_right_mean_beats_equal_draws():
    real = scenes(noise())[0]
    truth, apart = real.images[..., 14:50, 14:50], noise(3)[0] * real.mask[..., 14:50, 14:50]
    differing = pixel_loss(real, (truth + apart, truth - apart))
    assert (differing < pixel_loss(real, (truth, truth))).all()
    assert (differing < pixel_loss(real, (truth + apart, truth + apart))).all()


def test_resampled_holes_take_the_whole_pixel_loss():
    first, second = noise()
    real = scenes([first])[0]
    all_twice, half = (pixel_loss(real, (first, second[:rows])) for rows in (ROWS, ROWS // 2))
    assert (half[ROWS // 2 :] == 0).all()
    assert torch.allclose(half[: ROWS // 2], 2 * all_twice[: ROWS // 2])


def test_pixel_loss_reads_the_margin():
    first, _ = noise()
    real = scenes([first])[0]
    moved = first.detach().clone()
    moved[..., :2, :] += 0.5
    assert not torch.allclose(pixel_loss(real, (first,)), pixel_loss(real, (moved,)))


def test_zero_noise_fill_is_pulled_to_mean_only(discriminator):
    objective = Flagship(FlagshipSettings(warmup=1, mean=2.0, mean_after=1))
    for _ in range(2):
        assert not objective.zero_noise_fills
        objective.after_step({})
    assert objective.zero_noise_fills
    still = (torch.rand(ROWS // 2, 3, 36, 36) - 0.5).requires_grad_(True)
    real, fake = objective.prepare(discriminator, *scenes(noise()))
    terms = objective.generator_terms(discriminator, real, fake._replace(zero_noise_fills=still))
    assert terms["mean"].shape == (ROWS,)
    assert (terms["mean"][ROWS // 2 :] == 0).all()
    sum(term.mean() for term in terms.values()).backward()
    towards = still.detach() - real.images[: ROWS // 2, :, 14:50, 14:50]
    assert torch.allclose(still.grad, 2.0 * 2 * towards / towards.numel(), atol=1e-9)


def test_generator_is_frozen_during_the_discriminator_warmup(discriminator):
    objective = Flagship(FlagshipSettings(warmup=0, discriminator_warmup=1))
    assert objective.num_samples == 1
    real, fake = objective.prepare(discriminator, *scenes(noise()[:1]))
    assert objective.discriminator_terms(discriminator, real, fake).keys() > {"real", "fake"}
    assert objective.generator_terms(discriminator, real, fake) == {}
    objective.after_step({})
    assert objective.num_samples == 2
    assert generator_terms(objective, discriminator, noise()).keys() > {"pixels"}


def test_hole_caption_loss_stops_at_the_real_score(discriminator):
    objective = Flagship(FlagshipSettings(warmup=0, hole=0.5, noise=0.0))
    assert "hole" in generator_terms(objective, discriminator, noise())
    real, _ = scenes(noise())
    margins = real.images[..., 14:50, 14:50]
    assert objective.hole_caption_loss(*scenes((margins, margins))).max() < 1e-5
    assert max(objective.hole_caption_loss(*scenes(noise(seed))).max() for seed in range(4)) > 0


class Undecided:
    """Gives everything one and the same score."""

    def __init__(self):
        self.score = torch.zeros(ROWS, 1, requires_grad=True)

    def scores(self, looked, *captions):
        return tuple([self.score] for _ in captions)


@pytest.mark.parametrize("mismatch", [0.0, 0.5, 1.0])
def test_uncertain_discriminator_pulls_to_neither_side(mismatch):
    objective, undecided = Flagship(FlagshipSettings(warmup=0, mismatch=mismatch)), Undecided()
    terms = objective.discriminator_terms(undecided, *scenes(noise()))
    sum(term.sum() for term in terms.values()).backward()
    assert torch.allclose(undecided.score.grad, torch.zeros(ROWS, 1), atol=1e-6)


def test_wrong_caption_is_neither_empty_nor_near():
    caption = captions(6, 8)
    caption[1] = caption[0]  # another picture of the same class
    caption[2] = 0  # dropped
    for seed in range(5):
        torch.manual_seed(seed)
        wrong, exists = mismatched_captions(caption)
        assert exists.all()
        assert (wrong.norm(dim=1) > 0.99).all()
        assert ((wrong * caption).sum(1) < 0.75).all()


def test_contrast_is_least_for_own_caption_else_zero():
    caption = captions(5)
    caption[4] = 0
    codes = torch.eye(5)
    right, wrong = (
        contrastive_loss(codes, codes, caption),
        contrastive_loss(codes.roll(1, 0), codes, caption),
    )
    assert (right[:4] < wrong[:4]).all()
    assert right[4] == wrong[4] == 0


def test_gradient_balancer_state_survives_a_resume(discriminator):
    objective = Flagship(FlagshipSettings(warmup=0))
    generator_terms(objective, discriminator, noise())
    objective.after_step({})
    other = Flagship(FlagshipSettings(warmup=0))
    other.load_state_dict(objective.state_dict())
    assert other.state_dict() == objective.state_dict()
    assert other.balancer.norms.keys() == {"pixels", "adversarial", "features", "caption"}


def swapped(real, fake):
    """The same, but that the first fill was asked for with the second picture's caption."""
    asked = fake.caption.clone()
    asked[0] = real.caption[1]
    return real, fake._replace(caption=asked)


def test_fill_for_other_caption_need_not_match_picture(discriminator):
    objective = Flagship(FlagshipSettings(warmup=0, mismatched_caption_prob=1.0))
    draws = noise()
    real, fake = objective.prepare(discriminator, *swapped(*scenes(draws)))
    terms = objective.generator_terms(discriminator, real, fake)
    for name in ("pixels", "features"):
        assert terms[name][0] == 0
        assert (terms[name][1:] != 0).all()
    assert (terms["caption"] >= 0).all()


def test_captions_are_drawn_only_after_the_warmup():
    caption = captions(64)
    assert torch.equal(
        Flagship(FlagshipSettings(warmup=1, mismatched_caption_prob=1.0)).condition(caption),
        caption,
    )
    torch.manual_seed(0)
    asked = Flagship(FlagshipSettings(warmup=0, mismatched_caption_prob=0.25)).condition(caption)
    other = (asked != caption).any(1)
    assert 6 <= other.sum() <= 26
    assert all((row == caption).all(1).any() for row in asked[other])


def test_fill_as_good_as_the_real_costs_nothing(discriminator):
    objective = Flagship(FlagshipSettings(warmup=0, noise=0.0))
    real, _ = objective.prepare(discriminator, *scenes(noise()))
    scorer, code, caption = load_caption_scorer("cpu"), real.features.code, real.caption
    assert caption_loss(scorer, code, code, caption, caption).max() < 1e-5
    assert caption_loss(scorer, code, -code, caption, caption).max() > 0


def test_nearly_satisfied_term_pushes_less():
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    balancer = GradientBalancer("pixels", {"caption": 2.0, "features": 2.0}, frozenset({"caption"}))
    for step, left in ((0, 1.0), *((25 * n, 0.01) for n in range(1, 100))):
        values = output.flatten(1).mean(1)
        terms = {"pixels": values, "caption": left * values, "features": left * values}
        weighed = balancer.weight(terms, output, step)
    pulls = {
        name: torch.autograd.grad(term.mean(), output, retain_graph=True)[0].norm()
        for name, term in weighed.items()
    }
    assert float(pulls["features"] / pulls["pixels"]) == pytest.approx(2.0, rel=0.02)
    assert float(pulls["caption"] / pulls["pixels"]) == pytest.approx(0.02, rel=0.02)


def test_caption_loss_needs_a_conditional_discriminator():
    plain = DISCRIMINATORS["projected"]({"width": 4, "patch_width": 4})
    with pytest.raises(ValueError, match="caption_head"):
        Flagship(FlagshipSettings()).check(GENERATORS["unet"]({}), plain)
