"""The intaglio, the inner face of a part: the surface that lies as deep behind the outer face as the part is thick."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unit, vertex_normals
from facecom.prosthesis.shell.border import trim_hidden_border
from facecom.prosthesis.solid.booleans import (
    extrude_to_floor,
    extruded_wall,
    points_in_polygon,
    single_boundary_loop,
    to_mesh,
    to_solid,
)
from facecom.prosthesis.solid.isosurface import isosurface
from facecom.prosthesis.solid.sparse_grid import SparseGrid, sample_narrow_band

SIMPLIFY_CELLS = 0.02
"""Tolerance of the simplification of the isosurface, in grid cells."""
SNAP_CELLS = 0.35
"""Vertices farther from their exact place than this many cells stay: interpolation on the grid blurs creases."""
GRID_PADDING_CELLS = 2.5
"""By how many cells the grid reaches beyond the part."""
REVERT_RINGS = 2
"""Rings of faces around a self-intersection whose vertices are moved back."""
MAX_SLOPE = 0.8
"""The slope of the wanted thickness counts up to this: the default lengths have 0.72 at most, slivers more."""
SLOPE_RINGS = 6
"""So many rings of faces share the greatest slope among them: the nearest face changes from point to point."""
RELIABLE_MM = 0.2
"""Closer to the outer face than this the direction to it is rounding, and its normal is taken."""
BESIDE_BORDER_MM = 0.2
"""Past the border a wall hangs down from it by so much more than the part is thick: on steep skin a longer one is a
thin curtain, and without any the grid would round the border off."""
INSIDE_WALL_MM = 1e-3
"""Points are moved this far inside the block's wall to ask what lies under the outer face there."""


def intaglio_solid(block: Mesh, outer: Mesh, extended: ExtendedSurface, *, spacing: float) -> Any:
    """The manifold3d solid of everything that lies farther behind the outer face than the part is thick.

    Parameters
    ----------
    block : Mesh, closed, all that lies under the part's outer face
    outer : Mesh, that face
    extended : ExtendedSurface, the same face reaching farther over the skin
    spacing : cell of the grid, mm
    """
    grid = extended.grid(spacing)
    bounds = _BlockBounds(block, outer, slack_mm=BESIDE_BORDER_MM)
    depth = _DepthField(extended, grid, bounds, shared=_shared_faces(extended.mesh, outer))
    surface = isosurface(sample_narrow_band(depth, grid), origin=grid.origin, spacing=spacing)
    rough = to_mesh(to_solid(surface).simplify(SIMPLIFY_CELLS * spacing))
    exact, intersects = _moved_where_safe(rough, extended.snapped(rough.vertices, most_mm=SNAP_CELLS * spacing))
    # Simplification can make a few other triangles intersect.
    return to_solid(remove_self_intersections(exact)[0] if intersects else exact)


def _shared_faces(mesh: Mesh, part: Mesh) -> Bools:
    """Faces of a mesh that a part cut out of it still has, (F,)."""
    away, number = cKDTree(part.vertices).query(mesh.vertices, distance_upper_bound=1e-9)
    known = np.where(np.isfinite(away), number, -1)[mesh.faces]
    places = np.array([len(part.vertices) ** 2, len(part.vertices), 1])
    keys, own = (np.sort(faces, axis=1) @ places for faces in (known, part.faces))
    return np.asarray((known >= 0).all(1) & np.isin(keys, own))


def _moved_where_safe(mesh: Mesh, moved: Floats, *, rounds: int = 8) -> tuple[Mesh, bool]:
    """The mesh with its vertices moved, except where it would then intersect itself; and whether it still does."""
    changed = None
    for _ in range(rounds):
        bad = np.unique(self_intersections(mesh.with_vertices(moved), moved=changed)[0])
        if not len(bad):
            return mesh.with_vertices(moved), False
        for _ in range(REVERT_RINGS):
            bad = np.unique(mesh.faces[np.isin(mesh.faces, bad).any(1)])
        if np.array_equal(moved[bad], mesh.vertices[bad]):
            break
        moved = moved.copy()
        moved[bad] = mesh.vertices[bad]
        changed = np.zeros(len(moved), bool)
        changed[bad] = True
    return mesh.with_vertices(moved), True


class ExtendedSurface:
    """An outer face that reaches farther over the skin than the part does, and the thickness wanted behind it.

    Parameters
    ----------
    mesh : Mesh, axis frame
    thickness : (V,) float, mm, wanted at each of its vertices
    block : Mesh, closed, all that lies under the part's outer face; that face may become smaller later, not larger
    floor : z of the block's floor, mm
    """

    def __init__(self, mesh: Mesh, thickness: Floats, *, block: Mesh, floor: float) -> None:
        self.mesh, self._thickness, self._surface = mesh, thickness, Surface(mesh)
        self._normals = vertex_normals(mesh.vertices, mesh.faces)
        self.slope = _depth_slopes(mesh, thickness)
        self._box = block.vertices.min(0), block.vertices.max(0)
        self._grids: dict[float, SparseGrid] = {}
        # Where all of its border is visible, the walls of the block under it stand clear of the part's own.
        with contextlib.suppress(ValueError):
            block = extrude_to_floor(trim_hidden_border(mesh, np.array([0.0, 0.0, 1.0]))[0], floor=floor)
        self._block, self._block_normals = Surface(block), face_normals(block)

    def grid(self, spacing: float) -> SparseGrid:
        """The grid around the part on which its intaglio is found; what was computed on it is kept."""
        if spacing not in self._grids:
            low = self._box[0] - GRID_PADDING_CELLS * spacing
            count = np.ceil((self._box[1] + GRID_PADDING_CELLS * spacing - low) / spacing).astype(int) + 1
            self._grids[spacing] = SparseGrid(low, count, spacing)
        return self._grids[spacing]

    def depth(self, points: Floats) -> tuple[Floats, Floats, Ints]:
        """Depth of points behind the face less the thickness wanted there, that thickness, mm, and nearest faces."""
        found, normals, thickness = self._nearest(points)
        inside = np.einsum("qd,qd->q", found.points - points, normals) > 0
        inside[~inside] = _in_block(self._block, self._block_normals, points[~inside])
        return np.where(inside, found.distance, -found.distance) - thickness, thickness, found.faces

    def _nearest(self, points: Floats) -> tuple[Closest, Floats, Floats]:
        """The closest points of the face, its normals and the thickness wanted there."""
        found = self._surface.closest(points)
        corners = self.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self._normals[corners])
        return found, normals, np.einsum("qk,qk->q", found.barycentric, self._thickness[corners])

    def snapped(self, points: Floats, *, most_mm: float) -> Floats:
        """Points near the intaglio moved along the shortest line to the outer face, to the very thickness wanted.

        Those that would move by more than `most_mm` stay.
        """
        found, normals, thickness = self._nearest(points)
        offset = points - found.points
        depth = np.where(np.einsum("qd,qd->q", offset, normals) < 0, found.distance, -found.distance)
        move = np.where(np.abs(thickness - depth) < most_mm, thickness - depth, 0.0)[:, None]
        away = unit(offset) * np.sign(depth)[:, None]
        return points + move * np.where(found.distance[:, None] > RELIABLE_MM, away, -normals)


def _depth_slopes(mesh: Mesh, thickness: Floats) -> Floats:
    """Bound on how fast depth less thickness changes near each face (Lipschitz), per mm, (F,)."""
    corners, value = mesh.vertices[mesh.faces], thickness[mesh.faces]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(along, across)
    rise = (value[:, 1] - value[:, 0])[:, None] * np.cross(across, normal)
    rise += (value[:, 2] - value[:, 0])[:, None] * np.cross(normal, along)
    slope = np.linalg.norm(rise, axis=1) / np.maximum((normal**2).sum(1), 1e-12)
    at_vertex = np.zeros(len(thickness))
    for _ in range(SLOPE_RINGS):
        np.maximum.at(at_vertex, mesh.faces.ravel(), np.repeat(slope, 3))
        slope = at_vertex[mesh.faces].max(1)
    return 1.0 + np.minimum(slope, MAX_SLOPE)


class _DepthField:
    """Depth behind the outer face less the thickness wanted there, mm: positive beyond the intaglio.

    What belongs to the extended face is kept from one part to the next; it bounds the part alone where the part's own
    face ends.

    Parameters
    ----------
    extended, grid, bounds
    shared : (F,) bool, faces of the extended face that are the part's own
    """

    def __init__(self, extended: ExtendedSurface, grid: SparseGrid, bounds: _BlockBounds, *, shared: Bools) -> None:
        self._extended, self._grid, self._bounds, self._shared = extended, grid, bounds, shared

    def __call__(self, stride: int, blocks: Ints) -> tuple[Floats, Floats]:
        """The values at the centres of some blocks of the grid, and a bound on their slope, per mm, (Q,) each."""
        value, thickness, face = self._cached(stride, blocks)
        # Behind the part's own face the distance to it is the depth itself; beside folds its sign may be wrong.
        other = np.flatnonzero(~self._shared[face] | (value + thickness < 0))
        if len(other):
            points = self._grid.block_centres(stride, blocks[other])
            value[other] = np.maximum(value[other], self._bounds(points) - thickness[other])
        return value, self._extended.slope[face]

    def _cached(self, stride: int, blocks: Ints) -> tuple[Floats, Floats, Ints]:
        """What `ExtendedSurface.depth` gives there; it is asked once."""
        size = int(np.prod(self._grid.shape(stride)))
        cache = self._grid.cache.setdefault(stride, (np.zeros(size), np.zeros(size), np.full(size, -1)))
        new = blocks[cache[2][blocks] < 0]
        if len(new):
            for values, found in zip(cache, self._extended.depth(self._grid.block_centres(stride, new)), strict=True):
                values[new] = found
        return cache[0][blocks], cache[1][blocks], cache[2][blocks]


class _BlockBounds:
    """Distance from the outer face of what lies in the block under it, less some slack: beyond, nothing is left.

    Skin beyond a border may go on straight down; a wall along it would hang from the border. Outside the block the
    distance is that along its wall, so that no film is left there.
    """

    def __init__(self, block: Mesh, outer: Mesh, *, slack_mm: float) -> None:
        self._block, self._outer, self._slack = Surface(block), Surface(outer), slack_mm
        self._normals = face_normals(block)
        self._foot = outer.vertices[single_boundary_loop(outer)] * [1.0, 1.0, 0.0]
        self._wall = Surface(extruded_wall(self._foot))

    def __call__(self, points: Floats) -> Floats:
        inside = _in_block(self._block, self._normals, points)
        beside = ~inside & ~points_in_polygon(self._foot, points)
        level = points[beside] * [1.0, 1.0, 0.0]
        wall = self._wall.closest(level).points
        moved = points.copy()
        moved[beside, :2] = (wall + INSIDE_WALL_MM * unit(wall - level))[:, :2]
        inside[beside] = _in_block(self._block, self._normals, moved[beside])
        return np.where(inside, self._outer.closest(moved).distance - self._slack, -np.inf)


def _in_block(block: Surface, normals: Floats, points: Floats) -> Bools:
    """Whether points, (Q, 3), lie in a closed block with the given face normals."""
    up = block.cast(points, np.broadcast_to([0.0, 0.0, 1.0], points.shape))
    return np.asarray((up.faces >= 0) & (normals[up.faces, 2] > 0))
