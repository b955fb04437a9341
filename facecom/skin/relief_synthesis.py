"""Synthesise the relief of one hole: target power and direction, quilting, corrections, skewness, rim, high-pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints
from facecom.provenance import Provenance
from facecom.skin.band_filters import Singles
from facecom.skin.band_power import FOLD_SPREAD, observed_band_power, target_band_power, with_tension_lines
from facecom.skin.fine_patch import FinePatch
from facecom.skin.height_patches import HeightPatches, sample_height_patches
from facecom.skin.membrane import extend_smoothly
from facecom.skin.noise_bands import BandReport
from facecom.skin.patch_heights import Heights, rim_distance, smooth_heights
from facecom.skin.point_sampling import min_distance_subset
from facecom.skin.quilting import QuiltTarget, quilt
from facecom.skin.relief_adjustment import (
    SKEWNESS_BANDS,
    continue_over_rim,
    expected_skewness,
    skewness_offset,
)
from facecom.skin.safe_displacement import displace_without_folds
from facecom.skin.types import DetailSettings

MIN_CLEAN_SHARE = 0.05
"""Least share of observed band power that is left when the noise is taken off."""
CORRECTION_DEPTH_MM = 1.0
"""Depth in the hole from which on the power of made relief is measured."""
CORRECTION_HALF_MM = 4.0
"""Half the side of the height maps that measure it."""
CORRECTION_HOLD = 0.02
"""How closely the corrections follow the measurement, see `extend_smoothly`: patches of relief differ by chance."""
MAX_CORRECTION_NEPERS = 1.4
"""Largest correction of log power in one round."""


@dataclass(frozen=True, eq=False)
class FaceAttributes:
    """What is known of each face vertex.

    Parameters
    ----------
    observed : (V,) bool
    mirror : (V,) int or None, the vertex on the opposite side
    region : (V,) int or None
    compression : (V, 3, 3) float or None, how expressions compress the skin, symmetric
    """

    observed: Bools
    mirror: Ints | None
    region: Ints | None
    compression: Floats | None = None


@dataclass(frozen=True, eq=False)
class HoleSkin:
    """What the relief of one hole is made from.

    Parameters
    ----------
    patch : FinePatch, P vertices
    heights : Heights, of the scan over it
    base_offset : (P,) float, mm, their low-pass, which goes on into the hole
    height_patches : HeightPatches, of the skin around the hole and on the opposite side
    bands : BandReport
    attributes : FaceAttributes
    settings : DetailSettings
    """

    patch: FinePatch
    heights: Heights
    base_offset: Floats
    height_patches: HeightPatches
    bands: BandReport
    attributes: FaceAttributes
    settings: DetailSettings


def synthesise_relief(skin: HoleSkin, *, seed: int) -> tuple[Floats, Ints]:
    """Relief of every vertex of the patch.

    Returns
    -------
    relief : (P,) float, mm, over the base offset
    provenance : (P,) int, MIRRORED or SYNTHESISED, meaningful in the hole
    """
    settings, height_patches = skin.settings, skin.height_patches
    target = quilt_target(skin)
    quilted = quilt(target, height_patches, settings=settings.quilt, seed=seed)
    bands = quilted.bands * skin.bands.usable
    for _ in range(settings.power_corrections):
        bands = bands * _band_gains(skin, target, bands)
    synthetic = settings.mode == "synthetic" and not height_patches.from_scan
    wanted = settings.prior_skewness
    if not synthetic:
        wanted = expected_skewness(height_patches, settings.prior_skewness, settings.skewness_prior_weight)
    change = skewness_offset(bands[:, :SKEWNESS_BANDS].sum(1), target, wanted=wanted)
    relief = continue_over_rim(bands.sum(1) + change, target, reach_mm=settings.rim_blend_mm)
    relief = _high_passed(skin, relief, target.depth)
    if synthetic:
        return relief, np.full(len(relief), Provenance.SYNTHESISED)
    return relief, np.where(height_patches.mirrored[quilted.source], Provenance.MIRRORED, Provenance.SYNTHESISED)


def _high_passed(skin: HoleSkin, relief: Floats, depth: Floats) -> Floats:
    """Relief without what is smoother than its bands, in the hole."""
    settings = skin.settings
    everywhere = replace(skin.heights, values=relief, observed=np.ones(len(relief), bool))
    smooth = smooth_heights(skin.patch, everywhere, cutoff_mm=settings.max_wavelength_mm, decay_mm=settings.decay_mm)
    return relief - smooth * (1.0 - np.exp(-0.5 * (np.maximum(depth, 0.0) / settings.rim_blend_mm) ** 2))


def _band_gains(skin: HoleSkin, target: QuiltTarget, bands: Floats) -> Floats:
    """Factor for each vertex and band, (P, B), that brings what was made to the target power.

    The longest band takes more of the next finer one's factor than of its own: it lacks its longest waves, which
    patches cannot carry, and making up for them in its shorter ones raises the next band as much, since the filters
    that split bands overlap.
    """
    patch, settings = skin.patch, skin.settings
    deep = np.flatnonzero(~target.observed & (target.depth > CORRECTION_DEPTH_MM))
    if not len(deep):
        return np.ones_like(bands)
    made = _height_patches_of_made(skin, target, bands, deep)
    coarse = patch.coarse.vertices
    power, found = observed_band_power(made, made.log_power, coarse, mirrored=False)
    inside = found & ~target.observed[: len(coarse)]
    if not inside.any():
        return np.ones_like(bands)
    lacking = target.log_power[: len(coarse)] - power
    lacking = extend_smoothly(patch.coarse, lacking, inside, hold=CORRECTION_HOLD)
    share = settings.longest_band_share
    lacking[:, -1] = share * lacking[:, -1] + (1.0 - share) * lacking[:, -2]
    limit = MAX_CORRECTION_NEPERS
    return np.exp(0.5 * np.clip(patch.prolongation @ lacking, -limit, limit))


def _height_patches_of_made(skin: HoleSkin, target: QuiltTarget, bands: Floats, deep: Ints) -> HeightPatches:
    """Height maps of the patch with its relief so far, around vertices deep in the hole."""
    relief = np.where(target.observed, target.relief, bands.sum(1))
    trial = Surface(displace_without_folds(skin.patch, skin.base_offset + relief)[0])
    deepest_first = deep[np.argsort(-target.depth[deep], kind="stable")]
    centres = min_distance_subset(target.points, skin.settings.patch_spacing_mm, deepest_first)
    return sample_height_patches(
        trial,
        target.points[centres],
        target.normals[centres],
        mirrored=np.zeros(len(centres), bool),
        max_wavelength_mm=skin.settings.max_wavelength_mm,
        half_mm=CORRECTION_HALF_MM,
    )


def quilt_target(skin: HoleSkin) -> QuiltTarget:
    """Target power and direction on the patch, and the relief that is observed."""
    patch, coarse, height_patches = skin.patch, skin.patch.coarse, skin.height_patches
    log_power = _extrapolated(skin, height_patches.log_power, spread=FOLD_SPREAD)
    direction = _extrapolated(skin, height_patches.direction, spread=(np.inf, np.inf))
    if log_power is None or direction is None:
        log_power = np.tile(height_patches.log_power.mean((0, 2, 3)).astype(float), (len(coarse.vertices), 1))
        direction = np.zeros((len(coarse.vertices), 2))
    if skin.attributes.compression is not None:
        compression = skin.attributes.compression[patch.nearest_face_vertex]
        normals = patch.normals[: len(compression)]
        direction = with_tension_lines(direction, compression, normals, share=skin.settings.tension_share)
    clean = np.exp(log_power) - skin.bands.noise_rms_mm**2
    log_power = np.log(np.maximum(clean, MIN_CLEAN_SHARE * np.exp(log_power)))
    return QuiltTarget(
        points=patch.mesh.vertices,
        normals=patch.normals,
        observed=skin.heights.observed,
        relief=skin.heights.values - skin.base_offset,
        depth=rim_distance(patch, skin.heights.observed),
        log_power=patch.prolongation @ log_power,
        direction=patch.prolongation @ direction,
    )


def _extrapolated(skin: HoleSkin, values: Singles, *, spread: tuple[float, ...]) -> Floats | None:
    """What the height maps show, on every vertex of the coarse level; None where they show none of the skin here."""
    coarse, height_patches, region = skin.patch.coarse, skin.height_patches, skin.attributes.region
    own, observed = observed_band_power(height_patches, values, coarse.vertices, mirrored=False)
    if not height_patches.from_scan or not observed.any():
        return None
    mirrored, mirrored_observed = observed_band_power(height_patches, values, coarse.vertices, mirrored=True)
    return target_band_power(
        coarse,
        own,
        observed,
        mirrored=mirrored,
        mirrored_observed=mirrored_observed,
        mirror_weight=skin.settings.mirror_weight,
        region=None if region is None else region[skin.patch.nearest_face_vertex],
        spread=spread,
    )
