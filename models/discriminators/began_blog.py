"""The discriminator of the small 32×32 BEGAN, an autoencoder with 7.8 M parameters."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.discriminator_outputs import Reconstruction
from models.generators.began_blog import CODE_DIM, WIDTH, BlogDecoder, blog_conv
from models.layers.renamed import accept_old_names

# (filters, stride) of each layer: 32 → 16 → 8 → 4 → 2 pixels.
ENCODER = (
    *((64, 1), (64, 1)),
    *((96, 2), (96, 1), (96, 1)),
    *((128, 2), (128, 1), (128, 1)),
    *((192, 2), (192, 1), (192, 1)),
    *((256, 2), (256, 1), (256, 1)),
)


@dataclass(frozen=True)
class BlogDiscriminatorSettings:
    """Settings of the discriminator; its widths are fixed.

    Attributes:
        batch_norm: batch norm on all layers but the output.
    """

    batch_norm: bool = True


class BlogDiscriminator(nn.Module):
    """Strided convolutions to 256×2×2, a linear layer to 4096, and the generator's decoder."""

    output_type = Reconstruction

    def __init__(self, settings: BlogDiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        norm = settings.batch_norm
        channels = [3, *(filters for filters, _ in ENCODER)]
        self.encoder = nn.Sequential(
            *(
                blog_conv(before, filters, norm, stride)
                for before, (filters, stride) in zip(channels, ENCODER, strict=False)
            )
        )
        self.bottleneck = nn.Linear(channels[-1] * 2 * 2, CODE_DIM)
        self.decoder = BlogDecoder(batch_norm=norm)
        self.to_rgb = nn.Conv2d(WIDTH, 3, 3, padding=1)
        accept_old_names(self, down="encoder", squeeze="bottleneck", grow="decoder", paint="to_rgb")

    def forward(self, images: Tensor, caption: Tensor) -> Reconstruction:
        """Reconstruct images `(N, 3, 32, 32)`, -1 to 1; the caption is not used."""
        code = self.bottleneck(self.encoder(images).flatten(1))
        return Reconstruction(self.to_rgb(self.decoder(code)), code)
