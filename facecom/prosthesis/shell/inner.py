"""The inner face of a part: the surface that lies as deep behind the outer face as the thickness asks for."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unit, vertex_normals
from facecom.prosthesis.shell.border import trimmed
from facecom.prosthesis.solid.booleans import below, extruded_wall, single_border, to_mesh, to_solid, within_loop
from facecom.prosthesis.solid.isosurface import isosurface
from facecom.prosthesis.solid.sparse_grid import SparseGrid, sample_level


def inner_solid(block: Mesh, outer: Mesh, around: ExtendedSurface, *, spacing: float) -> Any:
    """The manifold3d solid of everything farther behind the outer face than the thickness wanted there.

    Parameters
    ----------
    block : Mesh, closed, all that lies under the part's outer face
    outer : Mesh, that face
    around : Wider, the same face reaching farther over the skin
    spacing : cell of the grid, mm
    """
    grid = around.grid(spacing)
    field = _Depth(around, grid, _Bounds(block, outer, loose=spacing), shared=_shared_faces(around.mesh, outer))
    level = isosurface(sample_level(field, grid), origin=grid.low, spacing=spacing)
    rough = to_mesh(to_solid(level).simplify(0.02 * spacing))
    exact, crosses = _uncrossed(rough, around.settled(rough.vertices, most_mm=0.35 * spacing))
    # Taking triangles away can make a few others cross.
    return to_solid(remove_self_intersections(exact)[0] if crosses else exact)


def _shared_faces(mesh: Mesh, part: Mesh) -> Bools:
    """Faces of a mesh that a part cut out of it still has, (F,)."""
    away, number = cKDTree(part.vertices).query(mesh.vertices, distance_upper_bound=1e-9)
    known = np.where(np.isfinite(away), number, -1)[mesh.faces]
    places = np.array([len(part.vertices) ** 2, len(part.vertices), 1])
    keys, own = (np.sort(faces, axis=1) @ places for faces in (known, part.faces))
    return np.asarray((known >= 0).all(1) & np.isin(keys, own))


def _uncrossed(mesh: Mesh, moved: Floats, *, rounds: int = 8) -> tuple[Mesh, bool]:
    """The mesh with its vertices moved, except around places where it would then cross itself; and if it still does."""
    changed = None
    for _ in range(rounds):
        bad = np.unique(self_intersections(mesh.with_vertices(moved), moved=changed)[0])
        if not len(bad):
            return mesh.with_vertices(moved), False
        for _ in range(2):
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
    wanted : (V,) float, mm, thickness at each of its vertices
    block : Mesh, closed, all that lies under the part's outer face; the face may become smaller later, not larger
    floor : z of the floor of that
    """

    def __init__(self, mesh: Mesh, wanted: Floats, *, block: Mesh, floor: float) -> None:
        self.mesh, self.wanted, self.surface = mesh, wanted, Surface(mesh)
        self.normals = vertex_normals(mesh.vertices, mesh.faces)
        self.slope = _slopes(mesh, wanted)
        self._box = block.vertices.min(0), block.vertices.max(0)
        self._grids: dict[float, SparseGrid] = {}
        # Where it is seen whole, the walls of what lies under it stand clear of the part's own.
        with contextlib.suppress(ValueError):
            block = below(trimmed(mesh, np.array([0.0, 0.0, 1.0]))[0], floor=floor)
        self._block, self._out = Surface(block), face_normals(block)

    def grid(self, spacing: float) -> SparseGrid:
        """The grid around the part on which its inner face is found; what is known there stays known."""
        if spacing not in self._grids:
            low = self._box[0] - 2.5 * spacing
            count = np.ceil((self._box[1] + 2.5 * spacing - low) / spacing).astype(int) + 1
            self._grids[spacing] = SparseGrid(low, count, spacing)
        return self._grids[spacing]

    def depth(self, points: Floats) -> tuple[Floats, Floats, Ints]:
        """Depth of points behind the face less the thickness wanted there, that, mm, and nearest faces, (Q,) each."""
        found, normals, wanted = self._nearest(points)
        inside = np.einsum("qd,qd->q", found.points - points, normals) > 0
        inside[~inside] = _under(self._block, self._out, points[~inside])
        return np.where(inside, found.distance, -found.distance) - wanted, wanted, found.faces

    def _nearest(self, points: Floats) -> tuple[Closest, Floats, Floats]:
        """The nearest points of the face, its normals and the thickness wanted there."""
        found = self.surface.closest(points)
        corners = self.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self.normals[corners])
        return found, normals, np.einsum("qk,qk->q", found.barycentric, self.wanted[corners])

    def settled(self, points: Floats, *, most_mm: float) -> Floats:
        """Points near the inner face moved along the shortest way to the outer face, to the very thickness wanted.

        Linear interpolation on a grid blurs creases; those farther away than `most_mm` are left where they are.
        """
        found, normals, wanted = self._nearest(points)
        offset = points - found.points
        depth = np.where(np.einsum("qd,qd->q", offset, normals) < 0, found.distance, -found.distance)
        move = np.where(np.abs(wanted - depth) < most_mm, wanted - depth, 0.0)[:, None]
        # Too close to the outer face the direction to it is rounding.
        away = unit(offset) * np.sign(depth)[:, None]
        return points + move * np.where(found.distance[:, None] > 0.2, away, -normals)


def _slopes(mesh: Mesh, wanted: Floats, *, rings: int = 6) -> Floats:
    """How fast depth less what is wanted changes at most near each face, per mm, (F,)."""
    corners, value = mesh.vertices[mesh.faces], wanted[mesh.faces]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(along, across)
    rise = (value[:, 1] - value[:, 0])[:, None] * np.cross(across, normal)
    rise += (value[:, 2] - value[:, 0])[:, None] * np.cross(normal, along)
    steep = np.linalg.norm(rise, axis=1) / np.maximum((normal**2).sum(1), 1e-12)
    at = np.zeros(len(wanted))
    for _ in range(rings):
        np.maximum.at(at, mesh.faces.ravel(), np.repeat(steep, 3))
        steep = at[mesh.faces].max(1)
    return 1.0 + np.minimum(steep, 0.8)


class _Depth:
    """Depth behind the outer face less the thickness wanted there, mm: positive where the part ends.

    What belongs to the wider face is kept from one part to the next; it bounds the part alone where its own face ends.

    Parameters
    ----------
    shared : (F,) bool, faces of the wider face that are the part's own
    """

    def __init__(self, around: ExtendedSurface, grid: SparseGrid, bounds: _Bounds, *, shared: Bools) -> None:
        self._around, self._grid, self._bounds, self._shared = around, grid, bounds, shared

    def __call__(self, stride: int, blocks: Ints) -> tuple[Floats, Floats]:
        """The values at the middles of some blocks of the grid, and how fast they change there at most, per mm."""
        value, wanted, face = self._known(stride, blocks)
        # Behind the part's own face the distance to it is the depth itself; beside folds its sign may be wrong.
        other = np.flatnonzero(~self._shared[face] | (value + wanted < 0))
        if len(other):
            points = self._grid.places(stride, blocks[other])
            value[other] = np.maximum(value[other], self._bounds(points) - wanted[other])
        return value, self._around.slope[face]

    def _known(self, stride: int, blocks: Ints) -> tuple[Floats, Floats, Ints]:
        """What the wider face says there, as `Wider.depth` does; asked for once."""
        size = int(np.prod(self._grid.shape(stride)))
        kept = self._grid.found.setdefault(stride, (np.zeros(size), np.zeros(size), np.full(size, -1)))
        new = blocks[kept[2][blocks] < 0]
        if len(new):
            for values, found in zip(kept, self._around.depth(self._grid.places(stride, new)), strict=True):
                values[new] = found
        return kept[0][blocks], kept[1][blocks], kept[2][blocks]


class _Bounds:
    """How far from the outer face what lies under it is, less some play: farther away nothing is left of the part.

    Skin beyond a border may go on straight down; a wall along it would hang from the border. Beside the block the
    distance goes on as it is along its wall, so that no film is left there.
    """

    def __init__(self, block: Mesh, outer: Mesh, *, loose: float) -> None:
        self._block, self._outer, self._loose = Surface(block), Surface(outer), loose
        self._out = face_normals(block)
        self._foot = outer.vertices[single_border(outer)] * [1.0, 1.0, 0.0]
        self._fence = Surface(extruded_wall(self._foot))

    def __call__(self, points: Floats) -> Floats:
        under = _under(self._block, self._out, points)
        beside = ~under & ~within_loop(self._foot, points)
        level = points[beside] * [1.0, 1.0, 0.0]
        wall = self._fence.closest(level).points
        inwards = points.copy()
        inwards[beside, :2] = (wall + 1e-3 * unit(wall - level))[:, :2]
        under[beside] = _under(self._block, self._out, inwards[beside])
        return np.where(under, self._outer.closest(inwards).distance - self._loose, -np.inf)


def _under(block: Surface, normals: Floats, points: Floats) -> Bools:
    """Whether points lie in a closed block."""
    up = block.cast(points, np.broadcast_to([0.0, 0.0, 1.0], points.shape))
    return np.asarray((up.faces >= 0) & (normals[up.faces, 2] > 0))
