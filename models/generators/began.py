"""BEGAN's generator (Berthelot, Schumm & Metz 2017, §3.5.1 and Figure 1), for sizes 16 to 128."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.layers.began_blocks import BeganDecoder, BeganSettings
from models.layers.blocks import check_choice
from models.layers.noise import NOISE_KINDS, from_normal
from models.layers.output_activation import Clip


@dataclass(frozen=True)
class BeganGeneratorSettings(BeganSettings):
    """Sizes of the generator, which has the architecture of the discriminator's decoder.

    Attributes:
        noise_dim: length of the noise vector.
        noise: `uniform` as in the paper, or `normal`.
    """

    noise_dim: int = 64
    noise: str = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("noise", self.noise, NOISE_KINDS)


class BeganGenerator(nn.Module):
    """Decode noise to an image, clipped to -1 to 1."""

    def __init__(self, settings: BeganGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = BeganDecoder(settings.noise_dim, settings)
        self.clip = Clip()

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Generate images `(N, 3, size, size)`, -1 to 1, from noise `(N, noise_dim)` alone."""
        out: Tensor = self.clip(self.decoder(from_normal(noise, self.settings.noise)))
        return out
