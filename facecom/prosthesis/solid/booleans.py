"""Closed solids: made from sheets and height fields, combined by manifold3d."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_loops


def to_solid(mesh: Mesh) -> Any:
    """A manifold3d solid of a closed mesh.

    Raises
    ------
    ValueError
        When the mesh is not closed or not a manifold.

    Examples
    --------
    >>> corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> round(to_solid(Mesh(corners, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])).volume(), 3)
    0.167
    """
    m3 = need("manifold3d", extra="prosthesis")
    used, faces = np.unique(mesh.faces, return_inverse=True)
    points = np.ascontiguousarray(mesh.vertices[used], np.float64)
    solid = m3.Manifold(m3.Mesh64(points, np.ascontiguousarray(faces.reshape(-1, 3), np.uint64)))
    if solid.status() != m3.Error.NoError:
        raise ValueError(f"the mesh is no closed solid ({solid.status().name}); repair it first")
    return solid


def to_mesh(solid: Any) -> Mesh:
    """The surface of a manifold3d solid."""
    raw = solid.to_mesh64()
    return Mesh(np.asarray(raw.vert_properties)[:, :3], np.asarray(raw.tri_verts).astype(np.int64))


def below(sheet: Mesh, *, floor: float) -> Mesh:
    """The closed solid under a disc: the disc, walls straight down from its border, and a flat floor.

    Parameters
    ----------
    sheet : Mesh, a disc whose normals point up where it meets the walls; z is up
    floor : z of the floor, below all of the sheet

    Raises
    ------
    ValueError
        When the sheet is no disc, or its border, seen along z, crosses itself.
    """
    walled = _walled(sheet, single_border(sheet), floor)
    foot = np.arange(len(sheet.vertices), len(walled.vertices))
    bottom = foot[plane_triangles([walled.vertices[foot, :2]])][:, ::-1]
    return Mesh(walled.vertices, np.concatenate([walled.faces, bottom]))


def _walled(sheet: Mesh, loop: Ints, floor: float) -> Mesh:
    """A disc and walls straight down from its border; their feet are the last vertices, in the loop's order."""
    foot = len(sheet.vertices) + np.arange(len(loop))
    feet = sheet.vertices[loop] * [1.0, 1.0, 0.0] + [0.0, 0.0, floor]
    after, foot_after = np.roll(loop, -1), np.roll(foot, -1)
    walls = np.concatenate([np.stack([after, loop, foot], 1), np.stack([after, foot, foot_after], 1)])
    return Mesh(np.concatenate([sheet.vertices, feet]), np.concatenate([sheet.faces, walls]))


def crossed_by_walls(sheet: Mesh, loop: Ints) -> Ints:
    """Vertices of a disc's border where walls straight down would cross the disc or each other."""
    mesh = _walled(sheet, loop, float(sheet.vertices[:, 2].min()) - 1.0)
    feet = np.arange(len(mesh.vertices)) >= len(sheet.vertices)
    edges, faces = self_intersections(mesh, moved=feet)
    met = np.unique(np.concatenate([edges.ravel(), mesh.faces[faces].ravel()]))
    number = np.arange(len(mesh.vertices))
    number[feet] = loop
    return np.intersect1d(number[met], loop)


def single_border(sheet: Mesh) -> Ints:
    """The one border of a disc, counter-clockwise seen along z.

    Raises
    ------
    ValueError
        When there is not exactly one, or it crosses itself, or runs clockwise.
    """
    loops = boundary_loops(sheet.faces)
    if len(loops) != 1:
        raise ValueError(f"the outer face must have one border, it has {len(loops)}")
    if not simple_loop(sheet.vertices[loops[0]][:, :2]):
        raise ValueError("seen along the withdrawal axis the border crosses itself; choose another axis")
    return loops[0]


def simple_loop(points: Floats) -> bool:
    """Whether a plane polygon, (N, 2), runs counter-clockwise and does not cross itself."""
    shapely = need("shapely", extra="prosthesis")
    ring = shapely.LinearRing(points)
    return bool(ring.is_simple and ring.is_ccw)


def within_loop(loop: Floats, points: Floats) -> Bools:
    """Points, (Q, 2) or more columns, within a plane polygon, (N, 2) or more; further columns do not matter."""
    shapely = need("shapely", extra="prosthesis")
    area = shapely.Polygon(loop[:, :2])
    shapely.prepare(area)
    return np.asarray(shapely.contains_xy(area, points[:, 0], points[:, 1]))


def extruded_wall(loop: Floats) -> Mesh:
    """A wall 1 mm high along a closed line of points, (N, 3), from them up."""
    here, after = np.arange(len(loop)), np.roll(np.arange(len(loop)), -1)
    return Mesh(np.concatenate([loop, loop + [0.0, 0.0, 1.0]]), np.stack([here, after, here + len(loop)], 1))


def plane_triangles(polygons: list[Floats]) -> Ints:
    """Triangles of a plane polygon with holes: the outer one counter-clockwise, holes clockwise, (T, 3)."""
    m3 = need("manifold3d", extra="prosthesis")
    return np.asarray(m3.triangulate([np.ascontiguousarray(p, np.float64) for p in polygons], 0.0)).astype(np.int64)


def height_solid(heights: Floats, *, origin: Floats, spacing: float, floor: float) -> Mesh:
    """The closed solid under a height field on a grid, (I, J) mm; where it is not finite the ground is at the floor."""
    low = floor + 0.01 * spacing
    top = np.maximum(np.where(np.isfinite(heights), heights, low), low)
    rows, columns = top.shape
    x, y = np.meshgrid(origin[0] + spacing * np.arange(rows), origin[1] + spacing * np.arange(columns), indexing="ij")
    upper = np.stack([x, y, top], -1).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return below(Mesh(upper, faces), floor=floor)
