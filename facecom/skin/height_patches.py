"""Height maps of observed skin in tangent planes, split into bands, with their local power and direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_gradient_magnitude

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, unit
from facecom.skin.band_filters import (
    Singles,
    gaussian_sigma,
    local_direction,
    local_log_power,
    masked_blur,
    quadratic_preserving_sigma,
    split_bands,
)

POWER_WINDOW_MM = 1.25
"""Standard deviation of the window of local band power."""
CAST_HEIGHT_MM = 8.0
"""Height over the tangent plane from which rays are cast; the scan is looked for as far below it."""
MARGIN_SIGMAS = 2.5
"""Margin around a height map, in widths of the widest filter, that is cut off after filtering."""
RIM_CLEARANCE_MM = 0.5
"""Pixels nearer than this to one that is not skin are not valid: filters are one-sided there."""
SHAPE_STRIDE = 4
"""Every so many pixels enter the fit of the cubic shape."""
SHAPE_RIDGE = 1e-6
"""Regularisation of that fit for maps with large holes."""
STEEP_NORMAL = 0.95
"""Vertical share of a normal beyond which the map's upward axis is the backward one."""
JUMP_PIXELS, JUMP_DILATIONS = 5, 2
"""Size of the square by which jumps are dilated, and how often: what lies around one is no skin either."""
SLOPE_SIGMA_PIXELS = 2.0
"""Standard deviation of the Gaussian derivative that measures slope."""


@dataclass(frozen=True, eq=False)
class HeightPatches:
    """Square height maps of skin, N of them with B bands and S by S pixels.

    Parameters
    ----------
    centres : (N, 3) float, mm
    frames : (N, 3, 3) float, rows x, y, normal
    bands : (N, B, S, S) float32, mm
        Relief by band, finest first; their sum is the relief.
    valid : (N, S, S) bool
    log_power : (N, B, S, S) float32
        Natural logarithm of the local mean square of each band, mm².
    direction : (N, 2, S, S) float32
        Which way the relief runs, as `local_direction` gives it.
    points : (N, S, S, 3) float32
        Where each pixel lies: on the scan, or for a mirrored map where it would lie on the opposite side.
    mirrored : (N,) bool
    pixel_mm : float
    from_scan : bool, False when they show synthetic skin
    """

    centres: Floats
    frames: Floats
    bands: Singles
    valid: Bools
    log_power: Singles
    direction: Singles
    points: Singles
    mirrored: Bools
    pixel_mm: float
    from_scan: bool = True


def tangent_frames(normals: Floats) -> Floats:
    """Rows x (to the subject's left), y (up), normal for each unit normal (..., 3), as (..., 3, 3).

    Examples
    --------
    >>> tangent_frames(np.array([0.0, 0.0, 1.0]))
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    up = np.where(np.abs(normals[..., 1:2]) > STEEP_NORMAL, [0.0, 0.0, -1.0], [0.0, 1.0, 0.0])
    x = unit(np.cross(up, normals))
    return np.stack([x, np.cross(normals, x), normals], axis=-2)


def sample_height_patches(
    surface: Surface,
    centres: Floats,
    normals: Floats,
    *,
    mirrored: Bools,
    half_mm: float = 6.0,
    pixel_mm: float = 0.125,
    max_wavelength_mm: float = 4.5,
    max_slope: float = 0.6,
    max_relief_mm: float = 0.35,
    window_mm: float = POWER_WINDOW_MM,
    direction_mm: float = 2.0,
) -> HeightPatches:
    """Cast rays onto the scan around each centre, against its normal, and measure the relief.

    Parameters
    ----------
    surface : Surface of the scan, mm
    centres, normals : (N, 3) float
        Where to look, and against which direction.
    mirrored : (N,) bool
        Maps taken on the opposite side of the face; they are flipped left to right.
    half_mm, pixel_mm : float
        Half the side of a map and the size of its pixels.
    max_wavelength_mm : float
        Longer waves are shape, not relief.
    max_slope, max_relief_mm : float
        Slope and relief beyond which a pixel is a fold, a rim or hair and not used.
    window_mm, direction_mm : float
        Standard deviation of the windows of the local power and direction.
    """
    frames = tangent_frames(normals)
    margin = int(np.ceil(MARGIN_SIGMAS * quadratic_preserving_sigma(max_wavelength_mm) / pixel_mm))
    size = 2 * int(round(half_mm / pixel_mm))
    grid = np.asarray((np.arange(size + 2 * margin) - (size + 2 * margin - 1) / 2) * pixel_mm, np.float64)
    height, hit = _cast_heights(surface, centres, frames, grid)
    shape = _cubic_shape(height, hit, grid)
    skin = _is_skin(
        height,
        shape,
        hit,
        pixel_mm=pixel_mm,
        max_wavelength_mm=max_wavelength_mm,
        max_slope=max_slope,
        max_relief_mm=max_relief_mm,
    )
    weight = skin.astype(np.float32)
    upright = 1.0 / np.sqrt(1.0 + _slope(shape, pixel_mm) ** 2)
    bands = split_bands(height - shape, weight, pixel_mm=pixel_mm, max_wavelength_mm=max_wavelength_mm)
    bands = bands * upright[:, None]
    log_power = local_log_power(bands, weight, pixel_mm=pixel_mm, window_mm=window_mm)
    direction = local_direction(bands[:, 1:].sum(1), weight, pixel_mm=pixel_mm, window_mm=direction_mm)
    inner = slice(margin, margin + size)
    clear = distance_to_invalid(skin) * pixel_mm > RIM_CLEARANCE_MM
    patches = HeightPatches(
        centres,
        frames,
        bands[..., inner, inner],
        (skin & clear)[:, inner, inner],
        log_power[..., inner, inner],
        direction[..., inner, inner],
        _pixel_positions(centres, frames, grid[inner], height[:, inner, inner]),
        mirrored=mirrored,
        pixel_mm=pixel_mm,
    )
    return _flipped(patches)


def distance_to_invalid(valid: Bools) -> Singles:
    """Distance in pixels of each valid pixel to the nearest that is not, image by image, (N, S, S)."""
    return np.stack([distance_transform_edt(image) for image in valid]).astype(np.float32)


def _cast_heights(surface: Surface, centres: Floats, frames: Floats, grid: Floats) -> tuple[Singles, Bools]:
    """Height of the scan over the tangent planes, (N, S, S) mm, and where rays hit it."""
    gx, gy = np.meshgrid(grid, grid)
    x, y, n = frames[:, 0], frames[:, 1], frames[:, 2]
    start = centres + CAST_HEIGHT_MM * n
    origins = start[:, None, None] + gx[..., None] * x[:, None, None] + gy[..., None] * y[:, None, None]
    hits = surface.cast(origins, np.broadcast_to(-n[:, None, None], origins.shape))
    height = CAST_HEIGHT_MM - hits.depth
    hit = np.isfinite(height) & (np.abs(height) < CAST_HEIGHT_MM)
    return np.where(hit, height, 0.0).astype(np.float32), hit


def _cubic_shape(height: Singles, hit: Bools, grid: Floats) -> Singles:
    """Cubic polynomial through each map, so that blurs with one-sided support see no slope to leak."""
    scale = grid / np.abs(grid).max()
    gx, gy = np.meshgrid(scale, scale)
    basis = np.stack([gx**i * gy**j for i in range(4) for j in range(4 - i)], axis=-1)
    coarse = basis[::SHAPE_STRIDE, ::SHAPE_STRIDE].reshape(-1, basis.shape[-1])
    out = np.empty_like(height)
    for k, (image, mask) in enumerate(zip(height, hit, strict=True)):
        weight = mask[::SHAPE_STRIDE, ::SHAPE_STRIDE].ravel().astype(float)
        normal = coarse.T @ (coarse * weight[:, None]) + SHAPE_RIDGE * len(coarse) * np.eye(basis.shape[-1])
        values = weight * image[::SHAPE_STRIDE, ::SHAPE_STRIDE].ravel()
        out[k] = basis @ np.linalg.solve(normal, coarse.T @ values)
    return out


def _is_skin(
    height: Singles,
    cubic: Singles,
    hit: Bools,
    *,
    pixel_mm: float,
    max_wavelength_mm: float,
    max_slope: float,
    max_relief_mm: float,
) -> Bools:
    """Pixels whose surroundings are gently sloped and free of jumps, (N, S, S)."""
    sigma = gaussian_sigma(max_wavelength_mm) / pixel_mm
    shape = cubic + masked_blur(height - cubic, hit.astype(np.float32), sigma)
    jump = hit & (np.abs(height - shape) > max_relief_mm)
    jump = binary_dilation(jump, np.ones((1, JUMP_PIXELS, JUMP_PIXELS), bool), iterations=JUMP_DILATIONS)
    return hit & ~jump & (_slope(shape, pixel_mm) < max_slope)


def _slope(shape: Singles, pixel_mm: float) -> Singles:
    gradients = [gaussian_gradient_magnitude(image, SLOPE_SIGMA_PIXELS) for image in shape]
    return np.stack(gradients).astype(np.float32) / np.float32(pixel_mm)


def _pixel_positions(centres: Floats, frames: Floats, grid: Floats, height: Singles) -> Singles:
    gx, gy = np.meshgrid(grid, grid)
    local = np.stack([np.broadcast_to(gx, height.shape), np.broadcast_to(gy, height.shape), height], axis=-1)
    return (np.einsum("nijk,nkd->nijd", local, frames) + centres[:, None, None]).astype(np.float32)


def _flipped(patches: HeightPatches) -> HeightPatches:
    """Flip the mirrored maps left to right, in place: the arrays are fresh."""
    for values in (patches.bands, patches.valid, patches.log_power, patches.direction):
        values[patches.mirrored] = values[patches.mirrored][..., ::-1]
    patches.direction[patches.mirrored, 1] *= -1.0
    patches.points[patches.mirrored] = patches.points[patches.mirrored][:, :, ::-1]
    return patches
