"""Generators by name: `generator(context, mask, caption, noise) -> centre`.

- context: `(N, 3, 64, 64)`, -1 to 1, 0 in the hole;
- mask: `(N, 1, 64, 64)`, 1 in the hole;
- caption: `(N, caption_dim)`; zeros for no caption;
- noise: `(N, noise_dim)`, standard normal;
- centre: `(N, 3, 32, 32)`, -1 to 1; a whole image of generators that read noise alone.
"""

from models.generators.began import BeganGenerator, BeganGeneratorSettings
from models.generators.began_blog import BlogGenerator, BlogGeneratorSettings
from models.generators.context_encoder import ContextEncoder, ContextEncoderSettings
from models.generators.dcgan import DcganGenerator, DcganGeneratorSettings
from models.generators.inpaint_began import InpaintBeganGenerator, InpaintBeganSettings
from models.generators.squeezenet import SqueezeNetGenerator, SqueezeNetSettings
from models.generators.unet import UnetGenerator, UnetSettings
from models.registry import Builder, builder

GENERATORS: dict[str, Builder] = {
    "inpaint": builder(SqueezeNetGenerator, SqueezeNetSettings),
    "inpaint-began": builder(InpaintBeganGenerator, InpaintBeganSettings),
    "context-encoder": builder(ContextEncoder, ContextEncoderSettings),
    "dcgan": builder(DcganGenerator, DcganGeneratorSettings),
    "began": builder(BeganGenerator, BeganGeneratorSettings),
    "began-blog": builder(BlogGenerator, BlogGeneratorSettings),
    "unet": builder(UnetGenerator, UnetSettings),
}
