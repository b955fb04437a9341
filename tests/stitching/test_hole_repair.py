"""A filling ends without self-intersections and idle vertices."""

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, boundary_edges
from facecom.stitching.boundary_loops import BoundaryLoops
from facecom.stitching.hole_repair import repair_self_intersections
from facecom.stitching.patch_triangulation import Filling

NONE = np.zeros((0, 2), int)


@pytest.mark.parametrize("seed", range(6))
def test_a_filling_between_linked_rims_ends_without_intersections_and_idle_vertices(seed: int, linked_discs) -> None:
    points, triangles = linked_discs(seed)
    rim = np.unique(boundary_edges(triangles))
    order = np.concatenate([rim, np.setdiff1d(np.arange(len(points)), rim)])
    points, triangles, count = points[order], np.argsort(order)[triangles], len(rim)
    flags, none = np.ones(count, bool), np.zeros((0, 3), int)
    edges, own = boundary_edges(triangles)[:, ::-1], sp.identity(len(points)).tocsr()
    loops = BoundaryLoops(
        np.arange(count), edges, points[:count], points[:count], own[:count], points[:count, :2], edges, flags, ~flags,
        np.ones(count), none,
    )  # fmt: skip
    whole = Filling(triangles, points[count:], own[count:])
    # What would be seen is not laid: the shortest band here has edges of more than a millimetre.
    assert np.array_equal(repair_self_intersections(whole, loops, NONE, max_edge_mm=0.1).triangles, triangles)
    out = repair_self_intersections(whole, loops, NONE, max_edge_mm=np.inf)
    everything = np.concatenate([points[:count], out.points])
    assert len(first_intersections(Mesh(points, triangles))[0]) > 0
    assert len(first_intersections(Mesh(everything, out.triangles))[0]) == 0
    assert np.array_equal(np.unique(out.triangles), np.arange(len(everything)))
    assert out.weights.shape == (len(out.points), len(points))
    borders = [{tuple(e) for e in boundary_edges(t).tolist()} for t in (out.triangles, triangles)]
    assert borders[0] == borders[1]
