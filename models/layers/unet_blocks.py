"""Blocks of the flagship's U-Net."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad

from models.layers.blocks import init_kaiming
from models.layers.renamed import accept_old_names

SLOPE = 0.2


class DownBlock(nn.Module):
    """One level of the encoder: a strided convolution, then a residual branch of convolutions."""

    def __init__(self, channels: int, out: int, depth: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, out, 4, stride=2, padding=1)
        self.inner = nn.ModuleList([nn.Conv2d(out, out, 3, padding=1) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        """Encode `(N, channels, H, W)` to `(N, out, H / 2, W / 2)`."""
        x = leaky_relu(self.down(x), SLOPE)
        inner = x
        for conv in self.inner:
            inner = leaky_relu(conv(inner), SLOPE)
        return x + inner


class StyledResidualBlock(nn.Module):
    """A residual block modulated by a style vector.

    Between its two convolutions each group of channels is normalised, then scaled and shifted by
    the style (Perez et al. 2018, "FiLM", eq. 2; after a norm as in Dhariwal & Nichol 2021, §3.1).
    A noise map is added with a learnt strength for each channel (Karras et al. 2019, §2). The
    residual path is not normalised, so that it preserves brightness.
    """

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(max(channels // 16, 1), channels, affine=False)
        self.style = nn.Linear(style, 2 * channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.strength = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))
        self.apply(init_kaiming)
        nn.init.normal_(self.second.weight, 0.0, 0.01)  # the block starts close to the identity

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Transform `(N, channels, H, W)` with styles `(N, S)` and noise `(N, 1, H, W)`."""
        inner = self.first(leaky_relu(x, SLOPE))
        if noise is not None:
            inner = inner + self.strength * noise
        scale, shift = self.style(style)[:, :, None, None].chunk(2, dim=1)
        inner = leaky_relu(self.norm(inner) * (1 + scale) + shift, SLOPE)
        out: Tensor = x + self.second(inner)
        return out


class UpBlock(nn.Module):
    """One level of the decoder: upsample, add the skip connection, apply a residual block.

    Channels are reduced before upsampling, and the skip is added instead of concatenated (Lin et
    al. 2017, "Feature pyramid networks", §3): concatenated, the finest level alone would take a
    third of the training step.
    """

    def __init__(
        self, channels: int, skip_channels: int, out: int, crop: int, *, style: int, mode: str
    ) -> None:
        super().__init__()
        self.crop, self.mode = crop, mode
        self.reduce = nn.Conv2d(channels, out, 1)
        self.skip = nn.Conv2d(skip_channels, out, 3, padding=1)
        self.block = StyledResidualBlock(out, style)
        accept_old_names(self, below="reduce", beside="skip")

    def forward(self, x: Tensor, skip: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Decode `(N, channels, H, W)` to the middle of `(N, out, 2H, 2W)`.

        `skip` is the encoder's output at this level; `crop` pixels are cropped on every side. The
        noise, if any, has the cropped size. Styles are `(N, S)`.
        """
        x = self.upsample(x)
        edge = (x.shape[-1] - (skip.shape[-1] - 2 * self.crop)) // 2
        x = crop_edges(x, edge) + self.skip(crop_edges(skip, self.crop))
        out: Tensor = self.block(x, style, noise)
        return out

    def upsample(self, x: Tensor) -> Tensor:
        """Upsample `(N, channels, H, W)` to `(N, out, 2H, 2W)`."""
        return interpolate(self.reduce(x), scale_factor=2.0, mode=self.mode)


def repeat_rows(x: Tensor, counts: Sequence[int]) -> Tensor:
    """Concatenate the first rows of `(N, …)`: `counts[0]` of them, then `counts[1]`, and so on."""
    return torch.cat([x[:count] for count in counts])


def crop_edges(x: Tensor, edge: int) -> Tensor:
    """Crop `edge` pixels on each side of `(N, C, S, S)`.

    Uses negative padding. The gradient of a slice has another memory layout, which makes adding to
    it several times slower.
    """
    return pad(x, (-edge, -edge, -edge, -edge)) if edge else x
