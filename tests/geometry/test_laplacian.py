import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.laplacian import cotangent_stiffness, smoothed_normals, uniform_laplacian, vertex_areas
from facecom.geometry.mesh import Mesh, boundary_loops, face_areas, unit, vertex_normals
from facecom.geometry.transform import rotation_from_vector


def slow_stiffness(mesh: Mesh) -> np.ndarray:
    """Integral of grad(hat_i) . grad(hat_j), from the gradients of the hat functions of each face."""
    total = np.zeros((len(mesh.vertices),) * 2)
    for face, area in zip(mesh.faces, face_areas(mesh), strict=True):
        corners = mesh.vertices[face]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        normal = normal / np.linalg.norm(normal)
        gradient = [np.cross(normal, corners[(k + 2) % 3] - corners[(k + 1) % 3]) / (2 * area) for k in range(3)]
        for i in range(3):
            for j in range(3):
                total[face[i], face[j]] += area * gradient[i] @ gradient[j]
    return total


def bumpy(mesh: Mesh, seed: int) -> Mesh:
    return mesh.with_vertices(mesh.vertices + np.random.default_rng(seed).normal(size=mesh.vertices.shape) * 0.1)


def interior(mesh: Mesh) -> np.ndarray:
    inner = np.ones(len(mesh.vertices), bool)
    inner[boundary_loops(mesh.faces)[0]] = False
    return inner


@given(st.integers(0, 1000))
def test_the_cotangent_matrix_is_the_integral_of_gradients(icosphere, sheet, seed):
    for mesh in (bumpy(icosphere(1), seed), bumpy(sheet(3, 4), seed)):
        found = cotangent_stiffness(mesh.vertices, mesh.faces).toarray()
        np.testing.assert_allclose(found, slow_stiffness(mesh), atol=1e-9)


def test_stiffness_is_symmetric_semidefinite_and_kills_constants(icosphere):
    mesh = bumpy(icosphere(2), 0)
    stiffness = cotangent_stiffness(mesh.vertices, mesh.faces)
    assert abs(stiffness - stiffness.T).max() < 1e-12
    np.testing.assert_allclose(stiffness @ np.ones(len(mesh.vertices)), 0, atol=1e-12)
    values = np.linalg.eigvalsh(stiffness.toarray())
    assert values[0] > -1e-10
    assert values[1] > 1e-6  # one component: constants alone have no energy


def test_stiffness_does_not_feel_motion_or_size(icosphere):
    mesh = bumpy(icosphere(1), 2)
    moved = mesh.vertices @ rotation_from_vector([1, 2, 3]).T * 7 + [5, 6, 7]
    difference = cotangent_stiffness(mesh.vertices, mesh.faces) - cotangent_stiffness(moved, mesh.faces)
    assert abs(difference).max() < 1e-11


def test_linear_functions_are_harmonic_on_an_irregular_plane(sheet):
    flat = sheet(8, 8, seed=3)
    linear = flat.vertices @ [2.0, -3.0, 0.0]
    stiffness = cotangent_stiffness(flat.vertices, flat.faces)
    np.testing.assert_allclose((stiffness @ linear)[interior(flat)], 0, atol=1e-12)
    assert linear @ stiffness @ linear == pytest.approx(64 * (4 + 9))  # area times squared gradient


def test_the_laplacian_of_position_is_mean_curvature_on_a_sphere(icosphere):
    ball = icosphere(4, radius=20.0)
    vector = cotangent_stiffness(ball.vertices, ball.faces) @ ball.vertices
    curvature = vector / vertex_areas(ball.vertices, ball.faces)[:, None]
    np.testing.assert_allclose(np.linalg.norm(curvature, axis=1).mean(), 2 / 20, rtol=0.01)
    assert np.einsum("vd,vd->v", curvature, ball.vertices).min() > 0


def test_vertex_areas_share_out_the_whole_surface(sheet):
    flat = sheet(5, 3, seed=1)
    areas = vertex_areas(flat.vertices, flat.faces)
    assert areas.sum() == pytest.approx(15)
    slow = np.zeros(len(flat.vertices))
    for face, area in zip(flat.faces, face_areas(flat), strict=True):
        slow[face] += area / 3
    np.testing.assert_allclose(areas, slow)


def test_the_uniform_laplacian_is_the_neighbour_mean_less_the_vertex(sheet):
    flat = sheet(3, 4, seed=1)
    count = len(flat.vertices)
    found = uniform_laplacian(flat.faces, count + 1) @ np.vstack([flat.vertices, [9, 9, 9]])
    for i in range(count):
        around = np.unique(flat.faces[(flat.faces == i).any(1)])
        around = around[around != i]
        np.testing.assert_allclose(found[i], flat.vertices[around].mean(0) - flat.vertices[i], atol=1e-12)
    assert found[count].tolist() == [0, 0, 0]  # a vertex of no face


def test_a_degenerate_face_gives_finite_weights():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]])
    stiffness = cotangent_stiffness(vertices, np.array([[0, 1, 2], [0, 1, 3]]))
    assert np.isfinite(stiffness.data).all()
    np.testing.assert_allclose(stiffness @ np.ones(4), 0, atol=1e-3)


@given(st.integers(0, 10_000))
def test_smoothed_normals_agree_with_a_slow_loop(sheet, seed):
    mesh, rng = sheet(6, 5, seed=seed), np.random.default_rng(seed)
    vertices = mesh.vertices + rng.normal(scale=0.2, size=mesh.vertices.shape)
    expected = vertex_normals(vertices, mesh.faces)
    near = [set(mesh.faces[(mesh.faces == k).any(1)].ravel().tolist()) - {k} for k in range(len(vertices))]
    for _ in range(3):
        means = np.array([expected[list(others)].mean(0) for others in near])
        expected = unit(0.5 * expected + 0.5 * means)
    np.testing.assert_allclose(smoothed_normals(vertices, mesh.faces, passes=3), expected, atol=1e-12)


def test_smoothed_normals_of_no_passes_are_plain_and_those_of_a_sphere_stay(icosphere):
    ball = icosphere(3, radius=5.0)
    plain = smoothed_normals(ball.vertices, ball.faces, passes=0)
    np.testing.assert_array_equal(plain, vertex_normals(ball.vertices, ball.faces))
    smooth = smoothed_normals(ball.vertices, ball.faces, passes=9)
    np.testing.assert_allclose(np.linalg.norm(smooth, axis=1), 1.0)
    assert np.einsum("vd,vd->v", smooth, ball.vertices / 5.0).min() > 0.998


def test_smoothing_turns_normals_less_from_vertex_to_vertex(sheet):
    flat = sheet(20, 20)
    crease = flat.vertices + np.abs(flat.vertices[:, :1] - 10.0) * [0.0, 0.0, 1.0]
    normals = [smoothed_normals(crease, flat.faces, passes=n).reshape(21, 21, 3) for n in (0, 2, 6)]
    steps = [np.abs(np.diff(each, axis=1)).max() for each in normals]
    assert steps[0] > 1.5 * steps[1] > 2.0 * steps[2]
