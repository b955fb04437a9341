import time

import numpy as np
import pytest

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh, boundary_loops, face_areas, face_normals, unique_edges
from facecom.scan.cleaning import clean_scan
from facecom.scan.reconstruction_gaps import close_small_gaps
from facecom.scan.surface_reconstruction import estimate_normals, point_spacing, surface_from_points


@pytest.fixture(scope="module")
def cap() -> np.ndarray:
    """4,000 points on a front half sphere of 80 mm about a far place, with a hole of 20 mm, even and without noise."""
    k = np.arange(8000) + 0.5
    polar, turn = np.arccos(1 - 2 * k / 8000), np.pi * (1 + 5**0.5) * k
    points = 80 * np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    kept = (points[:, 2] > 0) & (np.linalg.norm(points - [0, 30, 74], axis=1) > 20)
    return points[kept] + [500.0, -200.0, 900.0]


CENTRE = np.array([500.0, -200.0, 900.0])


@pytest.mark.parametrize("with_normals", [True, False])
def test_points_become_the_vertices_of_an_oriented_surface_and_the_hole_stays_open(cap, with_normals):
    outward = (cap - CENTRE) / 80
    cloud = Mesh(cap, [], colors=np.full_like(cap, 0.5), normals=outward if with_normals else None)
    surface = surface_from_points(cloud)
    assert surface.vertices.tobytes() == cap.tobytes()
    assert np.array_equal(surface.colors, cloud.colors)
    assert np.einsum("nd,nd->n", surface.normals, outward).min() > 0.9
    clean = clean_scan(surface)
    assert len(clean.mesh.vertices) > 0.97 * len(cap)
    assert unique_edges(clean.mesh.faces)[2].max() == 2
    middle = clean.mesh.vertices[clean.mesh.faces].mean(axis=1) - CENTRE
    assert (np.einsum("nd,nd->n", face_normals(clean.mesh), middle) > 0).all()
    loops = boundary_loops(clean.mesh.faces)
    hole = CENTRE + [0, 30, 74]
    near = [np.linalg.norm(clean.mesh.vertices[loop] - hole, axis=1).max() < 26 for loop in loops if len(loop) > 12]
    assert near.count(True) == 1 and near.count(False) == 1
    assert np.linalg.norm(clean.mesh.vertices[clean.mesh.faces].mean(axis=1) - hole, axis=1).min() > 16


def test_the_unit_of_the_points_does_not_matter(cap):
    in_mm = surface_from_points(Mesh(cap, []))
    in_m = surface_from_points(Mesh(cap * 0.001, []))
    assert abs(len(in_mm.faces) - len(in_m.faces)) < 0.01 * len(in_mm.faces)


def test_the_same_points_give_the_same_faces(cap):
    first, second = (surface_from_points(Mesh(cap, [])) for _ in range(2))
    assert np.array_equal(first.faces, second.faces)


def test_doubled_and_infinite_points_are_left_out(cap):
    more = np.concatenate([cap[:50], [[np.nan] * 3, [np.inf] * 3], cap])
    surface = surface_from_points(Mesh(more, []))
    assert len(surface.vertices) == len(more)
    assert np.isfinite(surface.vertices[surface.faces]).all()
    assert not np.isin(np.arange(52, 102), surface.faces).any()


def test_a_large_cloud_is_thinned_evenly(cap):
    surface = surface_from_points(Mesh(cap, []), max_points=1000)
    used = np.unique(surface.faces)
    assert 500 < len(used) <= 1000
    assert point_spacing(cap[used]) > 1.5 * point_spacing(cap)


def test_poisson_smooths_and_is_trimmed_to_the_points(cap):
    noisy = cap + np.random.default_rng(0).normal(size=cap.shape) * 0.8
    colors = np.full_like(cap, 0.25)
    surface = surface_from_points(
        Mesh(noisy, [], colors=colors, normals=(cap - CENTRE) / 80), method="poisson", depth=6
    )
    radius = np.linalg.norm(surface.vertices - CENTRE, axis=1)
    assert np.abs(radius - 80).mean() < 0.5
    assert np.linalg.norm(surface.vertices - CENTRE - [0, 30, 74], axis=1).min() > 8
    assert np.allclose(surface.colors, 0.25)


def test_normals_of_a_cloud_agree_and_point_outward(cap):
    normals = estimate_normals(cap)
    assert np.einsum("nd,nd->n", normals, (cap - CENTRE) / 80).min() > 0.95


def test_normals_that_neighbours_disagree_on_count_as_none(cap):
    """Half of them point inwards, as sensors that know a plane but no side write them."""
    random = (cap - CENTRE) / 80 * np.random.default_rng(0).choice([-1, 1], (len(cap), 1))
    without, signless = surface_from_points(Mesh(cap, [])), surface_from_points(Mesh(cap, [], normals=random))
    assert np.array_equal(without.faces, signless.faces)
    assert np.array_equal(without.normals, signless.normals)


def test_a_flat_even_grid_of_points_becomes_a_flat_surface(sheet):
    grid = sheet(20, 30)
    surface = surface_from_points(Mesh(grid.vertices, []))
    assert len(boundary_loops(surface.faces)) == 1
    assert np.abs(face_normals(surface)[:, 2]).min() > 0.999
    assert face_areas(surface).sum() == pytest.approx(600)


@pytest.mark.parametrize("corners", [3, 4, 7, 12])
def test_a_small_gap_is_closed_and_a_wide_one_is_not(corners):
    turn = np.arange(corners) * 2 * np.pi / corners
    ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    vertices = np.concatenate([ring, 2 * ring])
    k = np.arange(corners)
    after = (k + 1) % corners
    faces = np.concatenate([np.stack([k, k + corners, after], 1), np.stack([after, k + corners, after + corners], 1)])
    outer = 2 * np.pi
    fill = close_small_gaps(vertices, faces, corners)
    inner = fill[(fill < corners).all(axis=1)]
    assert len(inner) == corners - 2
    whole = Mesh(vertices, np.concatenate([faces, inner]))
    assert unique_edges(whole.faces)[2].max() == 2
    assert (face_normals(whole)[:, 2] > 0.99).all() and outer > 0
    assert len(close_small_gaps(vertices, faces, corners - 1)) == 0


@pytest.mark.parametrize("taken", [False, True])
def test_a_gap_is_not_closed_with_an_edge_that_is_there_already(taken):
    ring = np.array([[0.0, 0, 0], [2, 1, 0], [1, 0, 0], [2, -1, 0]])  # the least area has the edge 0-2
    k = np.arange(4)
    outer = np.concatenate([ring * 3 - [0.5, 0, 0], [[0.5, 0, 4], [0.5, 0, -4]]])
    around = [[i, j, i + 4] for i, j in zip(k, (k + 1) % 4, strict=True)]
    elsewhere = [[0, 2, 8], [2, 0, 9]] if taken else []
    fill = close_small_gaps(np.concatenate([ring, outer]), np.array(around + elsewhere), 4)
    sides = {tuple(sorted(side)) for face in fill.tolist() for side in zip(face, face[1:] + face[:1], strict=True)}
    assert ((0, 2) in sides) == (not taken)
    assert ((1, 3) in sides) == taken


def test_what_cannot_be_a_surface_is_refused():
    with pytest.raises(ScanError, match="5 different points"):
        surface_from_points(Mesh(np.random.default_rng(0).random((5, 3)), []))
    with pytest.raises(ScanError, match="1 different points"):
        surface_from_points(Mesh(np.ones((50, 3)), []))
    with pytest.raises(ValueError, match="pivot, poisson"):
        surface_from_points(Mesh(np.eye(3), []), method="magic")


def timed_surface(points: np.ndarray) -> Mesh:
    """The surface, in a bounded time."""
    begin = time.process_time()
    surface = surface_from_points(Mesh(points, []))
    assert time.process_time() - begin < 20
    return surface


def test_stray_points_up_to_the_end_of_the_world_are_left_out_and_change_no_face(cap):
    rng = np.random.default_rng(0)
    way = rng.normal(size=cap.shape)
    stray = CENTRE + way / np.linalg.norm(way, axis=1, keepdims=True) * 10.0 ** rng.uniform(3.5, 7, (len(cap), 1))
    surface = timed_surface(np.concatenate([cap, stray]))
    assert surface.faces.max() < len(cap)
    assert len(surface.faces) > 0.95 * len(surface_from_points(Mesh(cap, [])).faces)


def test_a_crowd_of_points_within_one_ball_is_thinned(cap):
    crowd = CENTRE + [0, 0, 80] + np.random.default_rng(0).normal(scale=0.2, size=(3000, 3))
    surface = timed_surface(np.concatenate([cap, crowd]))
    assert len(np.unique(surface.faces)) > 0.9 * len(cap)
    assert np.isin(np.arange(len(cap), len(cap) + 3000), surface.faces).mean() < 0.2
