"""Noise from a seed: the numbers of torch's generator on a CPU, computed without torch.

A fill depends on every bit of its noise, so these are torch's algorithms operation by operation:
Mersenne Twister, then the Box-Muller transform. From 16 numbers on, torch computes it in float32
with the logarithm, sine and cosine of Cephes (Moshier 1989, as in `aten/src/ATen/native/cpu/
avx_mathfun.h`), with fused multiply-adds; below that, in float64.
"""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.pixels import Floats

_VECTOR = 16  # torch draws so many numbers at a time: 8 radii, 8 angles
_F = np.float32
_LOG = (
    -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_PI_4 = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # sum to -π / 4


class _Twister(threading.local):
    """One for each thread, since making one takes longer than a row of noise."""

    def __init__(self) -> None:
        self.state = np.random.RandomState(0)


_TWISTER = _Twister()


def seeded_noise(seeds: Sequence[int], noise_dim: int) -> Floats:
    """Draw a row of noise from each seed, 0 to 2**63 - 1; torch reads its lowest 32 bits.

    Returns:
        float32 `(N, noise_dim)`, standard normal.
    """
    twister = _TWISTER.state
    out = np.empty((len(seeds), noise_dim), np.float32)
    for row, seed in enumerate(seeds):
        twister.seed(seed & 0xFFFFFFFF)
        out[row] = (_short if noise_dim < _VECTOR else _long)(twister, noise_dim)
    return out


def _bits(twister: np.random.RandomState, count: int) -> NDArray[np.uint64]:
    bits: NDArray[np.uint64] = twister._bit_generator.random_raw(count)
    return bits


def _short(twister: np.random.RandomState, count: int) -> Floats:
    bits = _bits(twister, 4 * ((count + 1) // 2)).reshape(-1, 2)
    words = (bits[:, 0] << np.uint64(32) | bits[:, 1]) & np.uint64(2**53 - 1)
    angle, radius = (words * 2.0**-53).reshape(-1, 2).T
    angle, radius = 2 * np.pi * angle, np.sqrt(-2 * np.log1p(-radius))
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return pairs.ravel()[:count].astype(np.float32)


def _long(twister: np.random.RandomState, count: int) -> Floats:
    # The last 16 numbers are drawn anew where the count is no multiple of 16.
    rest = count % _VECTOR
    bits = _bits(twister, count + _VECTOR * (rest > 0))
    uniform = (bits & np.uint64(2**24 - 1)).astype(np.float32) * _F(2**-24)
    whole = count - rest
    out = np.empty(count, np.float32)
    out[:whole] = _box_muller(uniform[:whole])
    if rest:
        out[-_VECTOR:] = _box_muller(uniform[-_VECTOR:])
    return out


def _box_muller(uniform: Floats) -> Floats:
    blocks = uniform.reshape(-1, 2, _VECTOR // 2)
    first, second = (np.ascontiguousarray(blocks[:, i]) for i in (0, 1))
    radius = np.sqrt(_F(-2) * _log(_F(1) - first))
    sine, cosine = _sin_cos(_F(2 * np.pi) * second)
    return np.stack([radius * cosine, radius * sine], 1).ravel()


def _fma(a: Floats, b: Floats | np.float32, c: Floats | np.float32) -> Floats:
    """Compute `a * b + c`, rounded once: the product of two float32 is exact in float64."""
    product = np.multiply(a, b, dtype=np.float64)
    product += c
    return product.astype(np.float32)


def _log(x: Floats) -> Floats:
    mantissa, exponent = np.frexp(x)
    is_small = mantissa < _F(np.sqrt(0.5))
    e = (exponent - is_small).astype(np.float32)
    x = np.where(is_small, mantissa + mantissa, mantissa) - _F(1)
    z = x * x
    y: Floats = np.full_like(x, 7.0376836292e-2)
    for factor in _LOG:
        y = _fma(y, x, _F(factor))
    y = _fma(y * x, z, e * _F(-2.12194440e-4))
    y = _fma(z, _F(-0.5), y)
    return _fma(e, _F(0.693359375), x + y)


def _sin_cos(x: Floats) -> tuple[Floats, Floats]:
    octant = (x * _F(4 / np.pi)).astype(np.int32) + 1 & ~1
    multiple = octant.astype(np.float32)
    for part in _PI_4:
        x = _fma(multiple, _F(part), x)
    z = x * x
    cosine = _fma(np.full_like(x, 2.443315711809948e-5), z, _F(-1.388731625493765e-3))
    cosine = _fma(cosine, z, _F(4.166664568298827e-2)) * z
    cosine = _fma(cosine, z, z * _F(-0.5)) + _F(1)
    sine = _fma(np.full_like(x, -1.9515295891e-4), z, _F(8.3321608736e-3))
    sine = _fma(sine, z, _F(-1.6666654611e-1)) * z
    sine = _fma(sine, x, x)
    is_swapped = (octant & 2) != 0
    sine, cosine = np.where(is_swapped, cosine, sine), np.where(is_swapped, sine, cosine)
    signs = (1 - 2 * ((octant & 4) != 0), 1 - 2 * ((octant + 2 & 4) != 0))
    return sine * signs[0].astype(np.float32), cosine * signs[1].astype(np.float32)
