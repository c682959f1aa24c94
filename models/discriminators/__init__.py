"""Discriminators: `discriminator(images, caption) -> output`."""

from models.discriminators.convolutional import ConvDiscriminator, ConvSettings
from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.discriminators.projected_variants import PatchOnlyDiscriminator, Unnormalised
from models.generators.began import BeganDiscriminator, BeganDiscriminatorSettings
from models.generators.began_blog import BlogDiscriminator, BlogDiscriminatorSettings
from models.generators.context_encoder import ContextDiscriminator, ContextDiscriminatorSettings
from models.generators.dcgan import DcganDiscriminator, DcganDiscriminatorSettings
from models.registry import Builder, builder

DISCRIMINATORS: dict[str, Builder] = {
    "conv": builder(ConvDiscriminator, ConvSettings),
    "context-encoder": builder(ContextDiscriminator, ContextDiscriminatorSettings),
    "dcgan": builder(DcganDiscriminator, DcganDiscriminatorSettings),
    "autoencoder": builder(BeganDiscriminator, BeganDiscriminatorSettings),
    "began-blog": builder(BlogDiscriminator, BlogDiscriminatorSettings),
    "projected": builder(ProjectedDiscriminator, ProjectedSettings),
    "projected-pixels": builder(PatchOnlyDiscriminator, ProjectedSettings),
    "projected-unnormalised": builder(Unnormalised, ProjectedSettings),
}
