import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, boundary_loops, face_areas, longest_edges
from facecom.scan.reconstruction_gaps import bridging_faces, close_small_gaps, edge_limit
from facecom.scan.surface_reconstruction import surface_from_points

RADIUS, HOLE = 80.0, np.array([0.0, 30.0, 74.0])


def front(count: int, *, even: bool) -> np.ndarray:
    """About `count` points on a front half sphere of 80 mm with a hole of 20 mm: evenly spread, or by chance."""
    k, rng = np.arange(2 * count) + 0.5, np.random.default_rng(count)
    polar, turn = np.arccos(1 - k / count), np.pi * (1 + 5**0.5) * k
    points = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    if not even:
        points = rng.normal(size=points.shape)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = RADIUS * points + rng.normal(0, 0.1, points.shape)
    return points[(points[:, 2] > 0) & (np.linalg.norm(points - HOLE, axis=1) > 20)]


@pytest.mark.parametrize(("count", "even"), [(500, True), (1300, True), (4000, True), (1300, False), (4000, False)])
def test_a_hole_stays_as_wide_as_it_is_however_coarse_the_points_and_the_rest_is_covered(count, even):
    """500 points by chance, 9 mm apart, leave openings of that size where there is no hole."""
    spacing = np.sqrt(2 * np.pi * RADIUS**2 / count)
    made = surface_from_points(Mesh(front(count, even=even), []))
    found = Mesh(made.vertices, made.faces)
    middle, area = found.vertices[found.faces].mean(axis=1), face_areas(found)
    inside = np.linalg.norm(middle - HOLE, axis=1) < 20 - 0.35 * spacing
    assert area[inside].sum() < 0.04 * np.pi * 20**2
    whole = 2 * np.pi * RADIUS**2 - np.pi * 20**2 - np.pi * RADIUS * spacing  # the rim at the equator is ragged
    assert area.sum() > 0.97 * whole


@pytest.mark.parametrize("even", [True, False])
def test_a_hole_that_is_bridged_from_side_to_side_is_opened(even):
    """Where the largest ball is wider than the hole no rim is left to begin at."""
    points = front(900, even=even)
    wide = {"radii": (1.0, 2.0, 5.0), "fill_edges": 0}
    closed, opened = (surface_from_points(Mesh(points, []), outlier=o, **wide) for o in (9.0, 3.0))
    over = [np.linalg.norm(m.vertices[m.faces].mean(axis=1) - HOLE, axis=1).min() for m in (closed, opened)]
    assert over[0] < 10 and over[1] > 14


@pytest.mark.parametrize(("place", "narrow", "taken"), [((3, 3), 0.1, 0), ((1, 3), 0.1, 6), ((3, 3), -2.0, 6)])
def test_long_faces_at_a_rim_are_bridges_and_amid_the_surface_only_the_longest(sheet, place, narrow, taken):
    grid = sheet(6, 6)
    limit = np.full(len(grid.vertices), 2.0)
    one = np.flatnonzero((grid.vertices[:, :2] == place).all(axis=1))
    limit[one] = narrow  # the mean over the corners of the six faces there falls below their diagonal
    found = bridging_faces(grid.vertices, grid.faces, limit)
    assert found.sum() == taken
    assert np.isin(grid.faces[found], one).any(axis=1).all()


def test_a_gap_is_closed_only_where_edges_may_be_that_long(sheet):
    grid = sheet(6, 6)
    inner = np.flatnonzero((grid.vertices[:, :2] == 3).all(axis=1))
    around = grid.faces[~np.isin(grid.faces, inner).any(axis=1)]
    assert [len(loop) for loop in boundary_loops(around)] == [24, 6]
    for longest, closed in ((2.5, True), (1.9, False)):
        fill = close_small_gaps(grid.vertices, around, 12, limit=np.full(len(grid.vertices), longest))
        assert bool(len(fill)) == closed


def test_the_limit_grows_with_the_spacing_and_with_chance():
    """Coarser where the points are, and farther above the median where they lie by chance."""
    room = []
    for even in (True, False):
        points = front(1300, even=even)
        made = surface_from_points(Mesh(points, []))
        limit = edge_limit(points, made.faces)
        assert np.allclose(edge_limit(3 * points, made.faces), 3 * limit)
        room.append(np.median(limit) / np.median(longest_edges(points, made.faces)))
    assert room[1] > 1.3 * room[0]
