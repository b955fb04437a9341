"""Surface reconstruction of a scan that came as points."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.errors import ScanError
from facecom.geometry.clustering import grid_cells
from facecom.geometry.mesh import Floats, Ints, Mesh, unit
from facecom.geometry.weld import weld
from facecom.scan.reconstruction_gaps import bridging_faces, close_small_gaps, edge_limit
from facecom.scan.topology import consistent_surface

SurfaceMethod = Literal["pivot", "poisson"]

MIN_POINTS = 10
"""Different points below which a cloud has no surface."""
CLOSING_PASSES = 2
"""Closing a gap can split a pinched loop in two that can be closed."""
SPACING_NEIGHBOUR = 7
"""The neighbour, itself counted, whose distance is the spacing: six surround a point of an even surface."""
MAX_PROBED = 20_000
"""Points at most that spacing and agreement of normals are read from; a median needs no more."""
MIN_NORMALS_SHARE = 0.99
"""Share of the points that must have a normal for a cloud's own normals to be used."""
OPPOSED_COSINE, MAX_OPPOSED_SHARE = -0.5, 0.1
"""Cosine below which the normals of two neighbours are opposed, and the share of such pairs that is no accident."""
ISOLATED_SPACINGS, DENSE_SHARE = 300.0, 0.25
"""A point is isolated when its sixth neighbour is farther than this many times that of the densest share of points."""
CROWD_CELL, MAX_CROWD, CROWD_SPACING = 2.0, 400, 0.25
"""A cell this many spacings wide with more points than these is a crowd, on which balls roll without end; an even
surface has six in it, a noisy one some fifty. Of a crowd one point stays in each cell of the last, in spacings."""
CROWD_PERIOD = 2.0**17
"""Spacings after which the grid of crowds begins anew."""
FIRST_CELL_SHARE, MIN_CELL_GROWTH = 0.5, 1.05
"""First cell of the grid that thins a cloud, in units of the spacing, and the least factor from try to try."""


def surface_from_points(
    cloud: Mesh,
    *,
    method: SurfaceMethod = "pivot",
    radii: tuple[float, ...] = (0.6, 0.8, 1.0, 1.5, 2.2, 3.0),
    outlier: float = 3.0,
    fill_edges: int = 12,
    jitter: float = 1e-3,
    max_points: int = 250_000,
    depth: int = 9,
    trim: float = 2.5,
    seed: int = 0,
) -> Mesh:
    """Lay a triangle surface through the points of a cloud; holes wider than the points' spacing stay open.

    Parameters
    ----------
    cloud : Mesh; its faces are ignored. Normals are used where it has them and neighbours agree on a side, else
        estimated and oriented outwards.
    method : "pivot" rolls balls over the points (Bernardini et al. 1999), so that the points themselves are the
        vertices; "poisson" (Kazhdan and Hoppe 2013) smooths over noise larger than the spacing, with new vertices
    radii : for "pivot", ball radii in units of the spacing, smallest first
    outlier : for "pivot", faces with edges this many standard deviations longer than the cloud's own, for the spacing
        around them, lie over a hole and are taken away: the larger balls bridge the rims of holes
    fill_edges : for "pivot", gaps with at most this many edges, none of them that long, are closed; they are chance
    jitter : for "pivot", points are rolled over as if moved by this share of the spacing, since even grids have no one
        triangulation; the vertices stay where the points are
    max_points : for "pivot", larger clouds are thinned evenly to about this many
    depth : for "poisson", levels of its octree
    trim : for "poisson", surface farther than this many spacings from any point is cut away
    seed : of the jitter

    Returns
    -------
    Mesh
        With "pivot", all points of the cloud in their order; those that no face uses are for `clean_scan` to drop.
        Colours and the normals used come with it.

    Raises
    ------
    ValueError
        When `method` is neither word.
    ScanError
        When the cloud has too few points for a surface.
    """
    if method not in get_args(SurfaceMethod):
        raise ValueError(f"method must be one of {', '.join(get_args(SurfaceMethod))}, got {method!r}")
    chosen = _distinct_points(cloud)
    if method == "pivot" and len(chosen) > max_points:
        chosen = chosen[_thinning(cloud.vertices[chosen], max_points)]
    if method == "pivot":
        chosen = chosen[_without_isolated(cloud.vertices[chosen])]
        chosen = chosen[_without_crowds(cloud.vertices[chosen])]
    points = cloud.vertices[chosen]
    centre, scale = np.median(points, axis=0), point_spacing(points)
    local = (points - centre) / scale
    given = None if cloud.normals is None else _usable_normals(local, cloud.normals[chosen])
    normals = estimate_normals(local) if given is None else given
    if method == "poisson":
        mesh = _poisson(local, normals, depth, trim)
        return _with_nearest_colors(mesh.with_vertices(mesh.vertices * scale + centre), cloud, chosen)
    jittered = local + jitter * np.random.default_rng(seed).normal(size=local.shape)
    faces = _ball_pivoting(jittered, normals, radii)
    if not len(faces):
        raise ScanError(f"no surface goes through the {len(points):,} points of the cloud; scan again, more densely")
    limit = edge_limit(local, faces, outlier=outlier)
    faces = faces[~bridging_faces(local, faces, limit)]
    for _ in range(CLOSING_PASSES):
        faces = np.concatenate([faces, close_small_gaps(local, faces, fill_edges, limit=limit)])
    kept_normals = cloud.normals
    if given is None or kept_normals is None:
        kept_normals = np.zeros_like(cloud.vertices)
        kept_normals[chosen] = normals
    return Mesh(cloud.vertices, chosen[faces], uv=cloud.uv, colors=cloud.colors, normals=kept_normals)


def _distinct_points(cloud: Mesh) -> Ints:
    """Indices of the finite points, the first at each position; too few are an error."""
    finite = np.flatnonzero(np.isfinite(cloud.vertices).all(axis=1))
    finite = finite[weld(cloud.vertices[finite])[0]]
    if len(finite) < MIN_POINTS:
        raise ScanError(f"the point cloud has {len(finite)} different points, too few for a surface; scan again")
    return finite


def point_spacing(points: Floats) -> float:
    """Median distance of a point to its sixth neighbour, about the edge length of the triangles between them."""
    probed = points[:: max(1, len(points) // MAX_PROBED)]
    distance = cKDTree(points).query(probed, k=min(SPACING_NEIGHBOUR, len(points)))[0][:, -1]
    positive = distance[distance > 0]
    if not positive.size:
        raise ScanError("all points of the cloud are at one place; scan again")
    return float(np.median(positive))


def estimate_normals(points: Floats, *, neighbours: int = 16) -> Floats:
    """Unit normals of a cloud, (N, 3), consistent with each other and pointing away from its middle.

    Source: Hoppe et al. 1992: planes through the neighbours, oriented along a minimum spanning tree of the cloud.

    Parameters
    ----------
    points : (N, 3) float, finite
    neighbours : how many points a plane is fitted to
    """
    index = cKDTree(points).query(points, k=min(neighbours, len(points)))[1]
    spread = points[index] - points[index].mean(axis=1, keepdims=True)
    normals = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))[1][:, :, 0]
    a, b = np.repeat(np.arange(len(points)), index.shape[1] - 1), index[:, 1:].ravel()
    bend = 1.0 + 1e-6 - np.abs(np.einsum("nd,nd->n", normals[a], normals[b]))
    tree = csgraph.minimum_spanning_tree(sp.coo_matrix((bend, (a, b)), shape=(len(points),) * 2).tocsr()).tocoo()
    # Two copies of each point, with its normal as it is and reversed, joined where they agree along the tree.
    n = len(points)
    clash = np.einsum("nd,nd->n", normals[tree.row], normals[tree.col]) < 0
    same, other = tree.col + n * clash, tree.col + n * ~clash
    links = (np.concatenate([tree.row, tree.row + n]), np.concatenate([same, other]))
    graph = sp.coo_matrix((np.ones(len(links[0])), links), shape=(2 * n, 2 * n))
    label = csgraph.connected_components(graph, directed=False)[1]
    outward = np.einsum("nd,nd->n", normals, points - points.mean(axis=0))
    votes = np.bincount(label, np.concatenate([outward, -outward]))
    return np.where((votes[label[:n]] >= votes[label[n:]])[:, None], normals, -normals)


def _usable_normals(points: Floats, normals: Floats) -> Floats | None:
    """Unit normals where nearly all are there and agree; a cloud with empty or random ones counts as one without."""
    length = np.linalg.norm(normals, axis=1)
    sound = np.isfinite(length) & (length > 0)
    if sound.mean() <= MIN_NORMALS_SHARE:
        return None
    given = unit(np.where(sound[:, None], normals, 0.0))
    probed = np.arange(0, len(points), max(1, len(points) // MAX_PROBED))
    nearest = cKDTree(points).query(points[probed], k=2)[1][:, 1]
    opposed = np.einsum("nd,nd->n", given[probed], given[nearest]) < OPPOSED_COSINE
    return given if opposed.mean() < MAX_OPPOSED_SHARE else None


def _thinning(points: Floats, wanted: int) -> Ints:
    """Indices of about `wanted` points, the first of each cell of a grid."""
    cell = point_spacing(points) * FIRST_CELL_SHARE
    while True:
        chosen = np.unique(grid_cells(points, size=cell), return_index=True)[1]
        if len(chosen) <= wanted:
            return np.sort(chosen)
        cell *= max(MIN_CELL_GROWTH, np.sqrt(len(chosen) / wanted))


def _without_isolated(points: Floats) -> Ints:
    """Indices of the points that are not far from all others: the spacing is one of surface, not of stray points."""
    distance = cKDTree(points).query(points, k=min(SPACING_NEIGHBOUR, len(points)))[0][:, -1]
    limit = ISOLATED_SPACINGS * float(np.quantile(distance, DENSE_SHARE))
    kept = np.flatnonzero(distance <= limit)
    return kept if len(kept) >= MIN_POINTS else np.arange(len(points))


def _without_crowds(points: Floats) -> Ints:
    """Indices of the points, thinned where more than `MAX_CROWD` of them lie within the reach of a ball."""
    spacing = point_spacing(points)
    folded = np.mod(points - points.min(axis=0), CROWD_PERIOD * spacing)  # places too far apart for whole numbers
    cell = grid_cells(folded, size=CROWD_CELL * spacing)
    _, inverse, number = np.unique(cell, return_inverse=True, return_counts=True)
    crowded = number[inverse] > MAX_CROWD
    if not crowded.any():
        return np.arange(len(points))
    crowd = np.flatnonzero(crowded)
    first = np.unique(grid_cells(folded[crowd], size=CROWD_SPACING * spacing), return_index=True)[1]
    return np.sort(np.concatenate([np.flatnonzero(~crowded), crowd[first]]))


def _ball_pivoting(points: Floats, normals: Floats, radii: tuple[float, ...]) -> Ints:
    """Faces over the points, (F, 3)."""
    import open3d as o3d

    cloud = _cloud(points, normals)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        mesh = o3d.geometry.TriangleMesh.create_from_point_cloud_ball_pivoting(cloud, o3d.utility.DoubleVector(radii))
    return consistent_surface(points, np.array(mesh.triangles, np.int64).reshape(-1, 3)).faces


def _cloud(points: Floats, normals: Floats) -> Any:
    """Open3D's point cloud of them."""
    import open3d as o3d

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array(points)))
    cloud.normals = o3d.utility.Vector3dVector(np.array(normals))
    return cloud


def _poisson(points: Floats, normals: Floats, depth: int, trim: float) -> Mesh:
    """Screened Poisson surface, cut where it is farther than `trim` from the points."""
    import open3d as o3d

    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        full, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
            _cloud(points, normals), depth=depth, n_threads=1
        )
    vertices, faces = np.array(full.vertices), np.array(full.triangles, np.int64)
    near = cKDTree(points).query(vertices)[0] < trim
    return Mesh(vertices, faces).submesh(np.asarray(near[faces].all(axis=1)))[0]


def _with_nearest_colors(mesh: Mesh, cloud: Mesh, finite: Ints) -> Mesh:
    """The mesh with the colours of the nearest points, where the cloud has any."""
    if cloud.colors is None:
        return mesh
    nearest = cKDTree(cloud.vertices[finite]).query(mesh.vertices)[1]
    return Mesh(mesh.vertices, mesh.faces, colors=cloud.colors[finite][nearest])
