"""The fitted face comes to lie on the scan and stays where nothing is observed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Mesh, unit
from facecom.geometry.transform import Similarity
from facecom.projection.project import distance_along_normals, project
from facecom.projection.settings import ProjectSettings


def finder(scan):
    surface = OrientedSurface(scan)

    def find(vertices, normals, reach_mm):
        return surface.match(vertices, normals, pose=Similarity(), reach_mm=reach_mm, normal_limit_rad=1.1)

    return find


def bumpy(levels, *, hole=0.0):
    """A finer scan of the sheet, 1 to 2 mm outside of it, with a round hole."""
    (_, (fine, faces)), _ = levels
    x, y = fine[:, :2].T
    mesh = Mesh(fine + np.stack([0 * x, 0 * x, 1.5 + 0.5 * np.sin(x / 9) * np.cos(y / 11)], 1), faces)
    return mesh.submesh((np.hypot(x, y) >= hole)[faces].all(1))[0]


def test_smoothed_normals_are_unit_and_turn_slowly():
    x, y = np.meshgrid(np.arange(20.0), np.arange(20.0))
    crease = np.stack([x.ravel(), y.ravel(), 1.5 * np.abs(x.ravel() - 9.5)], axis=1)
    k = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    faces = np.concatenate([np.stack([k, k + 1, k + 21], 1), np.stack([k, k + 21, k + 20], 1)])
    sharp, smooth = (smoothed_normals(crease, faces, passes=n).reshape(20, 20, 3) for n in (0, 6))
    assert np.allclose(np.linalg.norm(smooth, axis=2), 1.0)

    def step(n):
        return np.linalg.norm(np.diff(n[10], axis=0), axis=1).max()

    assert step(smooth) < 0.6 * step(sharp)


def test_distance_along_the_normals_to_a_plane():
    normals = np.array([[0, 0, 1.0], [0, np.sin(0.6), np.cos(0.6)]])
    vertices = np.array([[0, 0, 0.0], [1, 2, 3]])
    plane = np.array([[0, 0, 1.0]] * 2)
    moved = vertices + distance_along_normals(vertices, normals, np.array([[5, 5, 7.0]] * 2), plane)[:, None] * normals
    assert np.allclose(moved[:, 2], 7.0)


@given(tilt=st.floats(0.0, 1.5), height=st.floats(-5.0, 5.0))
def test_a_steep_normal_moves_at_most_twice_the_distance_to_the_plane(tilt, height):
    normal, plane = np.array([[0, np.sin(tilt), np.cos(tilt)]]), np.array([[0, 0, 1.0]])
    moved = distance_along_normals(np.zeros((1, 3)), normal, np.array([[3.0, -2.0, height]]), plane)[0]
    assert abs(moved) <= 2 * abs(height) + 1e-12
    assert moved * height >= 0


def test_observed_surface_comes_to_lie_on_the_scan(levels):
    scan = bumpy(levels, hole=20.0)
    done = project(*levels, finder(scan))
    gap = OrientedSurface(scan).surface.closest(done.vertices).distance
    inner = done.observed & (np.abs(done.vertices[:, :2]).max(1) < 40)
    assert inner.sum() > 800
    assert gap[inner].mean() < 0.02
    assert np.quantile(gap[inner], 0.99) < 0.1


def test_nothing_in_the_hole_counts_as_observed(levels):
    done = project(*levels, finder(bumpy(levels, hole=20.0)))
    distance = np.hypot(*levels[0][1][0][:, :2].T)
    assert not done.observed[distance < 18].any()
    assert done.observed[(distance > 25) & (distance < 40)].mean() > 0.98


def test_offset_fades_smoothly_into_the_hole(levels):
    done = project(
        *levels, finder(bumpy(levels, hole=20.0)), settings=ProjectSettings(extrapolation_correlation_mm=10.0)
    )
    distance = np.hypot(*levels[0][1][0][:, :2].T)
    rim, centre = done.offset[np.abs(distance - 18) < 2].mean(), done.offset[distance < 3].mean()
    assert 0.6 < rim < 2.0
    assert abs(centre) < 0.5 * rim


def test_what_no_scan_comes_near_stays(levels):
    far = Mesh(bumpy(levels).vertices + [0, 0, 100.0], bumpy(levels).faces)
    done = project(*levels, finder(far))
    assert not done.observed.any()
    assert np.allclose(done.vertices, levels[0][1][0], atol=1e-9)


def test_offset_runs_along_the_smoothed_normals(levels):
    ((coarse, coarse_faces), (fine, _)), (_, prolongation) = levels
    done = project(*levels, finder(bumpy(levels)), settings=ProjectSettings(normal_smoothing_passes=4))
    along = unit(prolongation @ smoothed_normals(coarse, coarse_faces, passes=4))
    assert np.allclose(done.vertices, fine + done.offset[:, None] * along)
