"""Shaded orthographic pictures of meshes and point sets, rendered by ray casting or splatting without a display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals
from facecom.scan.surface_reconstruction import estimate_normals, point_spacing

Image = NDArray[np.uint8]
MAX_VERTICES = 150_000
"""Meshes with more are clustered first: many of their vertices would share a pixel."""
LIGHT_DIRECTION = unit(np.array([-0.35, 0.5, 0.8]))
"""From the surface to the light, in the axes of the picture: above and to the left of the viewer."""
AMBIENT, DIFFUSE = 0.22, 0.78
"""Shares of the light that reach a surface from all sides, and from the light's direction."""
BACK_FACE_TINT = (0.55, 0.6, 0.75)
"""The inside of a surface is dark and bluish."""
CAMERA_DISTANCE_MM = 1000.0
"""From the frame's centre to the origins of the rays, outside of any head."""
HALF_EXTENT = 0.54
"""Half side of a frame in sizes of its content: a margin of four hundredths on each side."""
SPLAT_RADIUS, MAX_SPLAT_PIXELS = 0.6, 4
"""Half side of a point's square, in spacings of the points so that no gaps show, and at most, in pixels."""
WHITE = 255


@dataclass(frozen=True)
class ViewDirection:
    """Direction of the viewer: yaw to the subject's left and pitch upwards, radians; zero is in front of the face."""

    name: str
    yaw: float = 0.0
    pitch: float = 0.0

    def axes(self) -> Floats:
        """Axes of the picture in the face frame, rows right, up, to the viewer, (3, 3)."""
        a, b = self.yaw, self.pitch
        to_viewer = np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
        right = np.array([np.cos(a), 0.0, -np.sin(a)])
        return np.stack([right, np.cross(to_viewer, right), to_viewer])


@dataclass(frozen=True, eq=False)
class Frame:
    """The square that a picture shows.

    center : (3,), face frame, mm; half_mm : half its side; size : pixels a side
    """

    center: Floats
    half_mm: float
    size: int

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel, mm."""
        return 2 * self.half_mm / self.size

    @classmethod
    def around(cls, vertices: Floats, *, size: int) -> Frame:
        """A frame that holds vertices (V, 3) with a small margin."""
        low, high = vertices.min(0), vertices.max(0)
        return cls((low + high) / 2, HALF_EXTENT * float((high - low).max()), size)


class MeshRenderer:
    """Renders a mesh or point set from any direction and in any colours.

    Parameters
    ----------
    mesh : Mesh, face frame, mm
    pixel_mm : float
        Side of a pixel of the pictures; vertices of a large mesh are clustered to this size.

    What a view shows is cached, so that the same view in other colours costs little.

    Examples
    --------
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> renderer = MeshRenderer(flat, pixel_mm=1.0)
    >>> renderer.shade((0.5, 0.5, 0.5), ViewDirection("front"), Frame(np.zeros(3), 10.0, 20)).shape
    (20, 20, 3)
    """

    def __init__(self, mesh: Mesh, *, pixel_mm: float) -> None:
        self._grid: VertexGrid | None = None
        if len(mesh.vertices) > MAX_VERTICES:
            self._grid = VertexGrid(mesh.vertices, cell_mm=pixel_mm)
            mesh = self._grid.cluster(mesh)
        self.mesh = mesh
        self._visible: dict[tuple[ViewDirection, Frame], _VisiblePixels] = {}
        if len(mesh.faces):
            self._surface = Surface(mesh)
            self._normals = vertex_normals(mesh.vertices, mesh.faces)
        else:
            self._normals = estimate_normals(mesh.vertices) if mesh.normals is None else unit(mesh.normals)
            spacing = point_spacing(mesh.vertices)
            self._splat_pixels = int(np.clip(round(SPLAT_RADIUS * spacing / pixel_mm), 0, MAX_SPLAT_PIXELS))

    def shade(self, colors: ArrayLike, view: ViewDirection, frame: Frame) -> Image:
        """Render a picture on white.

        Parameters
        ----------
        colors : (3,) or (V, 3) float in 0..1, albedo
        view : ViewDirection
        frame : Frame

        Returns
        -------
        (size, size, 3) uint8
        """
        albedo = np.asarray(colors, np.float32)
        if albedo.ndim == 2 and self._grid is not None:
            albedo = self._grid.mean(albedo).astype(np.float32)
        if (view, frame) not in self._visible:
            find_visible = self._cast_rays if len(self.mesh.faces) else self._splat_points
            self._visible[view, frame] = find_visible(view.axes(), frame)
        visible = self._visible[view, frame]
        shown = albedo if albedo.ndim == 1 else _weighted(albedo, visible.corners, visible.weights)
        flat = np.full((frame.size**2, 3), WHITE, np.uint8)
        flat[visible.pixels] = np.rint(WHITE * np.clip(shown * visible.light, 0, 1))
        return flat.reshape(frame.size, frame.size, 3)

    def _cast_rays(self, axes: Floats, frame: Frame) -> _VisiblePixels:
        """The pixels whose rays hit the surface."""
        along = (np.arange(frame.size) + 0.5) * frame.pixel_mm - frame.half_mm
        x, y = np.meshgrid(along, -along)
        origins = frame.center + x.reshape(-1, 1) * axes[0] + y.reshape(-1, 1) * axes[1] + CAMERA_DISTANCE_MM * axes[2]
        hits = self._surface.cast(origins, -axes[2])
        pixels = np.flatnonzero(hits.faces >= 0)
        corners, weights = self.mesh.faces[hits.faces[pixels]], hits.barycentric[pixels].astype(np.float32)
        normals = unit(_weighted(self._normals, corners, hits.barycentric[pixels]))
        return _VisiblePixels(pixels, corners, weights, _shading(normals @ axes.T))

    def _splat_points(self, axes: Floats, frame: Frame) -> _VisiblePixels:
        """The pixels that points cover, each with the foremost of its points."""
        position = (self.mesh.vertices - frame.center) @ axes.T
        middle = np.floor((position[:, :2] * [1, -1] + frame.half_mm) / frame.pixel_mm).astype(np.int64)
        reach = np.arange(-self._splat_pixels, self._splat_pixels + 1)
        spread = np.stack(np.meshgrid(reach, reach), -1).reshape(-1, 2)
        pixel = (middle[:, None] + spread).reshape(-1, 2)
        point = np.repeat(np.arange(len(position)), len(spread))
        inside = ((pixel >= 0) & (pixel < frame.size)).all(1)
        index, point = pixel[inside, 1] * frame.size + pixel[inside, 0], point[inside]
        order = np.lexsort((-position[point, 2], index))
        pixels, first = np.unique(index[order], return_index=True)
        shown = point[order[first]]
        normals = self._normals[shown]
        to_viewer = normals * np.where(normals @ axes[2] < 0, -1.0, 1.0)[:, None]
        weights = np.ones((len(shown), 1), np.float32)
        return _VisiblePixels(pixels, shown[:, None], weights, _shading(to_viewer @ axes.T))


@dataclass(frozen=True, eq=False)
class _VisiblePixels:
    """P pixels that show the surface: flat index, vertices (P, K) with weights (P, K), and shading (P, 3)."""

    pixels: Ints
    corners: Ints
    weights: NDArray[np.float32]
    light: NDArray[np.float32]


def _weighted(values: NDArray[Any], corners: Ints, weights: NDArray[Any]) -> NDArray[Any]:
    """Weighted sum of the values (V, 3) of each row of corners."""
    out = weights[:, :1] * values[corners[:, 0]]
    for k in range(1, corners.shape[1]):
        out += weights[:, k : k + 1] * values[corners[:, k]]
    return out


class VertexGrid:
    """Vertex clustering on a regular grid, for pictures (Rossignac and Borrel 1993).

    Parameters
    ----------
    points : (V, 3) float
    cell_mm : float, side of a cell

    Attributes
    ----------
    cell : (V,) int, the occupied cell of each point; representative : (C,) int, one point of each occupied cell

    Examples
    --------
    >>> grid = VertexGrid(np.array([[0.0, 0, 0], [0.1, 0, 0], [3, 0, 0]]), cell_mm=1.0)
    >>> grid.cell.tolist(), grid.mean([[1.0], [2.0], [5.0]]).tolist()
    ([0, 0, 1], [[1.5], [5.0]])
    """

    def __init__(self, points: Floats, *, cell_mm: float) -> None:
        cell = np.floor((points - points.min(0)) / cell_mm).astype(np.int64)
        key = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))
        _, self.representative, self.cell, self._count = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )

    def mean(self, values: ArrayLike) -> Floats:
        """Mean of values (V, K) in each cell, (C, K)."""
        return np.stack([np.bincount(self.cell, column) / self._count for column in np.asarray(values).T], axis=1)

    def cluster(self, mesh: Mesh) -> Mesh:
        """The mesh with one vertex a cell, without the triangles that degenerate."""
        faces = self.cell[mesh.faces]
        whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        normals = None if mesh.normals is None else self.mean(mesh.normals)
        return Mesh(self.mean(mesh.vertices), faces[whole], normals=normals)


def _shading(normals: Floats) -> NDArray[np.float32]:
    """Lambertian shading (P, 3) of normals (P, 3) in the axes of the picture, back faces tinted."""
    is_back = normals[:, 2] < 0
    cosine = np.clip(np.where(is_back, -1, 1) * (normals @ LIGHT_DIRECTION), 0, 1)
    shading = np.repeat((AMBIENT + DIFFUSE * cosine)[:, None], 3, axis=1).astype(np.float32)
    shading[is_back] *= np.array(BACK_FACE_TINT, np.float32)
    return shading
