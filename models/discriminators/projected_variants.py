"""The flagship's discriminator with one of its ideas changed, to tell what the idea is worth."""

from torch import Tensor
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from models.discriminators.projected import (
    FrozenFeatures,
    ProjectedDiscriminator,
    ProjectedSettings,
)


class PatchOnlyDiscriminator(ProjectedDiscriminator):
    """What is real is judged from pixels alone (Isola et al. 2017, §2.2.2, PatchGAN).

    The head that knows captions stays, if there is one.
    """

    def __init__(self, settings: ProjectedSettings) -> None:
        super().__init__(settings)
        self.heads = self.heads[-1:]

    def maps(self, looked: FrozenFeatures) -> list[Tensor]:
        """Return what the one head looks at, `(N, 3, W, W)`."""
        return [looked.window]


class Unnormalised(ProjectedDiscriminator):
    """No spectral normalisation: a penalty on the gradient is to hold it, as in R3GAN."""

    def __init__(self, settings: ProjectedSettings) -> None:
        super().__init__(settings)
        for module in self.modules():
            if is_parametrized(module, "weight"):
                remove_parametrizations(module, "weight")
