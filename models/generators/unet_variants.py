"""The flagship's generator with one of its ideas taken out, to tell what the idea is worth."""

import torch
from torch import Tensor, nn

from models.generators.unet import UnetGenerator, UnetSettings, UpBlock


class LevelAlone(UpBlock):
    """A level of the decoder that sees nothing of what the encoder saw at its size."""

    def __init__(
        self, below: int, beside: int, out: int, style: int, cut: int, *, upsample: str
    ) -> None:
        super().__init__(below, beside, out, style, cut, upsample=upsample)
        del self.beside

    def join(self, x: Tensor, beside: Tensor) -> Tensor:
        """Add nothing."""
        return x


class TransposedLevel(UpBlock):
    """A level that is upsampled by a strided transposed convolution (Radford et al. 2015, §3).

    Whatever the settings' `upsample` says.
    """

    def __init__(
        self, below: int, beside: int, out: int, style: int, cut: int, *, upsample: str
    ) -> None:
        super().__init__(below, beside, out, style, cut, upsample=upsample)
        self.below = nn.ConvTranspose2d(below, out, 4, stride=2, padding=1)

    def rise(self, x: Tensor) -> Tensor:
        """Turn `(N, below, H, W)` into `(N, out, 2H, 2W)`."""
        risen: Tensor = self.below(x)
        return risen


class UnetWithoutSkips(UnetGenerator):
    """All that gets from the surroundings to the fill gets there through the 4×4 bottleneck."""

    level = LevelAlone


class UnetTransposed(UnetGenerator):
    """Upsampled by transposed convolutions."""

    level = TransposedLevel


class UnetConcat(UnetGenerator):
    """The caption is joined to the channels at the bottleneck, and modulates nothing.

    As Reed et al. 2016, "Generative adversarial text to image synthesis", §4.1, join it to the
    noise.
    """

    def __init__(self, settings: UnetSettings) -> None:
        """Build it.

        Raises:
            ValueError: a guidance, which goes through the styles, where no caption is.
        """
        if settings.guidance != 1:
            raise ValueError("generator 'unet-concat' knows no guidance")
        super().__init__(settings)
        seen = 6 * settings.width
        self.joined = nn.Conv2d(seen + settings.caption_code, seen, 1)

    def decode(
        self, seen: list[Tensor], caption: Tensor, noise: Tensor, guidance: float = 1.0
    ) -> Tensor:
        """Make the centre with its margin, `(N, 3, 36, 36)`, of what the encoder saw."""
        coarsest = seen[-1]
        code = self.caption(caption * self.settings.caption_dim**0.5)
        code = code[:, :, None, None].expand(-1, -1, *coarsest.shape[2:])
        joined = self.joined(torch.cat([coarsest, code], dim=1))
        return super().decode([*seen[:-1], joined], torch.zeros_like(caption), noise, guidance)
