"""Discriminators: `discriminator(images, caption) -> output`."""

from models.discriminators.convolutional import ConvDiscriminator, ConvSettings
from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.discriminators.projected_variants import PixelsAlone, Unnormalised
from models.generators.began import Autoencoder, AutoencoderSettings
from models.generators.began_blog import BlogAutoencoder, BlogJudgeSettings
from models.generators.context_encoder import ContextJudge, ContextJudgeSettings
from models.generators.dcgan import DcganDiscriminator, DcganJudgeSettings
from models.registry import Builder, builder

DISCRIMINATORS: dict[str, Builder] = {
    "conv": builder(ConvDiscriminator, ConvSettings),
    "context-encoder": builder(ContextJudge, ContextJudgeSettings),
    "dcgan": builder(DcganDiscriminator, DcganJudgeSettings),
    "autoencoder": builder(Autoencoder, AutoencoderSettings),
    "began-blog": builder(BlogAutoencoder, BlogJudgeSettings),
    "projected": builder(ProjectedDiscriminator, ProjectedSettings),
    "projected-pixels": builder(PixelsAlone, ProjectedSettings),
    "projected-unnormalised": builder(Unnormalised, ProjectedSettings),
}
