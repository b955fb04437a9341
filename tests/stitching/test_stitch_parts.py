"""The pieces of the join: plane triangulation, untangling, caps, blending, sampling."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from facecom.geometry.fairing import push_apart, remove_self_intersections_membrane
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Mesh, boundary_edges, face_components, unique_edges
from facecom.stitching.boundary_loops import BoundaryLoops, untangle
from facecom.stitching.boundary_shortcuts import shortcut_runs
from facecom.stitching.boundary_zipping import shortest_ladder
from facecom.stitching.caps import cap_loop
from facecom.stitching.hole_repair import repair_self_intersections
from facecom.stitching.missing_regions import label_missing
from facecom.stitching.patch_sampling import rim_sizes
from facecom.stitching.patch_triangulation import Filling
from facecom.stitching.planar_triangulation import constrained_triangles, crossings, has_edges, signed_areas
from facecom.stitching.reconnection import reconnect_sheets
from facecom.stitching.rim_blending import blended_offsets
from facecom.stitching.rim_triangulation import flip_edges, split_edges
from facecom.stitching.stitch import measure_coverage

NONE = np.zeros((0, 2), int)


def star(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points and a polygon through some of them that does not cross itself."""
    rng = np.random.default_rng(seed)
    points = rng.random((4 * count, 2))
    ring = rng.choice(4 * count, count, replace=False)
    ring = ring[np.argsort(np.arctan2(*(points[ring] - 0.5).T))]
    return points, np.stack([ring, np.roll(ring, -1)], 1)


@given(count=st.integers(5, 60), seed=st.integers(0, 1000))
def test_constrained_triangles_tile_the_hull_and_hold_each_segment(count: int, seed: int) -> None:
    points, segments = star(count, seed)
    angle = np.arctan2(*(points[segments[:, 0]] - 0.5).T)
    assume(np.diff(np.append(angle, angle[0] + 2 * np.pi)).max() < np.pi)  # else the last side may cross the others
    triangles, present = constrained_triangles(points, segments)
    area = signed_areas(points, triangles)
    assert present.all()
    assert has_edges(triangles, segments, len(points)).all()
    assert area.min() > 0
    assert unique_edges(triangles)[2].max() <= 2
    assert 0.5 * area.sum() == pytest.approx(ConvexHull(points).volume)


def test_of_two_crossing_segments_one_is_refused() -> None:
    points = np.array([[0.0, 0], [1, 0], [1.1, 1.2], [0, 1]])
    triangles, present = constrained_triangles(points, np.array([[0, 2], [1, 3]]))
    assert present.sum() == 1
    assert len(triangles) == 2


def test_crossings_ignore_shared_ends() -> None:
    points = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0], [2, 2]])
    segments = np.array([[0, 1], [2, 3], [1, 4], [4, 2]])
    assert crossings(points[segments[:, 0]], points[segments[:, 1]]).tolist() == [[0, 1]]


@given(seed=st.integers(0, 200))
def test_untangle_makes_a_noisy_circle_simple_and_leaves_a_simple_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 80
    turn = 2 * np.pi * np.arange(n) / n
    circle = 10 * np.stack([np.cos(turn), np.sin(turn)], 1)
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], 1)
    span = np.full(n, 20 * np.pi / n)
    assert np.array_equal(untangle(circle, edges, span), circle)
    noisy = circle + rng.normal(size=circle.shape) * 0.8
    out = untangle(noisy, edges, span)
    assert len(crossings(out[edges[:, 0]], out[edges[:, 1]])) == 0
    assert np.abs(np.linalg.norm(out, axis=1) - 10).max() < 4


@given(count=st.integers(3, 60), seed=st.integers(0, 100))
def test_a_cap_is_a_disc_with_the_loop_as_its_border(count: int, seed: int) -> None:
    loop = np.random.default_rng(seed).normal(size=(count, 3)) * 5
    added, triangles = cap_loop(loop, fixed=NONE)
    border = {tuple(e) for e in boundary_edges(triangles).tolist()}
    assert border == {(k, (k + 1) % count) for k in range(count)}
    edges, _, used = unique_edges(triangles)
    assert used.max() <= 2
    assert count + len(added) - len(edges) + len(triangles) == 1
    low, high = loop.min(0), loop.max(0)
    assert (added >= low - 1e-9).all()
    assert (added <= high + 1e-9).all()


def flat(count: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:count, :count].astype(float)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    return points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def test_blended_offsets_keep_the_rim_start_level_and_fade() -> None:
    points, faces = flat(41)
    held = points[:, 0] == 0
    offsets = np.where(held[:, None], [0.0, 0.0, 0.5], 0.0)
    out = blended_offsets(points, faces, held=held, offsets=offsets, falloff_mm=4.0)
    row = out[points[:, 1] == 20][:, 2]
    assert np.array_equal(out[held], offsets[held])
    assert abs(row[1] - row[0]) < 0.05
    assert abs(row[30]) < 0.02
    assert np.abs(out[:, :2]).max() < 1e-9


def test_what_fixed_vertices_pierce_is_pushed_aside_where_evening_out_cannot() -> None:
    points, faces = flat(9)
    spike = np.array([[3.6, 3.7, 0.1], [4.3, 4.9, -2.0], [4.9, 4.2, -2.0]])
    both, triangles = np.concatenate([points, spike]), np.concatenate([faces, [[81, 82, 83]]])
    free = np.append(np.abs(points[:, :2] - 4).max(1) < 4, np.zeros(3, bool))
    left, out = (move(both, triangles, free=free) for move in (remove_self_intersections_membrane, push_apart))
    assert len(first_intersections(Mesh(left, triangles))[0]) > 0
    assert len(first_intersections(Mesh(out, triangles))[0]) == 0
    assert np.array_equal(out[~free], both[~free])
    assert np.abs(out - both).max() < 0.5


def test_flip_edges_reaches_the_delaunay_triangles_of_a_flat_sheet() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((60, 2)), [[-1, -1], [2, -1], [2, 2], [-1, 2]]])
    wanted, _ = constrained_triangles(points, NONE)
    forced, _ = constrained_triangles(points, np.array([[0, 40]]))
    space = np.concatenate([points, np.zeros((64, 1))], 1)
    out = flip_edges(forced, uv=points, positions=space, fixed=NONE, passes=50)
    assert {frozenset(t) for t in out.tolist()} == {frozenset(t) for t in wanted.tolist()}


def test_flip_edges_never_makes_a_fixed_edge() -> None:
    points = np.array([[0.0, 0], [10, 0], [5, 1], [5, -1]])
    triangles = np.array([[0, 1, 2], [1, 0, 3]])
    space = np.concatenate([points, np.zeros((4, 1))], 1)
    free = flip_edges(triangles, uv=points, positions=space, fixed=NONE)
    assert (np.sort(free, 1) == [0, 2, 3]).all(1).any()
    assert np.array_equal(flip_edges(triangles, uv=points, positions=space, fixed=np.array([[3, 2]])), triangles)


def test_split_edges_replaces_an_edge_by_two_in_all_its_triangles() -> None:
    triangles, parents = split_edges(np.array([[0, 1, 2], [1, 0, 3]]), np.array([[0, 1]]), 4)
    assert parents.tolist() == [[0, 1]]
    assert len(triangles) == 4
    edges, _, used = unique_edges(triangles)
    assert [0, 1] not in edges.tolist()
    assert used.max() == 2


def test_bridges_span_dives_and_skip_lone_points() -> None:
    n = 20
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], 1)
    deep = np.zeros(n, bool)
    deep[[4, 9, 10, 11]] = True
    off, bridges = shortcut_runs(edges, deep, np.zeros(n, bool))
    assert np.flatnonzero(off).tolist() == [9, 10, 11]
    assert bridges.tolist() == [[8, 12]]
    beyond = np.zeros(n, bool)
    beyond[10] = True
    assert len(shortcut_runs(edges, deep, beyond)[1]) == 0
    assert shortcut_runs(edges, np.arange(n) > 2, np.zeros(n, bool))[0].all()


@pytest.mark.parametrize("leak", [False, True])
def test_a_leak_in_the_rim_is_closed_by_the_shortest_cut(leak: bool) -> None:
    points, faces = flat(31)
    inside = np.hypot(points[:, 0] - 15, points[:, 1] - 15) < 7
    hole = inside[faces].any(1)
    ring = boundary_edges(faces[~hole])
    ring = ring[((points[ring] > 0.5) & (points[ring] < 29.5))[..., :2].all((1, 2))]
    kept = ring[1:] if leak else ring
    keys = faces * len(points) + np.roll(faces, -1, axis=1)
    scan_side = np.isin(keys, kept[:, 0] * len(points) + kept[:, 1]).any(1)
    far_side = np.isin(keys, kept[:, 1] * len(points) + kept[:, 0]).any(1)
    side = far_side.astype(int) - scan_side
    evidence = np.where(np.isin(np.arange(len(points)), ring), np.nan, inside)
    label = label_missing(faces, side, kept, evidence=evidence, positions=points)
    assert np.array_equal(label, hole)


def test_only_a_surface_near_by_covers_the_face(sheet) -> None:
    face = sheet(12, 12, seed=3)
    for height, expected in ((0.5, 1.0), (29.0, 1.0), (45.0, 0.0)):
        scan = Mesh(3.0 * face.vertices - [10, 10, -height], face.faces)
        covered = measure_coverage(scan, face, border=boundary_edges(scan.faces))
        assert covered[np.abs(face.vertices[:, :2] - face.vertices[:, :2].mean(0)).max(1) < 3].mean() == expected


def test_a_torn_edge_does_not_make_the_patch_coarse() -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    feet = 20.0 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    edges = np.stack([np.arange(40), (np.arange(40) + 1) % 40], axis=1)
    length = np.full(40, 3.0)
    length[7] = 60.0
    sizes = rim_sizes(feet, edges, length, grading=0.3)
    assert sizes.at(np.zeros((1, 3)), np.ones(1))[0] == pytest.approx(1.0)
    assert sizes.at(feet[7:8], np.ones(1))[0] < 3.01 * 3.0


def test_the_wanted_length_goes_from_the_rims_to_the_templates_own() -> None:
    rim = np.array([[0.0, 0, 0], [0, 1, 0]])
    sizes = rim_sizes(rim, np.array([[0, 1]]), np.full(2, 0.5), grading=0.25)
    away = np.array([[0.0, 0, 0], [2, 0, 0], [6, 0, 0], [400, 0, 0]])
    wanted, distance = sizes.at(away, np.full(4, 2.0))
    assert wanted == pytest.approx([0.5, 1.0, 2.0, 2.0])
    assert distance[:3] == pytest.approx([0, 2, 6])
    assert np.isinf(distance[3])


def ladder_cost(one: np.ndarray, two: np.ndarray) -> float:
    """Least sum of squared rungs between two chains, by plain recursion over all pairs."""
    total = ((one[:, None] - two) ** 2).sum(2)
    for i in range(len(one)):
        for j in range(len(two)):
            before = [total[i - 1, j]] * (i > 0) + [total[i, j - 1]] * (j > 0)
            total[i, j] += min(before, default=0.0)
    return float(total[-1, -1])


@given(n=st.integers(1, 12), m=st.integers(1, 12), seed=st.integers(0, 200))
def test_a_ladder_steps_along_both_chains_and_is_the_shortest(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    i, j = shortest_ladder(one, two)
    assert (i[0], j[0], i[-1], j[-1]) == (0, 0, n - 1, m - 1)
    assert (np.diff(i) + np.diff(j) == 1).all()
    assert ((one[i] - two[j]) ** 2).sum() == pytest.approx(ladder_cost(one, two))


def test_a_ladder_between_long_chains_takes_little_memory() -> None:
    turn = np.linspace(0, 2 * np.pi, 900)
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    tracemalloc.start()
    shortest_ladder(ring, ring + [0.0, 0.0, 0.1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(turn) ** 2


def linked_discs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two discs of triangles whose borders are linked rings, and the triangles of both."""
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * np.arange(9) / 9
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1) * 3
    rings = [ring, rng.choice([-1, 1]) * ring[:, [0, 2, 1]] + [3, 0, 0]]
    points, triangles = [], []
    for k, loop in enumerate(rings):
        loop = loop + rng.normal(size=loop.shape) * 0.1
        added, faces = cap_loop(loop, fixed=NONE)
        points.append(np.concatenate([loop, added]))
        triangles.append(faces + k * len(points[0]))
    return np.concatenate(points), np.concatenate(triangles)


@given(seed=st.integers(0, 60))
def test_discs_of_linked_borders_are_reconnected_where_they_cross(seed: int) -> None:
    points, triangles = linked_discs(seed)
    free = np.ones(len(points), bool)
    free[boundary_edges(triangles)] = False
    moved = push_apart(remove_self_intersections_membrane(points, triangles, free=free), triangles, free=free)
    assert len(first_intersections(Mesh(moved, triangles))[0]) > 0  # no way to move them would do
    before = triangles.copy()
    out = reconnect_sheets(points, triangles, fixed=NONE)
    assert np.array_equal(before, triangles)
    assert len(first_intersections(Mesh(points, out))[0]) == 0
    assert {tuple(e) for e in boundary_edges(out).tolist()} == {tuple(e) for e in boundary_edges(triangles).tolist()}
    assert unique_edges(out)[2].max() == 2
    assert face_components(out).max() == 0
    taken, _, _ = unique_edges(out)
    new = taken[~has_edges(triangles, taken, len(points))]
    again = reconnect_sheets(points, triangles, fixed=new)
    assert not has_edges(again, new, len(points)).any()


def test_what_does_not_cross_is_not_reconnected() -> None:
    points, faces = flat(9)
    assert reconnect_sheets(points, faces, fixed=NONE) is faces


def test_a_face_that_only_touches_an_edge_hides_none_that_the_edge_pierces() -> None:
    edge = [[0.0, 0, 4e-6], [1, 0, -4e-6], [0.5, 0, 9]]
    grazed = [[0.3, -1.0, 0], [0.6, 0, 0], [0.3, 1, 0]]
    pierced = [[0.8, -1.0, -1], [0.8, 1, -1], [0.8, 0, 1]]
    points = np.array(edge + grazed + pierced)
    faces = np.arange(9).reshape(3, 3)
    found, by = first_intersections(Mesh(points, faces))
    assert [0, 1] in found.tolist()
    assert (by[(found == [0, 1]).all(1)] == 2).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_filling_between_linked_rims_ends_without_crossings_and_without_idle_vertices(seed: int) -> None:
    points, triangles = linked_discs(seed)
    rim = np.unique(boundary_edges(triangles))
    order = np.concatenate([rim, np.setdiff1d(np.arange(len(points)), rim)])
    points, triangles, count = points[order], np.argsort(order)[triangles], len(rim)
    flags, none = np.ones(count, bool), np.zeros((0, 3), int)
    edges, own = boundary_edges(triangles)[:, ::-1], sp.identity(len(points)).tocsr()
    rims = BoundaryLoops(
        np.arange(count), edges, points[:count], points[:count], own[:count], points[:count, :2], edges, flags, ~flags,
        np.ones(count), none,
    )  # fmt: skip
    whole = Filling(triangles, points[count:], own[count:])
    # What would be seen is not laid: the shortest band here has edges of more than a millimetre.
    assert np.array_equal(repair_self_intersections(whole, rims, NONE, longest_mm=0.1).triangles, triangles)
    out = repair_self_intersections(whole, rims, NONE, longest_mm=np.inf)
    everything = np.concatenate([points[:count], out.points])
    assert len(first_intersections(Mesh(points, triangles))[0]) > 0
    assert len(first_intersections(Mesh(everything, out.triangles))[0]) == 0
    assert np.array_equal(np.unique(out.triangles), np.arange(len(everything)))
    assert out.weights.shape == (len(out.points), len(points))
    ways = [{tuple(e) for e in boundary_edges(t).tolist()} for t in (out.triangles, triangles)]
    assert ways[0] == ways[1]
