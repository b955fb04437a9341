"""Windows on skin at pore level: where a piece is looked at, read as height maps, and how two readings compare.

The measures are porebench's: relief is what is finer than a Gaussian of 1 mm, in windows of 10 x 10 mm at 0.1 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, unit, vertex_normals

WINDOW_MM, PIXEL_MM, HIGH_PASS_MM, ABOVE_MM = 10.0, 0.1, 1.0, 12.0
BANDS_MM = ((0.3, 0.6), (0.6, 1.2), (1.2, 2.4))
SHIFTS = ((0, 0), (0.45, 0.1), (-0.1, -0.5), (-0.45, 0.2))
BAND_DB, ROUGHNESS = 1.5, 0.1
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A ball around a point of the skin: near (x, y, z) from the nose tip, x to the subject's left, y up, mm."""

    name: str
    near: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Skin:
    """A head with what reading it needs."""

    mesh: Mesh
    normals: Array
    tree: cKDTree

    @classmethod
    def of(cls, mesh: Mesh) -> Skin:
        """Normals and search tree of a mesh."""
        return cls(mesh, vertex_normals(mesh.vertices, mesh.faces), cKDTree(mesh.vertices))

    def nearest(self, point: Array) -> Array:
        """The vertex closest to a point."""
        return self.mesh.vertices[self.tree.query(point)[1]]

    def around(self, point: Array, radius: float) -> Mesh:
        """The triangles within a ball."""
        near = np.zeros(len(self.mesh.vertices), bool)
        near[self.tree.query_ball_point(point, radius)] = True
        return self.mesh.submesh(near[self.mesh.faces].all(1))[0]

    def centre_of(self, piece: Piece) -> Array:
        """The vertex that a piece lies around."""
        return self.nearest(np.asarray(piece.near))

    def views(self, centre: Array, radius: float) -> Views:
        """Four windows around a vertex, or one where the piece is small."""
        shifts = np.array(SHIFTS if radius > 11 else SHIFTS[:1])
        points = np.array([self.nearest(centre + (radius - 7) * np.array([dx, dy, 0])) for dx, dy in shifts])
        return Views(points, np.array([unit(self.normals[self.tree.query_ball_point(p, 4.0)].mean(0)) for p in points]))


@dataclass(frozen=True, eq=False)
class Views:
    """Points (W, 3) and directions (W, 3) of windows, in the head's frame."""

    points: Array
    normals: Array


def frame(normal: Array) -> tuple[Array, Array]:
    """Directions to the right and up in the plane that is looked at along `normal`."""
    across = unit(np.cross([0.0, 1.0, 0.0], normal))
    return across, np.cross(normal, across)


def height_map(surface: Surface, point: Array, normal: Array, *, half_mm: float) -> tuple[Array, Array]:
    """Height along the normal over a square window, NaN off the surface, and the points of its rays."""
    x, y = frame(normal)
    steps = np.arange(-half_mm, half_mm, PIXEL_MM) + 0.5 * PIXEL_MM
    across, up = np.meshgrid(steps, steps)
    start = point + across[..., None] * x + up[..., None] * y + ABOVE_MM * normal
    depth = surface.cast(start, np.broadcast_to(-normal, start.shape)).depth
    return np.where(np.isfinite(depth) & (depth < 2 * ABOVE_MM), ABOVE_MM - depth, np.nan), start


def windows(surface: Surface, views: Views) -> list[Array]:
    """The height map of each view."""
    return [
        height_map(surface, p, n, half_mm=0.5 * WINDOW_MM)[0] for p, n in zip(views.points, views.normals, strict=True)
    ]


def relief_of(height: Array) -> tuple[Array, Array]:
    """What is finer than a Gaussian of 1 mm, and the rest."""
    there = np.isfinite(height)
    sigma = HIGH_PASS_MM / PIXEL_MM
    total = np.maximum(gaussian_filter(there.astype(float), sigma), 1e-6)
    low = gaussian_filter(np.where(there, height, 0.0), sigma) / total
    return np.where(there, height - low, np.nan), low


def band_energy(relief: Array) -> Array:
    """Energy in each band, (3,)."""
    inner = np.nan_to_num(relief)[10:-10, 10:-10]
    window = np.hanning(len(inner))
    power = np.abs(np.fft.fft2((inner - inner.mean()) * np.outer(window, window))) ** 2
    steps = np.fft.fftfreq(len(inner), PIXEL_MM)
    k = np.hypot(*np.meshgrid(steps, steps))
    return np.array([power[(k >= 1 / b) & (k < 1 / a)].sum() for a, b in BANDS_MM])


@dataclass(frozen=True, eq=False)
class Figures:
    """One set of windows over another.

    bands : (3,) relief in each band in dB; rq, skew : (2,) of the first and the second, rq in micrometres
    shift, shape : mean and spread in mm of what is smoother than relief
    """

    bands: Array
    rq: Array
    skew: Array
    shift: float
    shape: float

    @property
    def ratio(self) -> float:
        """Rq of the first over that of the second."""
        return float(self.rq[0] / self.rq[1])

    @property
    def met(self) -> NDArray[np.bool_]:
        """Three bands within 1.5 dB, Rq within 10 %, skewness of the same sign, (5,)."""
        same = self.skew[0] * self.skew[1] > 0
        return np.array([*(np.abs(self.bands) <= BAND_DB), abs(self.ratio - 1) <= ROUGHNESS, same], bool)


def compared(made: list[Array], true: list[Array]) -> Figures | None:
    """The mean over pairs of windows that are there by nine tenths; None where there is no such pair."""
    rows = []
    for first, second in zip(made, true, strict=True):
        (own, own_low), (real, real_low) = relief_of(first), relief_of(second)
        both = np.isfinite(own) & np.isfinite(real)
        if both.mean() < 0.9:
            continue
        both[:10] = both[-10:] = both[:, :10] = both[:, -10:] = False
        decibel = 10 * np.log10((band_energy(own) + 1e-12) / (band_energy(real) + 1e-12))
        off = (own_low - real_low)[both]
        skew = [_skewness(values[both]) for values in (own, real)]
        rows.append([*decibel, 1e3 * own[both].std(), 1e3 * real[both].std(), *skew, off.mean(), off.std()])
    if not rows:
        return None
    mean = np.mean(rows, axis=0)
    return Figures(mean[:3], mean[3:5], mean[5:7], float(mean[7]), float(mean[8]))


def _skewness(values: Array) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(centred.std(), 1e-9) ** 3)
