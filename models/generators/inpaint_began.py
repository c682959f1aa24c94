"""A BEGAN generator for inpainting: a SqueezeNet-style encoder and BEGAN's decoder."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.generators.began import BeganSettings, UpsamplingLevels
from models.generators.squeezenet import BottleneckGenerator, SqueezeNetSettings
from models.geometry import HOLE
from models.layers.blocks import ACTIVATIONS, check_choice, conv_block, init_kaiming
from models.layers.encoders import SqueezeEncoder
from models.layers.generator_io import output_activation
from models.layers.renamed import accept_old_names

GRID = 4  # side of the bottleneck's map


@dataclass(frozen=True)
class InpaintBeganSettings(SqueezeNetSettings):
    """Sizes and options of the generator.

    Attributes:
        decoder_width: filters of every level of the decoder.
        skips: concatenate the bottleneck to the input of every upsampled level.
        batch_norm: batch norm in the encoder; BEGAN has none.
        activation: `elu` or `relu`.
        output: output activation, `clip` or `tanh`.
    """

    skips: bool = True
    batch_norm: bool = False
    activation: str = "elu"
    output: str = "clip"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)


class InpaintBeganGenerator(BottleneckGenerator):
    """SqueezeNet-style encoder, BEGAN's decoder to 32×32."""

    def __init__(self, settings: InpaintBeganSettings) -> None:
        super().__init__()
        s = self.settings = settings
        self.encoder = encoder = SqueezeEncoder(
            s.width, batch_norm=s.batch_norm, activation=s.activation
        )
        self.caption = nn.Linear(s.caption_dim, s.caption_code)
        joined = encoder.out_channels + s.caption_code + s.noise_dim
        decoder = BeganSettings(HOLE, s.decoder_width, s.skips, activation=s.activation)
        self.fusion = conv_block(
            joined, s.decoder_width, stride=1, batch_norm=False, activation=s.activation
        )
        self.upsampling = UpsamplingLevels(decoder, GRID)
        self.output = output_activation(s.output)
        self.encoder.apply(init_kaiming)
        accept_old_names(self, join="fusion", upward="upsampling")

    def decode(self, fused: Tensor) -> Tensor:
        """Upsample with nearest neighbours and bound the output."""
        out: Tensor = self.output(self.upsampling(fused))
        return out
