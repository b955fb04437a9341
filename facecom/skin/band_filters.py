"""Filters on masked height maps: low-passes, the split into bands of wavelengths, local power and direction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from facecom.geometry.mesh import Floats

Singles = NDArray[np.float32]

GAUSSIAN_HALF_AMPLITUDE = np.sqrt(2 * np.log(2.0)) / (2 * np.pi)
"""Standard deviation of the Gaussian, per mm of wavelength, that lets half the amplitude of that wave pass."""
QUADRATIC_PRESERVING_HALF_AMPLITUDE = np.sqrt(-2 * np.log(1.0 - np.sqrt(0.5))) / (2 * np.pi)
"""The same for the low-pass that leaves parabolas alone."""
BAND_EDGES_MM = (0.6, 1.2, 2.4)
"""Wavelengths at which relief is split into bands."""
TRUNCATE_SIGMAS = 3.0
"""Radius of the Gaussian kernels in standard deviations."""


def gaussian_sigma(wavelength_mm: float) -> float:
    """Standard deviation in mm of the Gaussian that lets half the amplitude of that wave pass."""
    return GAUSSIAN_HALF_AMPLITUDE * wavelength_mm


def masked_blur(values: Singles, weight: Singles, sigma: float) -> Singles:
    """Gaussian blur of image stacks by normalised convolution (Knutsson and Westin 1993).

    Parameters
    ----------
    values : (N, ..., S, S) float32
    weight : (N, S, S) float32, one for all images of an entry
    sigma : float, pixels

    Returns
    -------
    (N, ..., S, S) float32
    """
    return _blur_over(values, weight, _blurred(weight, sigma), sigma)


def _blur_over(values: Singles, weight: Singles, total: Singles, sigma: float) -> Singles:
    """`masked_blur` with the blurred weight at hand."""
    across = (len(weight),) + (1,) * (values.ndim - 3) + weight.shape[1:]
    blurred = _blurred(values * weight.reshape(across), sigma)
    return np.divide(blurred, np.maximum(total.reshape(across), 1e-4), dtype=np.float32)


def _blurred(images: Singles, sigma: float) -> Singles:
    """Blur over the last two axes; entries run in threads, since the filter releases Python's lock."""
    width = (0.0,) * (images.ndim - 3) + (sigma, sigma)
    out = np.empty_like(images)

    def fill(k: int) -> None:
        gaussian_filter(images[k], width, output=out[k], mode="constant", truncate=TRUNCATE_SIGMAS)

    with ThreadPoolExecutor() as pool:
        list(pool.map(fill, range(len(images))))
    return out


def quadratic_preserving_sigma(wavelength_mm: float) -> float:
    """Standard deviation in mm with which `quadratic_preserving_blur` lets half the amplitude of that wave pass."""
    return QUADRATIC_PRESERVING_HALF_AMPLITUDE * wavelength_mm


def quadratic_preserving_blur(values: Singles, weight: Singles, sigma: float) -> Singles:
    """Low-pass of image stacks that leaves any parabola as it is, so that no curvature is taken for relief.

    Twice the Gaussian blur less its own blur: its second moment is zero. Arguments as of `masked_blur`.
    """
    total = _blurred(weight, sigma)
    once = _blur_over(values, weight, total, sigma)
    return 2.0 * once - _blur_over(once, weight, total, sigma)


def low_pass_response(wave_numbers: Floats, wavelength_mm: float) -> Floats:
    """Share of the amplitude of waves, given per mm, that `quadratic_preserving_blur` at a wavelength leaves.

    Examples
    --------
    >>> low_pass_response(np.array([0.0, 1 / 2.4]), 2.4).round(3)
    array([1. , 0.5])
    """
    gauss = np.exp(-0.5 * (2 * np.pi * wave_numbers * quadratic_preserving_sigma(wavelength_mm)) ** 2)
    return np.asarray(gauss * (2.0 - gauss))


def split_bands(height: Singles, weight: Singles, *, pixel_mm: float, max_wavelength_mm: float) -> Singles:
    """Split height maps into bands of wavelengths at `BAND_EDGES_MM` and `max_wavelength_mm`, finest first.

    Parameters
    ----------
    height, weight : (N, S, S) float32, mm, and which pixels count
    pixel_mm, max_wavelength_mm : float

    Returns
    -------
    (N, B, S, S) float32, mm
    """
    levels = [height]
    for wavelength in (*BAND_EDGES_MM, max_wavelength_mm):
        levels.append(quadratic_preserving_blur(height, weight, quadratic_preserving_sigma(wavelength) / pixel_mm))
    bands = [fine - coarse for fine, coarse in zip(levels[:-1], levels[1:], strict=True)]
    return (np.stack(bands, axis=1) * weight[:, None]).astype(np.float32)


def local_log_power(bands: Singles, weight: Singles, *, pixel_mm: float, window_mm: float) -> Singles:
    """Natural logarithm of the mean square of each band, (N, B, S, S), in a Gaussian window of that deviation."""
    return np.log(np.maximum(masked_blur(bands**2, weight, window_mm / pixel_mm), 1e-12)).astype(np.float32)


def local_direction(relief: Singles, weight: Singles, *, pixel_mm: float, window_mm: float) -> Singles:
    """Dominant direction of the slopes of height maps: cosine and sine of twice the angle, times the coherence.

    The structure tensor in a Gaussian window (Bigun and Granlund 1987): zero where slopes go all ways alike, of length
    one where all go one way, across the wrinkles.

    Parameters
    ----------
    relief, weight : (N, S, S) float32, mm, and which pixels count
    pixel_mm, window_mm : float, the latter the standard deviation of the window

    Returns
    -------
    (N, 2, S, S) float32

    Examples
    --------
    >>> waves = np.tile(np.sin(np.arange(40.0)), (1, 40, 1)).astype(np.float32)
    >>> local_direction(waves, np.ones_like(waves), pixel_mm=0.1, window_mm=0.8)[0, :, 20, 20].round(2) + 0.0
    array([1., 0.], dtype=float32)
    """
    up, across = np.gradient(relief, axis=(1, 2))
    products = np.stack([across**2 - up**2, 2.0 * across * up, across**2 + up**2], axis=1)
    mean = masked_blur(products, weight, window_mm / pixel_mm)
    return (mean[:, :2] / np.maximum(mean[:, 2:], 1e-12)).astype(np.float32)
