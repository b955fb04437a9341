"""A generic skin for scans that carry no relief: pits on a jittered lattice and fine creases between them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from facecom.geometry.mesh import Floats
from facecom.skin.relief import HeightPatches, gaussian_width, local_energy, split_bands


def synthetic_patches(
    *,
    count: int,
    longest_mm: float,
    seed: int,
    half_mm: float = 6.0,
    pixel_mm: float = 0.125,
    pore_spacing_mm: float = 0.9,
    pore_width_mm: float = 0.16,
    rms_mm: float = 0.015,
) -> HeightPatches:
    """Charts of skin that nobody has: for relief that is plausible and marked as synthetic.

    Parameters
    ----------
    count : number of charts; seed : int
    longest_mm : longest wave
    half_mm, pixel_mm : as of `sample_charts`
    pore_spacing_mm, pore_width_mm : mean distance of pores and the standard deviation of their profile
    rms_mm : root mean square of the relief

    Examples
    --------
    >>> generic_charts(count=2, longest_mm=4.5, seed=0).bands.shape
    (2, 4, 96, 96)
    """
    generator = np.random.default_rng(seed)
    size = 2 * int(round(half_mm / pixel_mm))
    image = np.stack([_skin(generator, size, pixel_mm, pore_spacing_mm, pore_width_mm) for _ in range(count)])
    image *= rms_mm / image.std()
    weight = np.ones(image.shape, np.float32)
    bands = split_bands(image.astype(np.float32), weight, pixel_mm=pixel_mm, longest_mm=longest_mm)
    return HeightPatches(
        centres=np.zeros((count, 3)),
        frames=np.tile(np.eye(3), (count, 1, 1)),
        bands=bands,
        valid=weight > 0,
        energy=local_energy(bands, weight, pixel_mm=pixel_mm, window_mm=1.25),
        direction=np.zeros((count, 2, size, size), np.float32),
        points=np.zeros((*image.shape, 3), np.float32),
        mirrored=np.zeros(count, bool),
        pixel_mm=pixel_mm,
        measured=False,
    )


def _skin(generator: np.random.Generator, size: int, pixel: float, spacing: float, width: float) -> Floats:
    pits = np.zeros((size, size))
    lattice = np.arange(0.0, size * pixel, spacing)
    places = np.stack(np.meshgrid(lattice, lattice), -1).reshape(-1, 2)
    places = places + generator.uniform(-0.45, 0.45, places.shape) * spacing
    at = np.clip((places / pixel).astype(int), 0, size - 1)
    np.add.at(pits, (at[:, 1], at[:, 0]), generator.lognormal(0.0, 0.4, len(at)))
    pits = -gaussian_filter(pits, width / pixel, mode="wrap")
    creases = gaussian_filter(generator.normal(size=(size, size)), gaussian_width(0.9) / pixel, mode="wrap")
    broad = gaussian_filter(generator.normal(size=(size, size)), gaussian_width(2.0) / pixel, mode="wrap")
    return pits / pits.std() + 0.6 * creases / creases.std() + 0.5 * broad / broad.std()
