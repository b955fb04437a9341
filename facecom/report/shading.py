"""Shaded pictures of meshes and point sets without a display: orthographic, seen from a direction in the face frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.scan.surface import estimate_normals, point_spacing

Image = NDArray[np.uint8]
# Above this many vertices many share a pixel.
MOST_KEPT = 150_000
_LIGHT = unit(np.array([-0.35, 0.5, 0.8]))
_FAR_MM = 1000.0


@dataclass(frozen=True)
class View:
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
    """A mesh or point set ready to be drawn from any side.

    Parameters
    ----------
    mesh : Mesh, face frame, mm
    colors : (V, 3) float in 0..1, what the light falls on
    pixel_mm : float
        Side of a pixel in the pictures to come: what is finer is merged first.
    """

    def __init__(self, mesh: Mesh, colors: Floats, *, pixel_mm: float) -> None:
        if len(mesh.vertices) > MOST_KEPT:
            mesh, colors = merge_cells(mesh, colors, cell_mm=pixel_mm)
        self.mesh, self.colors = mesh, colors
        if len(mesh.faces):
            self._surface = Surface(mesh)
            self._normals = vertex_normals(mesh.vertices, mesh.faces)
        else:
            self._normals = estimate_normals(mesh.vertices) if mesh.normals is None else unit(mesh.normals)
            self._dot = int(np.clip(round(0.6 * point_spacing(mesh.vertices) / pixel_mm), 0, 4))

    def shade(self, view: View, frame: Frame) -> Image:
        """Draw the picture, (size, size, 3) uint8, on white."""
        draw = self._rays if len(self.mesh.faces) else self._dots
        pixels, normals, colors = draw(view.axes(), frame)
        flat = np.full((frame.size**2, 3), 255, np.uint8)
        flat[pixels] = np.round(255 * _lit(normals @ view.axes().T, colors))
        return flat.reshape(frame.size, frame.size, 3)

    def _rays(self, axes: Floats, frame: Frame) -> tuple[Ints, Floats, Floats]:
        """Pixels that show the surface, with its normals and colours there."""
        along = (np.arange(frame.size) + 0.5) * frame.pixel_mm - frame.half
        x, y = np.meshgrid(along, -along)
        origins = frame.centre + x.reshape(-1, 1) * axes[0] + y.reshape(-1, 1) * axes[1] + _FAR_MM * axes[2]
        hits = self._surface.cast(origins, -axes[2])
        pixels = np.flatnonzero(hits.faces >= 0)
        corners, weights = self.mesh.faces[hits.faces[pixels]], hits.barycentric[pixels, :, None]
        return pixels, unit((self._normals[corners] * weights).sum(1)), (self.colors[corners] * weights).sum(1)

    def _dots(self, axes: Floats, frame: Frame) -> tuple[Ints, Floats, Floats]:
        """The same from the foremost of the points whose dots cover each pixel."""
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
        return pixels, normals * np.where(normals @ axes[2] < 0, -1.0, 1.0)[:, None], self.colors[shown]


def merge_cells(mesh: Mesh, values: Floats, *, cell_mm: float) -> tuple[Mesh, Floats]:
    """Join the vertices of each cell of a lattice in their mean, and their values (V, K) too: quick, for pictures."""
    cell = np.floor((mesh.vertices - mesh.vertices.min(0)) / cell_mm).astype(np.int64)
    key = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))
    _, new, count = np.unique(key, return_inverse=True, return_counts=True)

    def mean(values: Floats) -> Floats:
        return np.stack([np.bincount(new, column) / count for column in values.T], axis=1)

    faces = new[mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    normals = None if mesh.normals is None else mean(mesh.normals)
    return Mesh(mean(mesh.vertices), faces[whole], normals=normals), mean(values)


def _lit(normals: Floats, colors: Floats) -> Floats:
    """Colours under a light from above left of the viewer; the inside of a surface is dark and bluish."""
    behind = normals[:, 2] < 0
    cosine = np.clip(np.where(behind, -1, 1) * (normals @ _LIGHT), 0, 1)
    shaded = colors * (0.22 + 0.78 * cosine)[:, None]
    shaded[behind] *= [0.55, 0.6, 0.75]
    return shaded
