"""The generator of the small 32×32 BEGAN, with a locally connected output: 2.4 M parameters."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.layers.began_blog_blocks import CODE_DIM, SIZE, WIDTH, BlogDecoder
from models.layers.locally_connected import LocallyConnected
from models.layers.noise import from_normal
from models.layers.output_activation import Clip
from models.layers.renamed import accept_old_names


@dataclass(frozen=True)
class BlogGeneratorSettings:
    """Settings of the generator; its widths are fixed.

    Attributes:
        noise_dim: length of the noise vector, uniform on -1 to 1.
        batch_norm: batch norm on all layers but the output.
    """

    noise_dim: int = 64
    batch_norm: bool = True


class BlogGenerator(nn.Module):
    """A linear layer, convolutions, and a locally connected output layer."""

    def __init__(self, settings: BlogGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.project = nn.Linear(settings.noise_dim, CODE_DIM)
        self.decoder = BlogDecoder(batch_norm=settings.batch_norm)
        self.to_rgb = LocallyConnected(WIDTH, 3, SIZE)
        self.clip = Clip()
        accept_old_names(self, grow="decoder", paint="to_rgb")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Generate images `(N, 3, 32, 32)`, -1 to 1, from noise `(N, noise_dim)` alone."""
        z = from_normal(noise, "uniform")
        out: Tensor = self.clip(self.to_rgb(self.decoder(self.project(z))))
        return out
