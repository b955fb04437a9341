"""Shaded pictures of meshes and point sets without a display: orthographic, seen from a direction in the face frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals
from facecom.scan.surface_reconstruction import estimate_normals, point_spacing

Image = NDArray[np.uint8]
# Above this many vertices many share a pixel.
MOST_KEPT = 150_000
_LIGHT = unit(np.array([-0.35, 0.5, 0.8]))
_FAR_MM = 1000.0


@dataclass(frozen=True)
class ViewDirection:
    """Where the viewer stands: yaw towards the subject's left and pitch upwards, radians, from straight in front."""

    name: str
    yaw: float = 0.0
    pitch: float = 0.0

    def axes(self) -> Floats:
        """Rows: image right, image up, towards the viewer, in the face frame, (3, 3)."""
        a, b = self.yaw, self.pitch
        towards = np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
        right = np.array([np.cos(a), 0.0, -np.sin(a)])
        return np.stack([right, np.cross(towards, right), towards])


@dataclass(frozen=True, eq=False)
class Frame:
    """The square that a picture shows: centre (3,) and half side, mm, in the face frame; size : pixels a side."""

    centre: Floats
    half: float
    size: int

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel."""
        return 2 * self.half / self.size

    @classmethod
    def around(cls, vertices: Floats, *, size: int) -> Frame:
        """Show all vertices with a small margin, whatever the view."""
        low, high = vertices.min(0), vertices.max(0)
        return cls((low + high) / 2, 0.54 * float((high - low).max()), size)


class Drawing:
    """A mesh or point set ready to be drawn from any side and in any colours.

    Parameters
    ----------
    mesh : Mesh, face frame, mm
    pixel_mm : float
        Side of a pixel in the pictures to come: what is finer is merged first.

    What a side shows is kept, so that the same side in other colours costs little.
    """

    def __init__(self, mesh: Mesh, *, pixel_mm: float) -> None:
        self._cells: Cells | None = None
        if len(mesh.vertices) > MOST_KEPT:
            self._cells = Cells(mesh.vertices, cell_mm=pixel_mm)
            mesh = self._cells.merged(mesh)
        self.mesh = mesh
        self._seen: dict[tuple[ViewDirection, Frame], _Seen] = {}
        if len(mesh.faces):
            self._surface = Surface(mesh)
            self._normals = vertex_normals(mesh.vertices, mesh.faces)
        else:
            self._normals = estimate_normals(mesh.vertices) if mesh.normals is None else unit(mesh.normals)
            self._dot = int(np.clip(round(0.6 * point_spacing(mesh.vertices) / pixel_mm), 0, 4))

    def shade(self, colors: ArrayLike, view: ViewDirection, frame: Frame) -> Image:
        """Draw the picture, (size, size, 3) uint8, on white.

        colors : (3,) or (V, 3) float in 0..1, what the light falls on
        """
        paint = np.asarray(colors, np.float32)
        if paint.ndim == 2 and self._cells is not None:
            paint = self._cells.mean(paint).astype(np.float32)
        if (view, frame) not in self._seen:
            self._seen[view, frame] = (self._rays if len(self.mesh.faces) else self._dots)(view.axes(), frame)
        seen = self._seen[view, frame]
        shown = paint if paint.ndim == 1 else _weighted(paint, seen.corners, seen.weights)
        flat = np.full((frame.size**2, 3), 255, np.uint8)
        flat[seen.pixels] = np.rint(255 * np.clip(shown * seen.light, 0, 1))
        return flat.reshape(frame.size, frame.size, 3)

    def _rays(self, axes: Floats, frame: Frame) -> _Seen:
        """What the pixels that show the surface see of it."""
        along = (np.arange(frame.size) + 0.5) * frame.pixel_mm - frame.half
        x, y = np.meshgrid(along, -along)
        origins = frame.centre + x.reshape(-1, 1) * axes[0] + y.reshape(-1, 1) * axes[1] + _FAR_MM * axes[2]
        hits = self._surface.cast(origins, -axes[2])
        pixels = np.flatnonzero(hits.faces >= 0)
        corners, weights = self.mesh.faces[hits.faces[pixels]], hits.barycentric[pixels].astype(np.float32)
        normals = unit(_weighted(self._normals, corners, hits.barycentric[pixels]))
        return _Seen(pixels, corners, weights, _light(normals @ axes.T))

    def _dots(self, axes: Floats, frame: Frame) -> _Seen:
        """The same for the foremost of the points whose dots cover each pixel."""
        place = (self.mesh.vertices - frame.centre) @ axes.T
        middle = np.floor((place[:, :2] * [1, -1] + frame.half) / frame.pixel_mm).astype(np.int64)
        reach = np.arange(-self._dot, self._dot + 1)
        spread = np.stack(np.meshgrid(reach, reach), -1).reshape(-1, 2)
        pixel = (middle[:, None] + spread).reshape(-1, 2)
        point = np.repeat(np.arange(len(place)), len(spread))
        inside = ((pixel >= 0) & (pixel < frame.size)).all(1)
        index, point = pixel[inside, 1] * frame.size + pixel[inside, 0], point[inside]
        order = np.lexsort((-place[point, 2], index))
        pixels, first = np.unique(index[order], return_index=True)
        shown = point[order[first]]
        normals = self._normals[shown]
        towards = normals * np.where(normals @ axes[2] < 0, -1.0, 1.0)[:, None]
        return _Seen(pixels, shown[:, None], np.ones((len(shown), 1), np.float32), _light(towards @ axes.T))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Of P pixels: their places in the picture, the vertices (P, K) that each shows with weights, and the light."""

    pixels: Ints
    corners: Ints
    weights: NDArray[np.float32]
    light: NDArray[np.float32]


def _weighted(values: NDArray[Any], corners: Ints, weights: NDArray[Any]) -> NDArray[Any]:
    """Sum of the values (V, 3) of each row of corners, by its weights."""
    out = weights[:, :1] * values[corners[:, 0]]
    for k in range(1, corners.shape[1]):
        out += weights[:, k : k + 1] * values[corners[:, k]]
    return out


class Cells:
    """The cells of a lattice that points (V, 3) lie in: quick merging, for pictures.

    of : (V,) int, the cell of each point; first : (C,) int, one point of each cell
    """

    def __init__(self, points: Floats, *, cell_mm: float) -> None:
        cell = np.floor((points - points.min(0)) / cell_mm).astype(np.int64)
        key = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))
        _, self.first, self.of, self._count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)

    def mean(self, values: ArrayLike) -> Floats:
        """Mean of values (V, K) in each cell."""
        return np.stack([np.bincount(self.of, column) / self._count for column in np.asarray(values).T], axis=1)

    def merged(self, mesh: Mesh) -> Mesh:
        """The mesh with one vertex a cell, without the triangles that shrink to less."""
        faces = self.of[mesh.faces]
        whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        normals = None if mesh.normals is None else self.mean(mesh.normals)
        return Mesh(self.mean(mesh.vertices), faces[whole], normals=normals)


def _light(normals: Floats) -> NDArray[np.float32]:
    """Share (P, 3) of each colour that comes back to the viewer, under a light from above left.

    The inside of a surface is dark and bluish.
    """
    behind = normals[:, 2] < 0
    cosine = np.clip(np.where(behind, -1, 1) * (normals @ _LIGHT), 0, 1)
    light = np.repeat((0.22 + 0.78 * cosine)[:, None], 3, axis=1).astype(np.float32)
    light[behind] *= np.array([0.55, 0.6, 0.75], np.float32)
    return light
