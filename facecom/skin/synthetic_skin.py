"""Synthetic skin for scans that show no relief: pores on a jittered lattice and fine creases between them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from facecom.geometry.mesh import Floats
from facecom.skin.band_filters import gaussian_sigma, local_log_power, split_bands
from facecom.skin.height_patches import POWER_WINDOW_MM, HeightPatches

PORE_JITTER = 0.45
"""How far pores stray from their lattice, as a share of its spacing."""
PORE_DEPTH_SIGMA = 0.4
"""Standard deviation of the logarithm of the depth of pores."""
CREASES = ((0.9, 0.6), (2.0, 0.5))
"""Wavelength in mm and strength, relative to the pores, of fine and of broad creases."""


def synthetic_patches(
    *,
    count: int,
    max_wavelength_mm: float,
    seed: int,
    half_mm: float = 6.0,
    pixel_mm: float = 0.125,
    pore_spacing_mm: float = 0.9,
    pore_width_mm: float = 0.16,
    rms_mm: float = 0.015,
) -> HeightPatches:
    """Height maps of skin that nobody has: relief that is plausible and marked as synthetic.

    Parameters
    ----------
    count : int, number of maps
    seed : int
    max_wavelength_mm : float, longest wave
    half_mm, pixel_mm : float, as of `sample_height_patches`
    pore_spacing_mm, pore_width_mm : float, mean distance of pores and the standard deviation of their profile
    rms_mm : float, root mean square of the relief

    Examples
    --------
    >>> synthetic_patches(count=2, max_wavelength_mm=4.5, seed=0).bands.shape
    (2, 4, 96, 96)
    """
    generator = np.random.default_rng(seed)
    size = 2 * int(round(half_mm / pixel_mm))
    image = np.stack(
        [_skin(generator, size, pixel=pixel_mm, spacing=pore_spacing_mm, width=pore_width_mm) for _ in range(count)]
    )
    image *= rms_mm / image.std()
    weight = np.ones(image.shape, np.float32)
    bands = split_bands(image.astype(np.float32), weight, pixel_mm=pixel_mm, max_wavelength_mm=max_wavelength_mm)
    return HeightPatches(
        centres=np.zeros((count, 3)),
        frames=np.tile(np.eye(3), (count, 1, 1)),
        bands=bands,
        valid=weight > 0,
        log_power=local_log_power(bands, weight, pixel_mm=pixel_mm, window_mm=POWER_WINDOW_MM),
        direction=np.zeros((count, 2, size, size), np.float32),
        points=np.zeros((*image.shape, 3), np.float32),
        mirrored=np.zeros(count, bool),
        pixel_mm=pixel_mm,
        from_scan=False,
    )


def _skin(generator: np.random.Generator, size: int, *, pixel: float, spacing: float, width: float) -> Floats:
    """One height map of pores and creases, in units of the pores' deviation."""
    pores = np.zeros((size, size))
    lattice = np.arange(0.0, size * pixel, spacing)
    places = np.stack(np.meshgrid(lattice, lattice), -1).reshape(-1, 2)
    places = places + generator.uniform(-PORE_JITTER, PORE_JITTER, places.shape) * spacing
    at = np.clip((places / pixel).astype(int), 0, size - 1)
    np.add.at(pores, (at[:, 1], at[:, 0]), generator.lognormal(0.0, PORE_DEPTH_SIGMA, len(at)))
    pores = -gaussian_filter(pores, width / pixel, mode="wrap")
    out = pores / pores.std()
    for wavelength, strength in CREASES:
        noise = generator.normal(size=(size, size))
        creases = gaussian_filter(noise, gaussian_sigma(wavelength) / pixel, mode="wrap")
        out = out + strength * creases / creases.std()
    return out
