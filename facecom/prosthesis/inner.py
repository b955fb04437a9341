"""The inner face of a part: the surface that lies as deep behind the outer face as the thickness asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Mesh, face_normals, unit, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.prosthesis.border import trimmed
from facecom.prosthesis.levels import level_surface
from facecom.prosthesis.mending import uncrossed
from facecom.prosthesis.solids import below, crossings, fence, single_border, to_mesh, to_solid, within_loop


def inner_solid(block: Mesh, outer: Mesh, around: Wider, *, spacing: float) -> Any:
    """The manifold3d solid of everything farther behind the outer face than the thickness wanted there.

    Parameters
    ----------
    block : Mesh, closed, all that lies under the part's outer face
    outer : Mesh, that face
    around : Wider, the same face reaching farther over the skin
    spacing : cell of the grid, mm
    """
    field = _Depth(around, bounds=_Bounds(block, outer, loose=spacing))
    rough = to_mesh(to_solid(_level(block, field, spacing)).simplify(0.02 * spacing))
    exact, crosses = _uncrossed(rough, field.settled(rough.vertices, most_mm=0.35 * spacing))
    # Taking triangles away can make a few others cross.
    return to_solid(uncrossed(exact)[0] if crosses else exact)


def _level(block: Mesh, field: _Depth, spacing: float) -> Mesh:
    """The surface at which a depth is what is wanted, as exact as a grid is."""
    low = block.vertices.min(0) - 2.5 * spacing
    count = np.ceil((block.vertices.max(0) + 2.5 * spacing - low) / spacing).astype(int) + 1
    return level_surface(sample_level(field, low, count, spacing), origin=low, spacing=spacing)


def _uncrossed(mesh: Mesh, moved: Floats, *, rounds: int = 8) -> tuple[Mesh, bool]:
    """The mesh with its vertices moved, except around places where it would then cross itself; and if it still does."""
    changed = None
    for _ in range(rounds):
        bad = np.unique(crossings(mesh.with_vertices(moved), moved=changed)[0])
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


class Wider:
    """An outer face that reaches farther over the skin than the part does, and the thickness wanted behind it.

    Parameters
    ----------
    mesh : Mesh, axis frame
    wanted : (V,) float, mm, thickness at each of its vertices
    block : Mesh, closed, all that lies under the part's outer face
    floor : z of the floor of that
    """

    def __init__(self, mesh: Mesh, wanted: Floats, *, block: Mesh, floor: float) -> None:
        self.mesh, self.wanted = mesh, wanted
        self.normals = vertex_normals(mesh.vertices, mesh.faces)
        try:
            # Where it is seen whole, the walls of what lies under it stand clear of the part's own.
            self.block = below(trimmed(mesh, np.array([0.0, 0.0, 1.0]))[0], floor=floor)
        except ValueError:
            self.block = block


class _Depth:
    """Depth behind the outer face less the thickness wanted there, mm: positive where the part ends."""

    def __init__(self, around: Wider, *, bounds: _Bounds) -> None:
        self._bounds = bounds
        self._block, self._around = Surface(around.block), Surface(around.mesh)
        self._out = face_normals(around.block)
        self._normals, self._wanted = around.normals, around.wanted

    def settled(self, points: Floats, *, most_mm: float) -> Floats:
        """Points near the inner face moved along the shortest way to the outer face, to the very thickness wanted.

        Linear interpolation on a grid blurs creases; those farther away than `most_mm` are left where they are.
        """
        found = self._around.closest(points)
        corners = self._around.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self._normals[corners])
        offset = points - found.points
        depth = np.where(np.einsum("qd,qd->q", offset, normals) < 0, found.distance, -found.distance)
        wanted = np.einsum("qk,qk->q", found.barycentric, self._wanted[corners])
        move = np.where(np.abs(wanted - depth) < most_mm, wanted - depth, 0.0)[:, None]
        # Too close to the outer face the direction to it is rounding.
        away = unit(offset) * np.sign(depth)[:, None]
        return points + move * np.where(found.distance[:, None] > 0.2, away, -normals)

    def __call__(self, points: Floats) -> Floats:
        found = self._around.closest(points)
        corners = self._around.mesh.faces[found.faces]
        normals = np.einsum("qk,qkd->qd", found.barycentric, self._normals[corners])
        behind = np.einsum("qd,qd->q", found.points - points, normals) > 0
        inside = _under(self._block, self._out, points)
        wanted = np.einsum("qk,qk->q", found.barycentric, self._wanted[corners])
        depth = np.where(behind | inside, found.distance, -found.distance)
        return np.maximum(depth, self._bounds(points)) - wanted


class _Bounds:
    """How far from the outer face what lies under it is, less some play: farther away nothing is left of the part.

    Skin beyond a border may go on straight down; a wall along it would hang from the border. Beside the block the
    distance goes on as it is along its wall, so that no film is left there.
    """

    def __init__(self, block: Mesh, outer: Mesh, *, loose: float) -> None:
        self._block, self._outer, self._loose = Surface(block), Surface(outer), loose
        self._out = face_normals(block)
        self._foot = outer.vertices[single_border(outer)] * [1.0, 1.0, 0.0]
        self._fence = Surface(fence(self._foot))

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


def sample_level(field: Any, low: Floats, count: Any, spacing: float, *, slope: float = 1.8) -> Floats:
    """Values of a function on a grid, exact near its zero and of the right sign elsewhere.

    Coarse grids tell where the zero can be: `slope` bounds how fast the function changes, per mm.
    """
    size = np.asarray(count)
    values = np.full(-(-size // 8), 0.0)
    for stride in (8, 4, 2, 1):
        if stride < 8:
            values = values.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        values = values[tuple(slice(n) for n in -(-size // stride))]
        # Half a block around its middle, and the neighbours of a crossing edge, whose values are interpolated.
        coarser = np.sqrt(3.0) * spacing * ((stride - 0.5) if stride < 8 else 0.0)
        near = np.nonzero(np.abs(values) <= slope * (coarser + np.sqrt(3.0) * spacing))
        values[near] = field(low + spacing * (stride * np.stack(near, axis=1) + 0.5 * (stride - 1)))
    return values
