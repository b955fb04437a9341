import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.correspondence import OrientedSurface, reciprocal
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector

IDENTITY = Similarity()
UP = np.array([[0.0, 0.0, 1.0]])


def asked(surface, points, normals=UP, *, pose=IDENTITY, reach=5.0, limit=0.8):
    points = np.asarray(points, float)
    normals = np.broadcast_to(normals, points.shape)
    return surface.match(points, normals, pose=pose, reach_mm=reach, normal_limit_rad=limit)


def test_the_closest_point_is_the_foot_of_the_perpendicular(sheet):
    found = asked(OrientedSurface(sheet(6, 6)), [[2.3, 3.1, 2.0]])
    assert found.valid.all()
    assert np.allclose(found.points, [[2.3, 3.1, 0.0]])
    assert np.allclose(found.normals, UP)
    assert np.allclose(found.distance, 2.0)


@pytest.mark.parametrize(
    ("point", "normal", "why"),
    [
        ([2.3, 3.1, 6.0], [0, 0, 1], "beyond reach"),
        ([2.3, 3.1, 2.0], [0, 0, -1], "back side"),
        ([2.3, 3.1, 2.0], [1, 0, 0.5], "turned too far"),
        ([-1.0, 3.1, 0.5], [0, 0, 1], "rim"),
    ],
)
def test_correspondences_that_are_not_valid(sheet, point, normal, why):
    normal = np.array([normal]) / np.linalg.norm(normal)
    assert not asked(OrientedSurface(sheet(6, 6)), [point], normal).valid.any(), why


def test_the_prefilter_changes_no_correspondence(icosphere):
    """Long thin triangles beside fine ones: a point may be near a triangle and far from all of its corners."""
    ball = icosphere(2, radius=10.0)
    mesh = Mesh(ball.vertices * [1, 1, 8], ball.faces)
    rng = np.random.default_rng(0)
    points, normals = rng.uniform(-90, 90, (4000, 3)) * [0.4, 0.4, 1.0], rng.normal(size=(4000, 3))
    pose = Similarity(rotation_from_vector([0.3, -1.0, 0.5]), [5.0, 1.0, -2.0])
    options = {"pose": pose, "reach_mm": 6.0, "normal_limit_rad": 1.2}
    every = OrientedSurface(mesh).match(points, normals, **options)
    sorted_out = OrientedSurface(mesh).match(points, normals, **options, prefilter=True)
    assert 50 < every.valid.sum() < 3000
    assert np.array_equal(every.valid, sorted_out.valid)
    for name in ("points", "normals", "distance"):
        assert np.array_equal(getattr(every, name)[every.valid], getattr(sorted_out, name)[every.valid])
    assert np.isfinite(sorted_out.points).all() and np.isinf(sorted_out.distance).any()
    assert not asked(OrientedSurface(mesh), [[900.0, 0, 0]]).valid.any()


def test_nothing_within_reach_is_no_correspondence_and_no_error(sheet):
    found = OrientedSurface(sheet(6, 6)).match(
        np.array([[2.0, 2.0, 900.0]]), UP, pose=IDENTITY, reach_mm=5.0, normal_limit_rad=0.8, prefilter=True
    )
    assert not found.valid.any() and np.isinf(found.distance).all()


def test_inside_out_turns_the_normals(sheet):
    found = asked(OrientedSurface(sheet(6, 6), inside_out=True), [[2.3, 3.1, 2.0]], -UP)
    assert found.valid.all()
    assert np.allclose(found.normals, -UP)


@given(st.integers(0, 1000))
def test_match_answers_in_the_frame_of_the_query(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:7, :7].astype(float)
    index = np.arange(49).reshape(7, 7)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    mesh = Mesh(
        np.stack([x.ravel(), y.ravel(), rng.normal(size=49) * 0.3], 1),
        np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
    )
    points = rng.uniform(1, 5, (20, 3)) * [1, 1, 0.3]
    still = asked(OrientedSurface(mesh), points, limit=1.5)
    pose = Similarity(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3) * 9)
    moved = asked(OrientedSurface(mesh), pose.apply(points), pose.rotate(UP), pose=pose, limit=1.5)
    assert np.allclose(moved.points, pose.apply(still.points), atol=1e-9)
    assert np.allclose(moved.normals, pose.rotate(still.normals), atol=1e-9)
    assert np.array_equal(moved.valid, still.valid)


def test_a_point_over_a_surface_that_another_lies_on_is_not_reciprocal(sheet):
    """Two over one place, one alone, and one beyond reach, which takes nothing from anybody."""
    points = np.array([[2.0, 2.0, 0.1], [2.1, 2.0, 2.0], [4.0, 4.0, 2.0], [4.0, 4.0, 9.0]])
    found = asked(OrientedSurface(sheet(6, 6)), points)
    assert reciprocal(found, points, tolerance_mm=1.0).tolist() == [True, False, True, False]
    assert reciprocal(found, points, tolerance_mm=2.5).tolist() == [True, True, True, False]
    assert np.array_equal(reciprocal(found, points, tolerance_mm=np.inf), found.valid)


@given(st.integers(0, 1000))
def test_points_on_the_surface_are_all_reciprocal_and_a_tolerance_only_adds(seed):
    rng = np.random.default_rng(seed)
    ground = Mesh([[0.0, 0, 0], [9, 0, 0], [9, 9, 0], [0, 9, 0]], [[0, 1, 2], [0, 2, 3]])
    surface, points = OrientedSurface(ground, doubted=None), rng.uniform(1, 8, (30, 3)) * [1, 1, 0.5]
    surface.on_boundary[:] = False  # all corners of so small a sheet lie on its boundary
    flat = points * [1, 1, 0]
    assert reciprocal(asked(surface, flat), flat, tolerance_mm=0.0).all()
    found = asked(surface, points)
    little, more = (reciprocal(found, points, tolerance_mm=mm) for mm in (0.2, 1.0))
    assert not (little & ~more).any() and not (more & ~found.valid).any()
    assert little[np.argmin(points[:, 2])]
