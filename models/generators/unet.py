"""The flagship's generator: a U-Net with caption and noise at every level."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.geometry import HOLE
from models.layers.blocks import check_choice, init_kaiming, run_levels
from models.layers.boundary_correction import BoundaryCorrection
from models.layers.generator_io import Clip
from models.layers.renamed import accept_old_names
from models.layers.unet_blocks import (
    SLOPE,
    DownBlock,
    StyledResidualBlock,
    UpBlock,
    crop_edges,
    repeat_rows,
)

UPSAMPLE_MODES = ("nearest", "bilinear")
MARGIN = 2  # visible pixels on each side of the hole that are predicted too, to avoid a seam
OUTPUT_SIZE = 40  # side of the finest level: the hole, its margin, and 2 pixels for padding effects
# Pixels of each encoder level that the decoder crops on every side. A level is cropped as far as
# the rest covers the hole and its margin. Cropped levels have a noise map of this side each.
CROPS = (0, 3, 6, 12)
NOISE_SIZES = (10, 20, OUTPUT_SIZE)


@dataclass(frozen=True)
class UnetSettings:
    """Sizes and inference options.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: length of the caption code.
        latent: length of the noise vector that every level uses.
        style: length of the style vector that modulates every level.
        width: channels of the encoder's first and the decoder's last level; 8, or a multiple of 16.
        upsample: `bilinear` (Karras et al. 2019, "A style-based generator architecture", §2), or
            `nearest`, which leaves visible blocks in smooth areas. Independent of the weights.
        membrane: apply `models.layers.boundary_correction` to fills, so that smooth surroundings
            continue without a step. Independent of the weights.
        guidance: scale of classifier-free guidance; 1 as trained. Only `forward` uses it.
            Independent of the weights.
        temperature: standard deviation of the noise; 1 as trained, less for fills nearer to their
            mean (Kingma & Dhariwal 2018, "Glow", §6.3). Independent of the weights.
    """

    caption_dim: int = 384
    caption_code: int = 128
    latent: int = 64
    style: int = 256
    width: int = 32
    upsample: str = "nearest"  # the defaults are those of the first bundles, which record no value
    membrane: bool = False
    guidance: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_choice("upsample", self.upsample, UPSAMPLE_MODES)

    @property
    def noise_dim(self) -> int:
        """Length of the noise: the latent, and one number for each place of a noise map."""
        return self.latent + sum(side * side for side in NOISE_SIZES)


class UnetGenerator(nn.Module):
    """Encoder to 4×4 and decoder with skip connections (Ronneberger et al. 2015, "U-Net").

    The decoder crops the surroundings at each level as far as possible, to save computation. It
    resizes, then convolves (Odena et al. 2016, "Deconvolution and checkerboard artifacts").
    """

    def __init__(self, settings: UnetSettings) -> None:
        super().__init__()
        s = self.settings = settings
        w = s.width
        encoded, decoded = (4, w, 2 * w, 4 * w, 6 * w), (6 * w, 5 * w, 3 * w, 2 * w, w)
        self.downs = nn.ModuleList(
            [DownBlock(*sizes) for sizes in zip(encoded, encoded[1:], (1, 2, 2, 2), strict=False)]
        )
        self.caption = nn.Linear(s.caption_dim, s.caption_code)
        self.mapping = nn.Sequential(
            nn.Linear(s.caption_code + s.latent + encoded[-1], s.style),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(s.style, s.style),
            nn.LeakyReLU(SLOPE, inplace=True),
        )
        self.bottom = StyledResidualBlock(decoded[0], s.style)
        sizes = zip(decoded, encoded[-2::-1], decoded[1:], CROPS, strict=False)
        self.ups = nn.ModuleList([UpBlock(*size, style=s.style, mode=s.upsample) for size in sizes])
        self.to_rgb = nn.Conv2d(w, 3, 3, padding=1)
        self.output = Clip()
        self.boundary_correction = BoundaryCorrection() if s.membrane else None
        self.downs.apply(init_kaiming)
        nn.init.normal_(self.to_rgb.weight, 0.0, 0.01)  # the first fills are not saturated
        accept_old_names(self, last="to_rgb")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole; shapes and ranges are those of `models.generators`."""
        s, skips = self.settings, self.encode(context, mask)
        wide = self.decode(skips, caption, noise * s.temperature, s.guidance)
        return self.crop_margin(self.correct_boundary(wide, context))

    def sample(
        self, context: Tensor, mask: Tensor, caption: Tensor, noises: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Fill each hole several times, with a margin; the context is encoded once.

        `noises` has one `(M, noise_dim)` for each sample, M ≤ N, which fills the first M holes.

        Returns:
            `(M, 3, 36, 36)` for each sample, -1 to 1: the centre with 2 visible pixels on each
            side.
        """
        counts = [len(noise) for noise in noises]
        skips = [repeat_rows(level, counts) for level in self.encode(context, mask)]
        wide = self.decode(skips, repeat_rows(caption, counts), torch.cat(list(noises)))
        return torch.split(self.correct_boundary(wide, repeat_rows(context, counts)), counts)

    @staticmethod
    def crop_margin(wide: Tensor) -> Tensor:
        """Crop the centre, `(…, 32, 32)`, out of a fill with its margin."""
        return wide[..., MARGIN:-MARGIN, MARGIN:-MARGIN]

    def correct_boundary(self, wide: Tensor, context: Tensor) -> Tensor:
        """Apply the boundary correction, if configured, to fills `(N, 3, 36, 36)`."""
        if self.boundary_correction is None:
            return wide
        out: Tensor = self.output(self.boundary_correction(wide, context))
        return out

    def encode(self, context: Tensor, mask: Tensor) -> list[Tensor]:
        """Return all encoder levels, from the input `(N, 4, 64, 64)` to `(N, 6 × width, 4, 4)`."""
        first = torch.cat([context, mask], dim=1)
        return [first, *run_levels(self.downs, first)]

    def decode(
        self, skips: list[Tensor], caption: Tensor, noise: Tensor, guidance: float = 1.0
    ) -> Tensor:
        """Decode the encoder's levels to the centre with its margin, `(N, 3, 36, 36)`."""
        sizes = [self.settings.latent, *(side * side for side in NOISE_SIZES)]
        latent, *rest = torch.split(noise, sizes, dim=1)
        style = self.style(caption, latent, skips[-1])
        if guidance != 1:
            # Ho & Salimans 2022, "Classifier-free diffusion guidance", eq. 6, in style space: the
            # caption has no other path into the decoder, so one decoder pass is enough.
            none = self.style(torch.zeros_like(caption), latent, skips[-1])
            style = none + guidance * (style - none)
        x = self.bottom(skips[-1], style)
        maps = [n.reshape(-1, 1, side, side) for n, side in zip(rest, NOISE_SIZES, strict=True)]
        for up, skip, noise_map in zip(self.ups, skips[-2::-1], [None, *maps], strict=True):
            x = up(x, skip, style, noise_map)
        wide: Tensor = self.output(self.to_rgb(nn.functional.leaky_relu(x, SLOPE)))
        return crop_edges(wide, (OUTPUT_SIZE - HOLE) // 2 - MARGIN)

    def style(self, caption: Tensor, latent: Tensor, coarsest: Tensor) -> Tensor:
        """Map caption, latent and the pooled context to styles `(N, style)`."""
        # Caption vectors have length 1; scaled, their numbers have the variance of the latent's.
        caption = caption * self.settings.caption_dim**0.5
        inputs = [self.caption(caption), latent, coarsest.mean((2, 3))]
        styles: Tensor = self.mapping(torch.cat(inputs, dim=1))
        return styles
