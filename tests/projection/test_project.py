import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import linalg as sparse_linalg
from scipy.spatial import cKDTree

from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Mesh, unit
from facecom.geometry.subdivision import midpoint_matrix, split_faces
from facecom.geometry.transform import Similarity
from facecom.projection.project import (
    ProjectSettings,
    distance_along_normals,
    extrapolated_offset,
    matern_precision,
    posterior_field,
    project,
    robust_posterior_field,
)


@pytest.fixture(scope="module")
def square(sheet):
    return sheet(50, 50, seed=2)


@pytest.fixture(scope="module")
def levels(sheet):
    """A bent sheet on two nested levels, and how values go to each from the level above it."""
    flat = sheet(12, 12)
    halves = [split_faces(flat.faces, len(flat.vertices))]
    halves.append(split_faces(halves[0][0], len(flat.vertices) + len(halves[0][1])))
    (middle_faces, first), (fine_faces, second) = halves
    to_middle = midpoint_matrix(first, len(flat.vertices))
    to_fine = midpoint_matrix(second, len(flat.vertices) + len(first))
    x, y = (to_middle @ flat.vertices[:, :2] * 8.0 - 48.0).T
    bent = np.stack([x, y, -0.006 * (x**2 + y**2)], 1)
    return ((bent, middle_faces), (to_fine @ bent, fine_faces)), (to_middle, to_fine)


def finder(scan):
    surface = OrientedSurface(scan)

    def find(vertices, normals, reach_mm):
        return surface.match(vertices, normals, pose=Similarity(), reach_mm=reach_mm, normal_limit_rad=1.1)

    return find


def middle(mesh):
    return int(np.argmin(np.linalg.norm(mesh.vertices - mesh.vertices.mean(0), axis=1)))


def covariance(mesh, vertex, *, correlation_mm, sigma_mm):
    """A column of the inverse precision."""
    precision = matern_precision(mesh.vertices, mesh.faces, correlation_mm=correlation_mm, sigma_mm=sigma_mm)
    return sparse_linalg.spsolve(precision.tocsc(), np.eye(1, len(mesh.vertices), vertex).ravel())


@pytest.mark.parametrize(("correlation", "sigma"), [(8.0, 0.5), (12.0, 2.0)])
def test_field_has_the_variance_and_the_memory_asked_for(square, correlation, sigma):
    vertex = middle(square)
    column = covariance(square, vertex, correlation_mm=correlation, sigma_mm=sigma)
    distance = np.linalg.norm(square.vertices - square.vertices[vertex], axis=1)
    assert np.sqrt(column[vertex]) == pytest.approx(sigma, rel=0.1)
    ring = np.abs(distance - correlation) < 0.6
    # Matern correlation with smoothness one at the distance called range: sqrt(8) K1(sqrt(8)) = 0.14
    assert column[ring].mean() / column[vertex] == pytest.approx(0.14, abs=0.03)


def test_precision_is_symmetric_and_positive(square):
    precision = matern_precision(square.vertices, square.faces, correlation_mm=9.0, sigma_mm=0.4)
    assert abs(precision - precision.T).max() < 1e-9 * abs(precision).max()
    assert sparse_linalg.eigsh(precision, k=1, sigma=0, return_eigenvectors=False)[0] > 0


def test_iterations_reach_the_direct_solution(square):
    rng = np.random.default_rng(0)
    precision = matern_precision(square.vertices, square.faces, correlation_mm=5.0, sigma_mm=0.3)
    gap, weight = rng.normal(size=len(square.vertices)), (rng.random(len(square.vertices)) < 0.7) / 0.1**2
    direct = sparse_linalg.spsolve((precision + sp.diags(weight)).tocsc(), weight * gap)
    walked = posterior_field(precision, gap, weight, tolerance=1e-6)
    assert np.allclose(walked, direct, atol=1e-3 * np.abs(direct).max())


@given(st.integers(0, 10_000))
def test_field_is_the_least_cost(seed):
    rng = np.random.default_rng(seed)
    root = sp.csr_matrix(rng.normal(size=(6, 6)))
    precision, gap, weight = (root.T @ root + sp.eye(6)).tocsr(), rng.normal(size=6), rng.random(6)
    field = posterior_field(precision, gap, weight, tolerance=1e-12)
    assert np.allclose(precision @ field, weight * (gap - field), atol=1e-9)


def test_what_leaves_the_trend_is_not_followed(square):
    precision = matern_precision(square.vertices, square.faces, correlation_mm=14.0, sigma_mm=0.5)
    gap = 0.02 * square.vertices[:, 0]
    spike = np.zeros(len(gap), bool)
    spike[len(gap) // 3 :: 97] = True
    weight = np.full(len(gap), 1 / 0.15**2)
    options = {"trend_weight": np.full(len(gap), 1 / 2.0**2), "trend_basis": sp.eye(len(gap)), "robust_mm": 1.0}
    clean = robust_posterior_field(precision, gap, weight, **options)
    spiked = robust_posterior_field(precision, gap + 6.0 * spike, weight, **options)
    followed = sparse_linalg.spsolve((precision + sp.diags(weight)).tocsc(), weight * (gap + 6.0 * spike))
    assert np.abs(spiked - clean)[spike].max() < 0.15
    assert np.abs(followed - clean)[spike].min() > 0.4


def test_a_trend_on_the_level_above_is_as_good(levels):
    ((vertices, faces), _), (basis, _) = levels
    precision = matern_precision(vertices, faces, correlation_mm=14.0, sigma_mm=0.5)
    rng = np.random.default_rng(4)
    gap = np.sin(vertices[:, 0] / 15.0) + 3.0 * (rng.random(len(vertices)) < 0.03)
    weight = (np.hypot(*vertices[:, :2].T) > 15.0) / 0.15**2
    options = {"trend_weight": weight * 0.15**2 / 2.0**2, "robust_mm": 1.0}
    full = robust_posterior_field(precision, gap, weight, trend_basis=sp.eye(len(gap)), **options)
    small = robust_posterior_field(precision, gap, weight, trend_basis=basis, **options)
    assert np.std(full - small) < 0.03 * np.std(full)


def test_even_normals_are_unit_and_turn_slowly():
    x, y = np.meshgrid(np.arange(20.0), np.arange(20.0))
    crease = np.stack([x.ravel(), y.ravel(), 1.5 * np.abs(x.ravel() - 9.5)], axis=1)
    k = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    faces = np.concatenate([np.stack([k, k + 1, k + 21], 1), np.stack([k, k + 21, k + 20], 1)])
    sharp, even = (smoothed_normals(crease, faces, passes=n).reshape(20, 20, 3) for n in (0, 6))
    assert np.allclose(np.linalg.norm(even, axis=2), 1.0)
    step = lambda n: np.linalg.norm(np.diff(n[10], axis=0), axis=1).max()  # noqa: E731
    assert step(even) < 0.6 * step(sharp)


def test_field_falls_back_to_nothing_in_a_hole(square):
    distance = np.linalg.norm(square.vertices - square.vertices.mean(0), axis=1)
    precision = matern_precision(square.vertices, square.faces, correlation_mm=8.0, sigma_mm=0.5)
    field = posterior_field(precision, np.ones(len(distance)), (distance > 20.0) / 0.05**2, tolerance=1e-4)
    assert np.abs(field[distance > 22].mean() - 1.0) < 0.02
    assert abs(field[middle(square)]) < 0.05


def test_distance_along_the_normals_to_a_plane():
    normals = np.array([[0, 0, 1.0], [0, np.sin(0.6), np.cos(0.6)]])
    vertices = np.array([[0, 0, 0.0], [1, 2, 3]])
    plane = np.array([[0, 0, 1.0]] * 2)
    moved = vertices + distance_along_normals(vertices, normals, np.array([[5, 5, 7.0]] * 2), plane)[:, None] * normals
    assert np.allclose(moved[:, 2], 7.0)


def bumpy(levels, *, hole=0.0):
    """A finer scan of the sheet, 1 to 2 mm outside of it, with a round hole."""
    (_, (fine, faces)), _ = levels
    x, y = fine[:, :2].T
    mesh = Mesh(fine + np.stack([0 * x, 0 * x, 1.5 + 0.5 * np.sin(x / 9) * np.cos(y / 11)], 1), faces)
    return mesh.submesh((np.hypot(x, y) >= hole)[faces].all(1))[0]


def test_seen_surface_comes_to_lie_on_the_scan(levels):
    scan = bumpy(levels, hole=20.0)
    done = project(*levels, finder(scan))
    gap = OrientedSurface(scan).surface.closest(done.vertices).distance
    inner = done.measured & (np.abs(done.vertices[:, :2]).max(1) < 40)
    assert inner.sum() > 800
    assert gap[inner].mean() < 0.02
    assert np.quantile(gap[inner], 0.99) < 0.1


def test_nothing_in_the_hole_counts_as_measured(levels):
    done = project(*levels, finder(bumpy(levels, hole=20.0)))
    distance = np.hypot(*levels[0][1][0][:, :2].T)
    assert not done.measured[distance < 18].any()
    assert done.measured[(distance > 25) & (distance < 40)].mean() > 0.98


def test_offset_is_carried_smoothly_into_the_hole(levels):
    done = project(*levels, finder(bumpy(levels, hole=20.0)), settings=ProjectSettings(carry_correlation_mm=10.0))
    distance = np.hypot(*levels[0][1][0][:, :2].T)
    rim, centre = done.offset[np.abs(distance - 18) < 2].mean(), done.offset[distance < 3].mean()
    assert 0.6 < rim < 2.0
    assert abs(centre) < 0.5 * rim


def test_what_no_scan_comes_near_stays(levels):
    far = Mesh(bumpy(levels).vertices + [0, 0, 100.0], bumpy(levels).faces)
    done = project(*levels, finder(far))
    assert not done.measured.any()
    assert np.allclose(done.vertices, levels[0][1][0], atol=1e-9)


def test_offset_runs_along_the_even_normals(levels):
    ((coarse, coarse_faces), (fine, _)), (_, prolongation) = levels
    done = project(*levels, finder(bumpy(levels)), settings=ProjectSettings(even_passes=4))
    along = unit(prolongation @ smoothed_normals(coarse, coarse_faces, passes=4))
    assert np.allclose(done.vertices, fine + done.offset[:, None] * along)


def test_offset_in_a_hole_goes_on_as_the_rim_suggests(levels):
    """A tilt around a hole is carried into it, the middle of a wide one falls back, and measured offsets stay."""
    (_, (fine, faces)), _ = levels
    distance = np.hypot(*fine[:, :2].T)
    tilt = 0.04 * fine[:, 0]
    for radius, share in ((8.0, 0.6), (40.0, 0.0)):
        measured = distance > radius
        given = np.where(measured, tilt, 0.0)
        carried = extrapolated_offset(Mesh(fine, faces), given, measured, settings=ProjectSettings(carry_mm=20.0))
        inside = (distance > 0.4 * radius) & (distance < 0.7 * radius)
        followed = (carried[inside] @ tilt[inside]) / (tilt[inside] @ tilt[inside])
        assert np.array_equal(carried[measured], given[measured])
        assert followed > share
        assert np.abs(carried[distance < radius - 20.5]).max(initial=0.0) == 0.0
    assert followed < 0.9


def test_a_whole_or_an_unseen_face_has_nothing_to_carry(levels):
    (_, (fine, faces)), _ = levels
    offset = np.sin(fine[:, 0])
    for measured in (np.ones(len(fine), bool), np.zeros(len(fine), bool)):
        assert extrapolated_offset(Mesh(fine, faces), offset, measured, settings=ProjectSettings()) is offset


def test_what_the_other_side_has_beside_the_model_comes_back(levels):
    """A bump on both sides, one of them in a hole that the rim does not announce."""
    (_, (fine, faces)), _ = levels
    mirror = cKDTree(fine).query(fine * [-1.0, 1.0, 1.0])[1]
    bump = np.exp(-((np.abs(fine[:, 0]) - 25.0) ** 2 + fine[:, 1] ** 2) / (2 * 5.0**2))
    measured = np.hypot(fine[:, 0] - 25.0, fine[:, 1]) > 14.0
    given, top = np.where(measured, bump, 0.0), np.hypot(fine[:, 0] - 25.0, fine[:, 1]).argmin()
    sheet = Mesh(fine, faces)
    alone, led, none = (
        extrapolated_offset(sheet, given, measured, mirror=m, settings=ProjectSettings(mirror_share=share))
        for m, share in ((None, 0.6), (mirror, 0.6), (mirror, 0.0))
    )
    assert abs(alone[top]) < 0.2 and np.array_equal(alone, none)
    assert led[top] == pytest.approx(0.6, abs=0.12)
    assert np.array_equal(led[measured], given[measured])
