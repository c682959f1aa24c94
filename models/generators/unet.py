"""The flagship's generator: a U-Net that reads the caption and noise at every level."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad

from models.geometry import HOLE
from models.layers.blocks import check_choice, init_kaiming
from models.layers.boundary_correction import BoundaryCorrection
from models.layers.output_activation import Clip

SLOPE = 0.2
UPSAMPLE_MODES = ("nearest", "bilinear")
MARGIN = 2  # visible pixels around the hole that are predicted too, for the seam's sake
OUTPUT_SIZE = (
    40  # side of the finest level: the hole, its margin, and what convolutions blur at an edge
)
# How much each level of the decoder leaves out on every side of what the encoder saw there: it
# makes the middle alone once that covers the hole and its margin. Such levels have noise of their
# own, for each place of so long a side.
CROPS = (0, 3, 6, 12)
NOISE_SIZES = (10, 20, OUTPUT_SIZE)


@dataclass(frozen=True)
class UnetSettings:
    """Sizes; every other one follows from them.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: channels the caption is turned into.
        latent: numbers of the noise that speak to every level at once.
        style: length of the vector that modulates every level.
        width: channels of the encoder's first level, and of the decoder's last; 8, or a multiple
            of 16.
        upsample: how the decoder's levels rise: `bilinear` blurs what it spreads (Karras et al.
            2019, "A style-based generator architecture", §2), `nearest` repeats it, which leaves
            blocks of 2 and 4 pixels to be seen in skies and snow. It changes no weight.
        membrane: whether what a fill misses of the pixels that touch the hole is carried into it
            (`models.layers.boundary_correction`), so that smooth surroundings go on without a step.
            Nor does it.
        guidance: how far past its caption a fill goes, away from the one without: 1 as trained.
            It changes no weight, and `forward` alone heeds it.
        temperature: standard deviation of the noise a fill is made of: 1 as trained, less for
            fills nearer to their mean and to each other (Kingma & Dhariwal 2018, "Glow", §6.3).
            As with guidance, no weight is another for it.
    """

    caption_dim: int = 384
    caption_code: int = 128
    latent: int = 64
    style: int = 256
    width: int = 32
    upsample: str = "nearest"  # as bundles have it that say nothing
    membrane: bool = False  # as they do, too
    guidance: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_choice("upsample", self.upsample, UPSAMPLE_MODES)

    @property
    def noise_dim(self) -> int:
        """Length of the noise: the latent, and a number for every place of the finer levels."""
        return self.latent + sum(side * side for side in NOISE_SIZES)


class DownBlock(nn.Module):
    """One level of the encoder: a strided convolution, then convolutions added to it."""

    def __init__(self, channels: int, out: int, depth: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, out, 4, stride=2, padding=1)
        self.inner = nn.ModuleList([nn.Conv2d(out, out, 3, padding=1) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        """Turn `(N, channels, H, W)` into `(N, out, H / 2, W / 2)`."""
        x = leaky_relu(self.down(x), SLOPE)
        inner = x
        for conv in self.inner:
            inner = leaky_relu(conv(inner), SLOPE)
        return x + inner


class StyledResidualBlock(nn.Module):
    """A residual block that a style vector modulates.

    Between its two convolutions each group of channels is normalised, then scaled and shifted as
    the style says (Perez et al. 2018, "FiLM", eq. 2; after a norm as in Dhariwal & Nichol 2021,
    §3.1). Noise for each place has a learnt strength a channel (Karras et al. 2019, §2). The way
    around them is not normalised, so that brightness gets through.
    """

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(max(channels // 16, 1), channels, affine=False)
        self.style = nn.Linear(style, 2 * channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.strength = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))
        self.apply(init_kaiming)
        nn.init.normal_(self.second.weight, 0.0, 0.01)  # a block begins as a wire

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Change `(N, channels, H, W)` under styles `(N, S)` and noise `(N, 1, H, W)`."""
        inner = self.first(leaky_relu(x, SLOPE))
        if noise is not None:
            inner = inner + self.strength * noise
        scale, shift = self.style(style)[:, :, None, None].chunk(2, dim=1)
        inner = leaky_relu(self.norm(inner) * (1 + scale) + shift, SLOPE)
        out: Tensor = x + self.second(inner)
        return out


class UpBlock(nn.Module):
    """One level of the decoder: what comes from below and from beside, added; then a block.

    Channels are fewer before they are spread over four times the places (Lin et al. 2017,
    "Feature pyramid networks", §3): joined side by side instead, the level at full size alone
    would take a third of the training step.
    """

    def __init__(
        self, below: int, beside: int, out: int, style: int, cut: int, *, upsample: str
    ) -> None:
        super().__init__()
        self.cut, self.upsample = cut, upsample
        self.below: nn.Module = nn.Conv2d(below, out, 1)
        self.beside = nn.Conv2d(beside, out, 3, padding=1)
        self.block = StyledResidualBlock(out, style)

    def forward(self, x: Tensor, beside: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Turn `(N, below, H, W)` into `(N, out, 2H, 2W)`, or the middle of it.

        Args:
            x: from the level below.
            beside: what the encoder saw at this one.
            style: `(N, S)`.
            noise: `(N, 1, 2H, 2W)` of the middle, or None.
        """
        x = self.rise(x)
        edge = (x.shape[-1] - (beside.shape[-1] - 2 * self.cut)) // 2
        out: Tensor = self.block(self.join(crop_edges(x, edge), beside), style, noise)
        return out

    def rise(self, x: Tensor) -> Tensor:
        """Turn `(N, below, H, W)` into `(N, out, 2H, 2W)`."""
        return interpolate(self.below(x), scale_factor=2.0, mode=self.upsample)

    def join(self, x: Tensor, beside: Tensor) -> Tensor:
        """Add what the encoder saw of the same places."""
        seen: Tensor = self.beside(crop_edges(beside, self.cut))
        return x + seen


class UnetGenerator(nn.Module):
    """Encoder to 4×4, decoder with skip connections (Ronneberger et al. 2015, "U-Net").

    `level` makes each level of the decoder.

    The decoder leaves out the surroundings as soon as it can, so that nothing is computed that
    nobody sees; it resizes to upsample, then convolves (Odena et al. 2016, "Deconvolution
    and checkerboard artifacts").
    """

    level: type[UpBlock] = UpBlock

    def __init__(self, settings: UnetSettings) -> None:
        super().__init__()
        s = self.settings = settings
        w = s.width
        seen, made = (4, w, 2 * w, 4 * w, 6 * w), (6 * w, 5 * w, 3 * w, 2 * w, w)
        self.downs = nn.ModuleList(
            [DownBlock(*sizes) for sizes in zip(seen, seen[1:], (1, 2, 2, 2), strict=False)]
        )
        self.caption = nn.Linear(s.caption_dim, s.caption_code)
        self.mapping = nn.Sequential(
            nn.Linear(s.caption_code + s.latent + seen[-1], s.style),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(s.style, s.style),
            nn.LeakyReLU(SLOPE, inplace=True),
        )
        self.bottom = StyledResidualBlock(made[0], s.style)
        self.ups = nn.ModuleList(
            [
                self.level(below, beside, out, s.style, cut, upsample=s.upsample)
                for below, beside, out, cut in zip(
                    made, seen[-2::-1], made[1:], CROPS, strict=False
                )
            ]
        )
        self.last = nn.Conv2d(w, 3, 3, padding=1)
        self.output = Clip()
        self.membrane = BoundaryCorrection() if s.membrane else None
        self.downs.apply(init_kaiming)
        nn.init.normal_(self.last.weight, 0.0, 0.01)  # or it would begin as black and white

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole.

        Args:
            context: `(N, 3, 64, 64)`, -1 to 1, the hole blanked to 0.
            mask: `(N, 1, 64, 64)`, 1 where hidden.
            caption: `(N, caption_dim)`; zeros for no caption.
            noise: `(N, noise_dim)`, standard normal.

        Returns:
            The centre, `(N, 3, 32, 32)`, -1 to 1.
        """
        s, seen = self.settings, self.encode(context, mask)
        wide = self.decode(seen, caption, noise * s.temperature, s.guidance)
        return self.crop_margin(self.met(wide, context))

    def draw(
        self, context: Tensor, mask: Tensor, caption: Tensor, noises: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Fill each hole several times, with a margin; what is seen is looked at once.

        Args:
            context: as `forward` takes it.
            mask: as `forward` takes it.
            caption: as `forward` takes it.
            noises: for each draw `(M, noise_dim)`, M ≤ N: it fills the first M holes.

        Returns:
            For each draw `(M, 3, 36, 36)`, -1 to 1: the centre and 2 visible pixels on each side
            of it.
        """
        counts = [len(noise) for noise in noises]
        seen = [repeat_rows(level, counts) for level in self.encode(context, mask)]
        wide = self.decode(seen, repeat_rows(caption, counts), torch.cat(list(noises)))
        return torch.split(self.met(wide, repeat_rows(context, counts)), counts)

    @staticmethod
    def crop_margin(wide: Tensor) -> Tensor:
        """Cut the centre, `(…, 32, 32)`, out of what `draw` made with its margin."""
        return wide[..., MARGIN:-MARGIN, MARGIN:-MARGIN]

    def met(self, wide: Tensor, context: Tensor) -> Tensor:
        """Make fills with their margin, `(N, 3, 36, 36)`, meet their contexts, -1 to 1."""
        if self.membrane is None:
            return wide
        out: Tensor = self.output(self.membrane(wide, context))
        return out

    def encode(self, context: Tensor, mask: Tensor) -> list[Tensor]:
        """Return what each level sees, from `(N, 4, 64, 64)` down to `(N, 6 × width, 4, 4)`."""
        seen = [torch.cat([context, mask], dim=1)]
        for down in self.downs:
            seen.append(down(seen[-1]))
        return seen

    def decode(
        self, seen: list[Tensor], caption: Tensor, noise: Tensor, guidance: float = 1.0
    ) -> Tensor:
        """Make the centre with its margin, `(N, 3, 36, 36)`, of what the encoder saw."""
        sizes = [self.settings.latent, *(side * side for side in NOISE_SIZES)]
        latent, *places = torch.split(noise, sizes, dim=1)
        style = self.style(caption, latent, seen[-1])
        if guidance != 1:
            # Ho & Salimans 2022, "Classifier-free diffusion guidance", eq. 6, in the space of
            # styles: all that a caption says goes through them, so that once is enough.
            none = self.style(torch.zeros_like(caption), latent, seen[-1])
            style = none + guidance * (style - none)
        x = self.bottom(seen[-1], style)
        grids = [p.reshape(-1, 1, side, side) for p, side in zip(places, NOISE_SIZES, strict=True)]
        for up, beside, grid in zip(self.ups, seen[-2::-1], [None, *grids], strict=True):
            x = up(x, beside, style, grid)
        wide: Tensor = self.output(self.last(leaky_relu(x, SLOPE)))
        return crop_edges(wide, (OUTPUT_SIZE - HOLE) // 2 - MARGIN)

    def style(self, caption: Tensor, latent: Tensor, coarsest: Tensor) -> Tensor:
        """Turn captions, noise and the pooled context into styles `(N, style)`."""
        # Of length 1 in the caption's space its numbers would be 1/20 of the noise's, and drown.
        caption = caption * self.settings.caption_dim**0.5
        told = [self.caption(caption), latent, coarsest.mean((2, 3))]
        styles: Tensor = self.mapping(torch.cat(told, dim=1))
        return styles


def repeat_rows(x: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the first rows of `(N, …)`, so many of them for each count, one after the other."""
    return torch.cat([x[:count] for count in counts])


def crop_edges(x: Tensor, edge: int) -> Tensor:
    """Leave out `edge` pixels on each side of `(N, C, S, S)`.

    By padding and not by slicing: a slice's gradient is laid out otherwise than its input, and
    what it is added to becomes several times as slow.
    """
    return pad(x, (-edge, -edge, -edge, -edge)) if edge else x
