"""Closed solids from surfaces and height fields, and their conversion from and to manifold3d, which combines them."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_loops

MIN_HEIGHT_CELLS = 0.01
"""Least height of a height field over its floor, in cells, so that the solid has a volume everywhere."""

ON_POLYGON_MM = 1e-6
"""Points as near to a polygon as this count as lying in it: its own corners do."""


def to_solid(mesh: Mesh) -> Any:
    """A closed mesh as a manifold3d solid.

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


def extrude_to_floor(surface: Mesh, *, floor: float) -> Mesh:
    """The closed solid under a disc: the disc, vertical walls down from its border, and a flat floor.

    Parameters
    ----------
    surface : Mesh, mm, a disc whose normals point up where it meets the walls; z is up
    floor : z of the floor, mm, below all of the surface

    Returns
    -------
    Mesh, closed; the first vertices are those of the disc

    Raises
    ------
    ValueError
        When the surface is no disc, or its border, projected along z, intersects itself.

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> round(to_solid(extrude_to_floor(tile, floor=-3.0)).volume(), 6)
    12.0
    """
    walled = _with_walls(surface, single_boundary_loop(surface), floor)
    foot = np.arange(len(surface.vertices), len(walled.vertices))
    bottom = foot[triangulate_polygon([walled.vertices[foot, :2]])][:, ::-1]
    return Mesh(walled.vertices, np.concatenate([walled.faces, bottom]))


def _with_walls(surface: Mesh, loop: Ints, floor: float) -> Mesh:
    """A disc and vertical walls down from its border; their feet are the last vertices, in the loop's order."""
    foot = len(surface.vertices) + np.arange(len(loop))
    feet = surface.vertices[loop] * [1.0, 1.0, 0.0] + [0.0, 0.0, floor]
    after, foot_after = np.roll(loop, -1), np.roll(foot, -1)
    walls = np.concatenate([np.stack([after, loop, foot], 1), np.stack([after, foot, foot_after], 1)])
    return Mesh(np.concatenate([surface.vertices, feet]), np.concatenate([surface.faces, walls]))


def intersecting_wall_vertices(surface: Mesh, loop: Ints) -> Ints:
    """Vertices of a disc's border where vertical walls down from it would intersect the disc or each other."""
    mesh = _with_walls(surface, loop, float(surface.vertices[:, 2].min()) - 1.0)
    feet = np.arange(len(mesh.vertices)) >= len(surface.vertices)
    edges, faces = self_intersections(mesh, moved=feet)
    met = np.unique(np.concatenate([edges.ravel(), mesh.faces[faces].ravel()]))
    number = np.arange(len(mesh.vertices))
    number[feet] = loop
    return np.intersect1d(number[met], loop)


def single_boundary_loop(surface: Mesh) -> Ints:
    """The one boundary loop of a disc, counter-clockwise seen along z.

    Raises
    ------
    ValueError
        When there is not exactly one, or it intersects itself in projection, or runs clockwise.
    """
    loops = boundary_loops(surface.faces)
    if len(loops) != 1:
        raise ValueError(f"the outer face must have one border, it has {len(loops)}")
    if not is_simple_polygon(surface.vertices[loops[0]][:, :2]):
        raise ValueError("seen along the withdrawal axis the border intersects itself; choose another axis")
    return loops[0]


def is_simple_polygon(points: Floats) -> bool:
    """Whether a plane polygon, (N, 2), is simple and runs counter-clockwise."""
    shapely = need("shapely", extra="prosthesis")
    ring = shapely.LinearRing(points)
    return bool(ring.is_simple and ring.is_ccw)


def points_in_polygon(loop: Floats, points: Floats) -> Bools:
    """Which points, (Q, 2), lie within a plane polygon, (N, 2); further columns of either are ignored."""
    shapely = need("shapely", extra="prosthesis")
    polygon = shapely.Polygon(loop[:, :2])
    shapely.prepare(polygon)
    return np.asarray(shapely.contains_xy(polygon, points[:, 0], points[:, 1]))


def distance_to_eroded_polygon(loop: Floats, points: Floats, *, by_mm: float) -> Floats:
    """Distance of points of a plane polygon, (Q, 2), to that polygon eroded, (Q,) mm; 0 for points outside of it.

    loop : (N, 2) float, the polygon; further columns of either are ignored. 0 everywhere when nothing of it is left.
    """
    shapely = need("shapely", extra="prosthesis")
    polygon, places = shapely.Polygon(loop[:, :2]), shapely.points(points[:, :2])
    eroded = polygon.buffer(-by_mm)
    if eroded.is_empty:
        return np.zeros(len(points))
    shapely.prepare(polygon)
    return np.where(shapely.distance(polygon, places) < ON_POLYGON_MM, shapely.distance(eroded, places), 0.0)


def extruded_wall(loop: Floats) -> Mesh:
    """A wall 1 mm high above a closed polyline, (N, 3): one triangle a side, enough for distances in the plane."""
    here, after = np.arange(len(loop)), np.roll(np.arange(len(loop)), -1)
    return Mesh(np.concatenate([loop, loop + [0.0, 0.0, 1.0]]), np.stack([here, after, here + len(loop)], 1))


def triangulate_polygon(polygons: list[Floats]) -> Ints:
    """Triangulation of a plane polygon with holes, (T, 3): the outer loop counter-clockwise, holes clockwise."""
    m3 = need("manifold3d", extra="prosthesis")
    return np.asarray(m3.triangulate([np.ascontiguousarray(p, np.float64) for p in polygons], 0.0)).astype(np.int64)


def heightfield_solid(heights: Floats, *, origin: Floats, spacing: float, floor: float) -> Mesh:
    """The closed solid under a height field.

    Parameters
    ----------
    heights : (I, J) float, mm, at the nodes of a grid; where not finite the solid is about as high as the floor
    origin : (2,) float, mm, place of node (0, 0)
    spacing : of the grid, mm
    floor : z of the floor, mm
    """
    low = floor + MIN_HEIGHT_CELLS * spacing
    top = np.maximum(np.where(np.isfinite(heights), heights, low), low)
    rows, columns = top.shape
    x, y = np.meshgrid(origin[0] + spacing * np.arange(rows), origin[1] + spacing * np.arange(columns), indexing="ij")
    upper = np.stack([x, y, top], -1).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return extrude_to_floor(Mesh(upper, faces), floor=floor)
