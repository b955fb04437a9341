"""Relief by image quilting: patches of own skin laid over a surface, each chosen to continue what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints
from facecom.skin.band_filters import Singles
from facecom.skin.height_patches import HeightPatches, tangent_frames
from facecom.skin.patch_bank import PatchBank
from facecom.skin.patch_seams import blend_weights, rasterize
from facecom.skin.point_sampling import min_distance_subset

MIN_WINDOW_COSINE = 0.35
"""Least cosine of normals within a window: what bends farther is another side of a fold."""
MAX_STRETCH = 1.5
"""Most by which offsets in the tangent plane are lengthened to the true distance."""
DISTANCE_UNIT_MM = 10.0
"""Distance of a source at which it costs `distance_weight`."""


@dataclass(frozen=True)
class QuiltSettings:
    """How patches are chosen and laid; costs are in units of the relative squared misfit."""

    radius_mm: float = 3.25
    """Radius of a patch."""
    spacing_mm: float = 3.0
    """Distance of patch centres."""
    power_weight: float = 0.35
    """Cost of a mismatch of local log power of one neper squared."""
    direction_weight: float = 0.5
    """Cost of a squared mismatch of directions of one."""
    rotations_deg: tuple[float, ...] = (0.0, -35.0, 35.0)
    """How far a patch may be rotated where the skin has a direction."""
    min_coherence: float = 0.15
    """Length of the target direction from which on the skin has one."""
    repeat_weight: float = 1.0
    """Cost of a source that was used once before."""
    distance_weight: float = 0.05
    """Cost of a source 10 mm away; it grows with the square."""
    candidates: int = 4
    """Among how many of the best a patch is drawn."""
    max_gain: float = 1.8
    """Largest factor by which a band of a patch is scaled towards the target power."""
    feather_mm: float = 0.2
    """Width of the seam."""


@dataclass(frozen=True, eq=False)
class QuiltTarget:
    """The surface on which relief is made: P vertices.

    Parameters
    ----------
    points, normals : (P, 3) float, mm
    observed : (P,) bool
    relief : (P,) float, mm, where observed
    depth : (P,) float, mm, distance into the hole, negative where observed
    log_power : (P, B) float, target logarithm of the mean square of each band
    direction : (P, 2) float, which way the relief should run, as `local_direction` gives it
    """

    points: Floats
    normals: Floats
    observed: Bools
    relief: Floats
    depth: Floats
    log_power: Floats
    direction: Floats


@dataclass(frozen=True, eq=False)
class Quilt:
    """Relief made on P vertices.

    Parameters
    ----------
    bands : (P, B) float, mm
    source : (P,) int, the height map that each vertex was taken from, or -1
    """

    bands: Floats
    source: Ints


def quilt(target: QuiltTarget, height_patches: HeightPatches, *, settings: QuiltSettings, seed: int) -> Quilt:
    """Lay patches of the height maps over the vertices that are not observed.

    From the rim inwards, each patch is the window of observed skin that best continues what already lies around it
    (squared differences, Efros and Freeman 2001), has the target band power, comes from near and has not been used
    before. Patches meet along the minimum cut through their overlap (Kwatra et al. 2003).

    Raises
    ------
    ValueError
        When no height map has room for a patch.
    """
    bank = PatchBank(height_patches, settings.radius_mm)
    if not len(bank.windows):
        raise ValueError("no window of observed skin is large enough to take a patch of relief from")
    generator = np.random.default_rng(seed)
    state = _QuiltState(target, height_patches.bands.shape[1])
    tree = cKDTree(target.points)
    missing = np.flatnonzero(~target.observed)
    inwards = missing[np.argsort(target.depth[missing], kind="stable")]
    for centre in min_distance_subset(target.points, settings.spacing_mm, inwards).tolist():
        _place_patch(state, bank, tree, centre, settings=settings, generator=generator)
    for lone in np.flatnonzero(~target.observed & ~state.filled).tolist():
        if not state.filled[lone]:
            _place_patch(state, bank, tree, lone, settings=settings, generator=generator)
    return Quilt(state.bands, state.source)


class _QuiltState:
    """What has been laid so far on the P vertices of the target."""

    def __init__(self, target: QuiltTarget, bands: int) -> None:
        self.target = target
        self.bands = np.zeros((len(target.points), bands))
        self.filled = np.zeros(len(target.points), bool)
        self.source = np.full(len(target.points), -1)

    def relief(self, ids: Ints) -> tuple[Floats, Bools]:
        """Relief to be continued at these vertices and where there is any; observed relief comes first."""
        observed = self.target.observed[ids]
        return np.where(observed, self.target.relief[ids], self.bands[ids].sum(1)), observed | self.filled[ids]


def _place_patch(
    state: _QuiltState,
    bank: PatchBank,
    tree: cKDTree,
    centre: int,
    *,
    settings: QuiltSettings,
    generator: np.random.Generator,
) -> None:
    """Choose the patch around a vertex, lay it, and note that its source was used."""
    target, pixel = state.target, bank.height_patches.pixel_mm
    ids, straight = _window(target, tree, centre, settings.radius_mm)
    half = int(np.ceil(settings.radius_mm / pixel))
    relief, laid = state.relief(ids)
    directed = np.linalg.norm(target.direction[centre]) >= settings.min_coherence
    angles = settings.rotations_deg if directed else (0.0,)
    windows = [straight @ _row_rotation(angle) for angle in angles]
    images = [rasterize(offsets[laid], relief[laid], half=half, pixel=pixel) for offsets in windows]
    cost = _cost(bank, target, centre, images=images, angles=angles, settings=settings)
    turn, pick = divmod(_draw_among_best(cost.ravel(), settings.candidates, generator), cost.shape[1])
    offsets, image = windows[turn], images[turn][0]
    sampled, log_power = bank.sample(pick, offsets)
    limit = np.log(settings.max_gain)
    # One factor a patch and band: skin is patchy, and levelling each spot would take that away.
    sampled = sampled * np.exp(np.clip(0.5 * (target.log_power[ids] - log_power).mean(0), -limit, limit))
    share = blend_weights(
        offsets, state.filled[ids], sampled.sum(1), image=image, half=half, pixel=pixel, feather=settings.feather_mm
    )
    state.bands[ids] = share[:, None] * sampled + (1 - share[:, None]) * state.bands[ids]
    state.source[ids] = np.where(share > 0.5, bank.windows[pick, 0], state.source[ids])
    state.filled[ids] = True
    distance = np.linalg.norm(bank.points - bank.points[pick], axis=1)
    bank.used += np.exp(-0.5 * (distance / (0.5 * settings.radius_mm)) ** 2)


def _window(target: QuiltTarget, tree: cKDTree, centre: int, radius: float) -> tuple[Ints, Floats]:
    """Vertices around a centre and their offsets in its tangent plane, with the true distance kept."""
    ids = np.array(tree.query_ball_point(target.points[centre], radius, return_sorted=True))
    ids = ids[target.normals[ids] @ target.normals[centre] > MIN_WINDOW_COSINE]
    offset = target.points[ids] - target.points[centre]
    flat = offset @ tangent_frames(target.normals[centre])[:2].T
    stretch = np.linalg.norm(offset, axis=1) / np.maximum(np.linalg.norm(flat, axis=1), 1e-9)
    return ids, flat * np.clip(stretch, 1.0, MAX_STRETCH)[:, None]


def _cost(
    bank: PatchBank,
    target: QuiltTarget,
    centre: int,
    *,
    images: list[tuple[Singles, Singles]],
    angles: tuple[float, ...],
    settings: QuiltSettings,
) -> Floats:
    """What every window costs at each angle, (T, A), given what lies there already as its image and mask."""
    log_power, direction = target.log_power[centre], target.direction[centre]
    away = np.linalg.norm(bank.points - target.points[centre], axis=1)
    cost = settings.power_weight * ((bank.log_power - log_power) ** 2).mean(1)
    cost += settings.repeat_weight * bank.used
    cost += settings.distance_weight * (away / DISTANCE_UNIT_MM) ** 2
    total = np.tile(cost, (len(angles), 1))
    for row, angle, (image, mask) in zip(total, angles, images, strict=True):
        # an angle counts twice in a direction, which has no front and back
        mismatch = bank.direction @ _row_rotation(-2.0 * angle) - direction
        row += settings.direction_weight * (mismatch**2).sum(1)
        if mask.sum() > 0:
            row += bank.misfit(image, mask) / (mask.sum() * np.exp(log_power).sum())
    return total


def _row_rotation(angle_deg: float) -> Floats:
    """Matrix (2, 2) for rows that rotates points by minus the angle: what is read there is rotated by the angle."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s], [s, c]])


def _draw_among_best(cost: Floats, candidates: int, generator: np.random.Generator) -> int:
    best = np.argpartition(cost, min(candidates, len(cost) - 1))[:candidates]
    return int(best[generator.integers(len(best))])
