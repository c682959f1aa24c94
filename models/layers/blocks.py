"""Building blocks that several networks share."""

from collections.abc import Callable, Collection, Iterable

from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": lambda: nn.ELU(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.2, inplace=True),
}


def down_block(
    in_channels: int, out_channels: int, *, batch_norm: bool, epsilon: float = 1e-5
) -> nn.Sequential:
    """Build a strided 4×4 convolution that halves H and W (Radford 2015: no pooling)."""
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

    The stride divides the kernel size, which reduces checkerboard artifacts. `dropout` is the
    initial probability of channel dropout; None for no dropout layer.
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
    """Build a 3×3 convolution with an activation; H and W are divided by `stride`."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out_channels))
    return nn.Sequential(*layers, ACTIVATIONS[activation]())


def run_levels(levels: Iterable[nn.Module], x: Tensor) -> tuple[Tensor, ...]:
    """Return the output of each level, whose input is that of the level before."""
    outputs = []
    for level in levels:
        x = level(x)
        outputs.append(x)
    return tuple(outputs)


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise `ValueError` if the value of a setting is not one of its choices."""
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")


def count_levels(grid: int, size: int) -> int:
    """Return the number of resolutions from `grid` to `size`, each twice the one before.

    Raises:
        ValueError: `size` is not `grid` times a power of 2.
    """
    levels = max(size // grid, 1).bit_length()
    if grid << (levels - 1) != size:
        raise ValueError(f"size {size} is not {grid} times a power of 2")
    return levels


def init_normal(module: nn.Module) -> None:
    """Initialise weights from N(0, 0.02), norms from N(1, 0.02) (Radford 2015, §4); for `apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def init_kaiming(module: nn.Module) -> None:
    """Initialise convolutions for LeakyReLU 0.2 (He et al. 2015, eq. 14); for `apply`.

    Fire modules have few inputs a unit: with N(0, 0.02) the activations of a deep encoder would
    fall below batch norm's epsilon.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
