"""The building blocks the networks share."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": lambda: nn.ELU(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.2, inplace=True),
}


class Fire(nn.Module):
    """SqueezeNet's Fire module: a 1×1 squeeze, then 1×1 and 3×3 expansions side by side.

    Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", §3.2.
    The squeeze has an eighth of the output's channels, as in the paper. `(N, in, H, W)` becomes
    `(N, out, H, W)`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        batch_norm: bool = True,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        squeezed, half = max(out_channels // 8, 8), out_channels // 2
        activate = ACTIVATIONS[activation]
        self.squeeze = nn.Sequential(nn.Conv2d(in_channels, squeezed, 1), activate())
        self.expand1 = nn.Conv2d(squeezed, half, 1)
        self.expand3 = nn.Conv2d(squeezed, out_channels - half, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.activation = activate()

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, expand twice, join along the channels."""
        squeezed = self.squeeze(x)
        expanded = torch.cat([self.expand1(squeezed), self.expand3(squeezed)], dim=1)
        out: Tensor = self.activation(self.norm(expanded))
        return out


def down_block(
    in_channels: int, out_channels: int, *, batch_norm: bool, epsilon: float = 1e-5
) -> nn.Sequential:
    """Build a strided 4×4 convolution that halves H and W (Radford 2015: no pooling).

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        batch_norm: normalise what comes out.
        epsilon: what batch norm adds to the variance.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=not batch_norm)
    ]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out_channels, epsilon))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))


def up_block(
    in_channels: int,
    out_channels: int,
    *,
    dropout: float | None = None,
    epsilon: float = 1e-5,
    conv: type[nn.ConvTranspose2d] = nn.ConvTranspose2d,
) -> nn.Sequential:
    """Build a strided 4×4 transposed convolution that doubles H and W.

    A kernel that its stride divides overlaps evenly, which keeps the checkerboard down.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        dropout: of whole channels, to begin with; None for a block that has none at all.
        epsilon: what batch norm adds to the variance.
        conv: how the transposed convolution is computed.
    """
    layers = [
        conv(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels, epsilon),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers, *([] if dropout is None else [nn.Dropout2d(dropout)]))


def conv_block(
    in_channels: int, out_channels: int, *, stride: int, batch_norm: bool, activation: str
) -> nn.Sequential:
    """Build a 3×3 convolution with an activation; it keeps H and W, or divides them by `stride`."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out_channels))
    return nn.Sequential(*layers, ACTIVATIONS[activation]())


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise `ValueError` where a setting has a value that is not there."""
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")


def init_normal(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02), norms from N(1, 0.02) (Radford 2015, §4); for `apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def init_kaiming(module: nn.Module) -> None:
    """Keep the variance through LeakyReLU 0.2 (He et al. 2015, eq. 14); for `apply`.

    Fire modules have few inputs a unit, so that N(0, 0.02) would let a deep encoder's signal die
    out below batch norm's epsilon.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def set_dropout(module: nn.Module, probability: float) -> None:
    """Set every dropout layer's probability, so that a run can switch dropout on in its middle."""
    for layer in module.modules():
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            layer.p = probability
