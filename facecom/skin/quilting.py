"""Making relief: patches of a person's own skin laid over a curved surface, each chosen to continue what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates, spline_filter
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints
from facecom.skin.patch_seams import patch_share, raster
from facecom.skin.relief import HeightPatches, Singles, distance_transform_edt_stack, tangent_frames


@dataclass(frozen=True)
class QuiltSettings:
    """How patches are chosen and laid.

    radius_mm : radius of a patch; spacing_mm : distance of patch centres; energy_weight, direction_weight,
    repeat_weight, far_weight : what a mismatch of local band energies (nepers squared) and of directions (squared), a
    source used before, and a source 10 mm away cost in units of the relative squared misfit; turns_deg : how far a
    patch may be turned where the skin has a direction; least_coherence : from which length of the wanted direction on
    it has one; choices : among how many of the best the draw is made; gain_limit :
    largest factor by which a band of a patch is scaled towards the wanted energy; feather_mm : width of the cut.
    """

    radius_mm: float = 3.25
    spacing_mm: float = 3.0
    energy_weight: float = 0.35
    direction_weight: float = 0.5
    turns_deg: tuple[float, ...] = (0.0, -35.0, 35.0)
    least_coherence: float = 0.15
    repeat_weight: float = 1.0
    far_weight: float = 0.05
    choices: int = 4
    gain_limit: float = 1.8
    feather_mm: float = 0.2


@dataclass(frozen=True, eq=False)
class QuiltTarget:
    """The surface on which relief is made: P vertices.

    points, normals : (P, 3); known : (P,) bool, measured vertices; relief : (P,) mm, theirs; depth : (P,) mm, distance
    into what is missing, negative where measured; energy : (P, B), wanted logarithm of the mean square of each band;
    direction : (P, 2), which way the relief should run, as `local_direction` measures it.
    """

    points: Floats
    normals: Floats
    known: Bools
    relief: Floats
    depth: Floats
    energy: Floats
    direction: Floats


@dataclass(frozen=True, eq=False)
class Quilt:
    """Relief made on P vertices: bands (P, B) mm, source (P,) int: chart index or -1."""

    bands: Floats
    source: Ints


class _Bank:
    """The charts made ready for search: spectra, spline coefficients, allowed centres."""

    def __init__(self, charts: HeightPatches, radius_mm: float) -> None:
        self.charts = charts
        image = charts.bands.sum(1)
        self.size = image.shape[-1]
        self.spectrum = scipy.fft.rfft2(image, workers=-1)
        self.squared = scipy.fft.rfft2(image**2, workers=-1)
        self.allowed = _allowed(charts, radius_mm)
        n, y, x = self.allowed.T
        self.energy = charts.energy[n, :, y, x].astype(float)
        self.direction = charts.direction[n, :, y, x].astype(float)
        self.points = charts.points[n, y, x].astype(float)
        self.used = np.zeros(len(self.allowed))
        self.coefficients = np.stack([[spline_filter(b, 3, output=np.float32) for b in c] for c in charts.bands])

    def misfit(self, wanted: Singles, mask: Singles) -> Floats:
        """Sum of squared differences between `wanted` where `mask` and every allowed window."""
        half = wanted.shape[0] // 2
        sheet = np.zeros((2, self.size, self.size), np.float32)
        sheet[0, : len(mask), : len(mask)] = wanted * mask
        sheet[1, : len(mask), : len(mask)] = mask
        product, square = np.conj(scipy.fft.rfft2(np.roll(sheet, (-half, -half), (1, 2))))
        total = scipy.fft.irfft2(self.squared * square - 2 * self.spectrum * product, s=(self.size,) * 2, workers=-1)
        n, y, x = self.allowed.T
        return np.maximum(total[n, y, x] + float((mask * wanted**2).sum()), 0.0)

    def sample(self, pick: int, offsets: Floats) -> tuple[Floats, Floats]:
        """Bands and energies, each (Q, B), of a chosen window at offsets (Q, 2) in mm from its centre."""
        n, y, x = self.allowed[pick]
        at = offsets[:, ::-1].T / self.charts.pixel_mm + np.array([[y], [x]])
        cubic = [map_coordinates(c, at, order=3, prefilter=False, mode="nearest") for c in self.coefficients[n]]
        energy = [map_coordinates(e, at, order=1, mode="nearest") for e in self.charts.energy[n]]
        return np.stack(cubic, 1).astype(float), np.stack(energy, 1).astype(float)


def _allowed(charts: HeightPatches, radius_mm: float) -> Ints:
    """Chart, row and column of every pixel with a whole patch of valid pixels around it, (A, 3)."""
    padded = np.pad(charts.valid, ((0, 0), (1, 1), (1, 1)))
    room = distance_transform_edt_stack(padded)[:, 1:-1, 1:-1]
    return np.argwhere(room > radius_mm / charts.pixel_mm + 1)


def has_room(charts: HeightPatches, radius_mm: float) -> bool:
    """Whether some chart shows a whole patch of valid skin."""
    return len(charts.centres) > 0 and len(_allowed(charts, radius_mm)) > 0


def quilt(target: QuiltTarget, charts: HeightPatches, *, settings: QuiltSettings, seed: int) -> Quilt:
    """Lay patches of the charts over the vertices that are not known.

    From the rim inwards, each patch is the window of seen skin that continues best what already lies around it
    (squared differences, Efros and Freeman 2001), has the wanted band energies, comes from near and has not been used
    before. Patches join along the minimal cut (Kwatra et al. 2003) through their overlap.

    Raises
    ------
    ValueError
        When no chart has room for a patch.
    """
    bank = _Bank(charts, settings.radius_mm)
    if not len(bank.allowed):
        raise ValueError("no window of seen skin is large enough to take a patch of relief from")
    generator = np.random.default_rng(seed)
    state = _State(target, charts.bands.shape[1])
    tree = cKDTree(target.points)
    for centre in _centres(target, tree, settings.spacing_mm):
        _lay(state, bank, tree, centre, settings, generator)
    left = np.flatnonzero(~target.known & ~state.filled)
    for lone in left.tolist():
        if not state.filled[lone]:
            _lay(state, bank, tree, lone, settings, generator)
    return Quilt(state.bands, state.source)


class _State:
    def __init__(self, target: QuiltTarget, bands: int) -> None:
        self.target = target
        self.bands = np.zeros((len(target.points), bands))
        self.filled = np.zeros(len(target.points), bool)
        self.source = np.full(len(target.points), -1)

    def relief(self, ids: Ints) -> tuple[Floats, Bools]:
        """Relief to be continued at these vertices and where there is any; measured relief comes first."""
        measured = self.target.known[ids]
        return np.where(measured, self.target.relief[ids], self.bands[ids].sum(1)), measured | self.filled[ids]


def _centres(target: QuiltTarget, tree: cKDTree, spacing: float) -> list[int]:
    missing = np.flatnonzero(~target.known)
    order = missing[np.argsort(target.depth[missing], kind="stable")]
    free = np.ones(len(target.points), bool)
    chosen = []
    for k in order:
        if free[k]:
            chosen.append(int(k))
            free[tree.query_ball_point(target.points[k], spacing)] = False
    return chosen


def _lay(
    state: _State, bank: _Bank, tree: cKDTree, centre: int, settings: QuiltSettings, rng: np.random.Generator
) -> None:
    target, pixel = state.target, bank.charts.pixel_mm
    ids, straight = _window(target, tree, centre, settings.radius_mm)
    wide = int(np.ceil(settings.radius_mm / pixel))
    relief, there = state.relief(ids)
    directed = np.linalg.norm(target.direction[centre]) >= settings.least_coherence
    angles = settings.turns_deg if directed else (0.0,)
    windows = [straight @ _turned(angle) for angle in angles]
    images = [raster(offsets[there], relief[there], wide=wide, pixel=pixel) for offsets in windows]
    cost = _cost(bank, target, centre, images, angles, settings)
    turn, pick = divmod(_draw(cost.ravel(), settings.choices, rng), cost.shape[1])
    offsets, image = windows[turn], images[turn][0]
    sampled, energy = bank.sample(pick, offsets)
    limit = np.log(settings.gain_limit)
    # One factor a patch and band: skin is patchy, and evening out each spot would take that away.
    sampled = sampled * np.exp(np.clip(0.5 * (target.energy[ids] - energy).mean(0), -limit, limit))
    old = state.filled[ids]
    share = patch_share(offsets, old, sampled.sum(1), image=image, wide=wide, pixel=pixel, feather=settings.feather_mm)
    state.bands[ids] = share[:, None] * sampled + (1 - share[:, None]) * state.bands[ids]
    state.source[ids] = np.where(share > 0.5, bank.allowed[pick, 0], state.source[ids])
    state.filled[ids] = True
    gap = np.linalg.norm(bank.points - bank.points[pick], axis=1)
    bank.used += np.exp(-0.5 * (gap / (0.5 * settings.radius_mm)) ** 2)


def _window(target: QuiltTarget, tree: cKDTree, centre: int, radius: float) -> tuple[Ints, Floats]:
    """Vertices around a centre and their offsets in its tangent plane, with the true distance kept."""
    ids = np.array(tree.query_ball_point(target.points[centre], radius, return_sorted=True))
    ids = ids[target.normals[ids] @ target.normals[centre] > 0.35]
    gap = target.points[ids] - target.points[centre]
    flat = gap @ tangent_frames(target.normals[centre])[:2].T
    stretch = np.linalg.norm(gap, axis=1) / np.maximum(np.linalg.norm(flat, axis=1), 1e-9)
    return ids, flat * np.clip(stretch, 1.0, 1.5)[:, None]


def _cost(
    bank: _Bank,
    target: QuiltTarget,
    centre: int,
    images: list[tuple[Singles, Singles]],
    angles: tuple[float, ...],
    settings: QuiltSettings,
) -> Floats:
    """What every allowed window costs at each angle, (T, A), given what lies there already as its image and mask."""
    wanted, direction = target.energy[centre], target.direction[centre]
    cost = settings.energy_weight * ((bank.energy - wanted) ** 2).mean(1)
    cost += settings.repeat_weight * bank.used
    cost += settings.far_weight * (np.linalg.norm(bank.points - target.points[centre], axis=1) / 10.0) ** 2
    total = np.tile(cost, (len(angles), 1))
    for row, angle, (image, mask) in zip(total, angles, images, strict=True):
        # an angle counts twice in a direction, which has no front and back
        across = bank.direction @ _turned(-2.0 * angle) - direction
        row += settings.direction_weight * (across**2).sum(1)
        if mask.sum() > 0:
            row += bank.misfit(image, mask) / (mask.sum() * np.exp(wanted).sum())
    return total


def _turned(angle_deg: float) -> Floats:
    """Matrix (2, 2) for rows: turns points by minus the angle, so that what is read there is turned by the angle."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s], [s, c]])


def _draw(cost: Floats, choices: int, rng: np.random.Generator) -> int:
    best = np.argpartition(cost, min(choices, len(cost) - 1))[:choices]
    return int(best[rng.integers(len(best))])


def continue_over_rim(quilted: Floats, target: QuiltTarget, *, reach_mm: float) -> Floats:
    """Relief (P,) of all vertices: measured where known, made elsewhere, bent to meet the measured at the rim."""
    near = target.known & (target.depth > -0.3)
    out = np.where(target.known, target.relief, quilted)
    ids = np.flatnonzero(~target.known & (target.depth < 3 * reach_mm))
    if not near.any() or not len(ids):
        return out
    tree = cKDTree(target.points[near])
    distance, found = tree.query(target.points[ids], k=min(8, int(near.sum())), workers=-1)
    gap = (target.relief - quilted)[near]
    weight = np.exp(-0.5 * ((distance - distance[:, :1]) / 0.2) ** 2)
    jump = (weight * gap[found]).sum(1) / weight.sum(1)
    out[ids] += jump * np.exp(-0.5 * (distance[:, 0] / reach_mm) ** 2)
    return out


def expected_skewness(charts: HeightPatches, prior: float, share: float) -> float:
    """Skewness that the made relief should have: the measured one, drawn to `prior` with weight `share`."""
    image = charts.bands[:, :3].sum(1).astype(float)
    full = np.flatnonzero(charts.valid.mean((1, 2)) > 0.8)
    if not len(full):
        return prior
    each = [_skewness(image[k][charts.valid[k]]) for k in full]
    return (1 - share) * float(np.median(each)) + share * prior


def _skewness(values: Floats) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(centred.std(), 1e-12) ** 3)


def skewness_offset(relief: Floats, target: QuiltTarget, *, wanted: float) -> Floats:
    """Small quadratic change (P,) of made relief that gives its histogram the wanted skewness."""
    spread = np.sqrt(np.exp(target.energy[:, :3]).sum(1))
    unit_relief = relief / np.maximum(spread, 1e-9)
    made = ~target.known
    amount = np.clip((wanted - _skewness(np.clip(unit_relief[made], -4, 4))) / 6.0, -0.12, 0.12)
    return amount * spread * np.clip(unit_relief**2 - 1.0, -1.0, 8.0) * made
