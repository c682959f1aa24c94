"""Discriminators by name: `discriminator(images, caption) -> output`."""

from models.discriminators.began import BeganDiscriminator, BeganDiscriminatorSettings
from models.discriminators.began_blog import BlogDiscriminator, BlogDiscriminatorSettings
from models.discriminators.context_encoder import (
    ContextDiscriminator,
    ContextDiscriminatorSettings,
)
from models.discriminators.convolutional import ConvDiscriminator, ConvSettings
from models.discriminators.dcgan import DcganDiscriminator, DcganDiscriminatorSettings
from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.registry import Builder, builder

DISCRIMINATORS: dict[str, Builder] = {
    "conv": builder(ConvDiscriminator, ConvSettings),
    "context-encoder": builder(ContextDiscriminator, ContextDiscriminatorSettings),
    "dcgan": builder(DcganDiscriminator, DcganDiscriminatorSettings),
    "autoencoder": builder(BeganDiscriminator, BeganDiscriminatorSettings),
    "began-blog": builder(BlogDiscriminator, BlogDiscriminatorSettings),
    "projected": builder(ProjectedDiscriminator, ProjectedSettings),
}
