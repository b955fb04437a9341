"""Measuring skin relief: tangent-plane height maps of seen skin, split in bands, with their local energies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, gaussian_gradient_magnitude

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, unit

Singles = NDArray[np.float32]

HALF_POWER = np.sqrt(2 * np.log(2.0)) / (2 * np.pi)
"""Width of the Gaussian, per mm of wavelength, that lets half the amplitude of that wave pass."""

EVEN_HALF_POWER = np.sqrt(-2 * np.log(1.0 - np.sqrt(0.5))) / (2 * np.pi)
"""The same for the low-pass that leaves parabolas alone."""

SPLITS_MM = (0.6, 1.2, 2.4)
"""Wavelengths at which relief is split into bands."""


@dataclass(frozen=True, eq=False)
class HeightPatches:
    """Square height maps of seen skin, N of them with B bands and S by S pixels.

    Parameters
    ----------
    centres : (N, 3) float, mm; frames : (N, 3, 3) float, rows x, y, normal
    bands : (N, B, S, S) float32, mm
        Relief by band, finest first; their sum is the relief.
    valid : (N, S, S) bool
    energy : (N, B, S, S) float32
        Natural logarithm of the local mean square of each band, mm².
    direction : (N, 2, S, S) float32
        Which way the relief runs, as `local_direction` gives it.
    points : (N, S, S, 3) float32
        Where each pixel lies: on the scan, or for a mirrored chart where it would lie on the other side.
    mirrored : (N,) bool
    pixel_mm : float
    measured : bool, False when they show generic skin
    """

    centres: Floats
    frames: Floats
    bands: Singles
    valid: Bools
    energy: Singles
    direction: Singles
    points: Singles
    mirrored: Bools
    pixel_mm: float
    measured: bool = True


def tangent_frames(normals: Floats) -> Floats:
    """Rows x (to the subject's left), y (up), normal for each unit normal, (..., 3, 3)."""
    up = np.where(np.abs(normals[..., 1:2]) > 0.95, [0.0, 0.0, -1.0], [0.0, 1.0, 0.0])
    x = unit(np.cross(up, normals))
    return np.stack([x, np.cross(normals, x), normals], axis=-2)


def gaussian_width(wavelength_mm: float) -> float:
    """Standard deviation in mm of the Gaussian whose response at that wavelength is one half."""
    return HALF_POWER * wavelength_mm


def masked_blur(values: Singles, weight: Singles, sigma: float) -> Singles:
    """Gaussian blur of image stacks (N, ..., S, S) over the last two axes, by normalised convolution.

    weight : (N, S, S), one for all images of an entry
    """
    return _blur_over(values, weight, _blurred(weight, sigma), sigma)


def _blur_over(values: Singles, weight: Singles, total: Singles, sigma: float) -> Singles:
    """`masked_blur` with the blurred weight at hand."""
    across = (len(weight),) + (1,) * (values.ndim - 3) + weight.shape[1:]
    blurred = _blurred(values * weight.reshape(across), sigma)
    return np.divide(blurred, np.maximum(total.reshape(across), 1e-4), dtype=np.float32)


def _blurred(images: Singles, sigma: float) -> Singles:
    """Blur over the last two axes; entries run side by side, since the filter lets go of Python's lock."""
    width = (0.0,) * (images.ndim - 3) + (sigma, sigma)
    out = np.empty_like(images)

    def fill(k: int) -> None:
        gaussian_filter(images[k], width, output=out[k], mode="constant", truncate=3.0)

    with ThreadPoolExecutor() as pool:
        list(pool.map(fill, range(len(images))))
    return out


def even_width(wavelength_mm: float) -> float:
    """Standard deviation in mm of the Gaussian with which `even_blur` lets half the amplitude of that wave pass."""
    return EVEN_HALF_POWER * wavelength_mm


def even_blur(values: Singles, weight: Singles, sigma: float) -> Singles:
    """Low-pass of image stacks that leaves any parabola as it is, so that no curvature is taken for relief.

    Twice the Gaussian blur less its own blur: its second moment is zero.
    """
    total = _blurred(weight, sigma)
    once = _blur_over(values, weight, total, sigma)
    return 2.0 * once - _blur_over(once, weight, total, sigma)


def split_bands(height: Singles, weight: Singles, *, pixel_mm: float, longest_mm: float) -> Singles:
    """Split height maps (N, S, S) into bands (N, B, S, S): below 0.6, 0.6-1.2, 1.2-2.4, 2.4-`longest_mm` mm."""
    levels = [height]
    for wavelength in (*SPLITS_MM, longest_mm):
        levels.append(even_blur(height, weight, even_width(wavelength) / pixel_mm))
    bands = [fine - coarse for fine, coarse in zip(levels[:-1], levels[1:], strict=True)]
    return (np.stack(bands, axis=1) * weight[:, None]).astype(np.float32)


def passed(wave_numbers: Floats, wavelength_mm: float) -> Floats:
    """Share of the amplitude of waves, given per mm, that the low-pass at a wavelength leaves."""
    gauss = np.exp(-0.5 * (2 * np.pi * wave_numbers * even_width(wavelength_mm)) ** 2)
    return np.asarray(gauss * (2.0 - gauss))


def local_energy(bands: Singles, weight: Singles, *, pixel_mm: float, window_mm: float) -> Singles:
    """Logarithm of the mean square of each band in a Gaussian window of that standard deviation."""
    return np.log(np.maximum(masked_blur(bands**2, weight, window_mm / pixel_mm), 1e-12)).astype(np.float32)


def local_direction(relief: Singles, weight: Singles, *, pixel_mm: float, window_mm: float) -> Singles:
    """Which way height maps (N, S, S) slope, (N, 2, S, S): cosine and sine of twice the angle, times the coherence.

    The structure tensor in a Gaussian window of that standard deviation (Bigun and Granlund 1987): zero where slopes
    go all ways alike, of length one where all go one way, across the wrinkles.

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


def sample_height_patches(
    surface: Surface,
    centres: Floats,
    normals: Floats,
    *,
    mirrored: Bools,
    half_mm: float = 6.0,
    pixel_mm: float = 0.125,
    longest_mm: float = 4.5,
    steepest: float = 0.6,
    tallest_mm: float = 0.35,
    window_mm: float = 1.25,
    direction_mm: float = 2.0,
) -> HeightPatches:
    """Look straight down on the scan around each centre and measure its relief.

    Parameters
    ----------
    surface : Surface of the scan, mm
    centres, normals : (N, 3) float
        Where to look, and against which direction.
    mirrored : (N,) bool
        Charts taken on the other side of the face; they are flipped left to right.
    half_mm, pixel_mm : float
        Half the side of a chart and the size of its pixels.
    longest_mm : float
        Waves longer than this are shape, not relief.
    steepest, tallest_mm : float
        Slope and relief beyond which a pixel is a fold, a rim or hair and not used.
    window_mm, direction_mm : float
        Standard deviation of the windows of the local energies and directions.
    """
    frames = tangent_frames(normals)
    margin = int(np.ceil(2.5 * even_width(longest_mm) / pixel_mm))
    size = 2 * int(round(half_mm / pixel_mm))
    grid = np.asarray((np.arange(size + 2 * margin) - (size + 2 * margin - 1) / 2) * pixel_mm, np.float64)
    height, seen = _look_down(surface, centres, frames, grid)
    shape = _cubic_shape(height, seen, grid)
    relief_valid = _is_skin(height, shape, seen, pixel_mm, longest_mm, steepest, tallest_mm)
    weight = relief_valid.astype(np.float32)
    upright = 1.0 / np.sqrt(1.0 + _slope(shape, pixel_mm) ** 2)
    bands = split_bands(height - shape, weight, pixel_mm=pixel_mm, longest_mm=longest_mm) * upright[:, None]
    energy = local_energy(bands, weight, pixel_mm=pixel_mm, window_mm=window_mm)
    direction = local_direction(bands[:, 1:].sum(1), weight, pixel_mm=pixel_mm, window_mm=direction_mm)
    inner = slice(margin, margin + size)
    rim = distance_transform_edt_stack(relief_valid) * pixel_mm > 0.5
    points = _chart_points(centres, frames, grid[inner], height[:, inner, inner])
    valid = (relief_valid & rim)[:, inner, inner]
    made = HeightPatches(
        centres,
        frames,
        bands[..., inner, inner],
        valid,
        energy[..., inner, inner],
        direction[..., inner, inner],
        points,
        mirrored=mirrored,
        pixel_mm=pixel_mm,
    )
    return _flipped(made)


def distance_transform_edt_stack(valid: Bools) -> Singles:
    """Distance in pixels of each valid pixel to the nearest that is not, image by image, (N, S, S)."""
    return np.stack([distance_transform_edt(image) for image in valid]).astype(np.float32)


def _look_down(surface: Surface, centres: Floats, frames: Floats, grid: Floats) -> tuple[Singles, Bools]:
    above = 8.0
    gx, gy = np.meshgrid(grid, grid)
    x, y, n = frames[:, 0], frames[:, 1], frames[:, 2]
    start = centres + above * n
    origins = start[:, None, None] + gx[..., None] * x[:, None, None] + gy[..., None] * y[:, None, None]
    hits = surface.cast(origins, np.broadcast_to(-n[:, None, None], origins.shape))
    height = above - hits.depth
    seen = np.isfinite(height) & (np.abs(height) < above)
    return np.where(seen, height, 0.0).astype(np.float32), seen


def _cubic_shape(height: Singles, seen: Bools, grid: Floats) -> Singles:
    """Cubic polynomial through each chart, so that blurs with one-sided support see no slope to leak."""
    scale = grid / np.abs(grid).max()
    gx, gy = np.meshgrid(scale, scale)
    basis = np.stack([gx**i * gy**j for i in range(4) for j in range(4 - i)], axis=-1)
    coarse = basis[::4, ::4].reshape(-1, basis.shape[-1])
    out = np.empty_like(height)
    for k, (image, mask) in enumerate(zip(height, seen, strict=True)):
        weight = mask[::4, ::4].ravel().astype(float)
        normal = coarse.T @ (coarse * weight[:, None]) + 1e-6 * len(coarse) * np.eye(basis.shape[-1])
        out[k] = basis @ np.linalg.solve(normal, coarse.T @ (weight * image[::4, ::4].ravel()))
    return out


def _is_skin(
    height: Singles, cubic: Singles, seen: Bools, pixel: float, longest: float, steepest: float, tallest: float
) -> Bools:
    """Pixels whose surroundings are gently sloped and free of jumps."""
    weight = seen.astype(np.float32)
    shape = cubic + masked_blur(height - cubic, weight, gaussian_width(longest) / pixel)
    jump = binary_dilation(seen & (np.abs(height - shape) > tallest), np.ones((1, 5, 5), bool), iterations=2)
    return seen & ~jump & (_slope(shape, pixel) < steepest)


def _slope(shape: Singles, pixel: float) -> Singles:
    return np.stack([gaussian_gradient_magnitude(image, 2.0) for image in shape]).astype(np.float32) / np.float32(pixel)


def _chart_points(centres: Floats, frames: Floats, grid: Floats, height: Singles) -> Singles:
    gx, gy = np.meshgrid(grid, grid)
    local = np.stack([np.broadcast_to(gx, height.shape), np.broadcast_to(gy, height.shape), height], axis=-1)
    return (np.einsum("nijk,nkd->nijd", local, frames) + centres[:, None, None]).astype(np.float32)


def _flipped(charts: HeightPatches) -> HeightPatches:
    """Turn the mirrored charts left to right, in place of the fresh arrays."""
    for values in (charts.bands, charts.valid, charts.energy, charts.direction):
        values[charts.mirrored] = values[charts.mirrored][..., ::-1]
    charts.direction[charts.mirrored, 1] *= -1.0
    charts.points[charts.mirrored] = charts.points[charts.mirrored][:, :, ::-1]
    return charts


def spread_points(points: Floats, spacing_mm: float, order: Ints) -> Ints:
    """Greedy choice of indices in `order`, no two closer than `spacing_mm`."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points[order])
    free = np.ones(len(order), bool)
    chosen = []
    for k in range(len(order)):
        if free[k]:
            chosen.append(order[k])
            free[tree.query_ball_point(points[order[k]], spacing_mm)] = False
    return np.array(chosen, dtype=np.int64)
