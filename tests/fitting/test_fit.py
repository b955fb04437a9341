from dataclasses import replace

import numpy as np
import pytest

from facecom.errors import FitError
from facecom.fitting.fit import Fit, FitSettings, fit, fit_from_several, gaussian_update, iterate_fit, near_poses
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector


def test_pose_and_code_come_back(dome, dome_scan, dome_code, dome_settings):
    found = fit(OrientedSurface(dome_scan()), dome, Similarity(), settings=dome_settings)
    assert np.allclose(found.code, dome_code, atol=0.05)
    assert np.linalg.norm(found.vertices - dome.decode(dome_code, level=0), axis=1).mean() < 0.1
    assert found.converged


def test_the_pose_is_rigid_exactly(dome, dome_scan, dome_settings):
    pose = fit(OrientedSurface(dome_scan()), dome, Similarity(), settings=dome_settings).pose
    assert pose.scale == 1.0
    assert np.linalg.det(pose.rotation) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)


def test_junk_does_not_pull(dome, dome_scan, dome_code, dome_settings):
    """A flat plate behind a corner of the shape, and noise."""
    clean = dome_scan(noise=0.05)
    plate = np.array([[20.0, 20, 8], [40, 20, 8], [40, 40, 8], [20, 40, 8]])
    both = Mesh(
        np.concatenate([clean.vertices, plate]),
        np.concatenate([clean.faces, [[0, 1, 2], [0, 2, 3]] + np.int64(len(clean.vertices))]),
    )
    found = fit(OrientedSurface(both), dome, Similarity(), settings=dome_settings)
    assert np.allclose(found.code, dome_code, atol=0.1)


def test_an_unobserved_code_stays_at_its_prior(dome, dome_scan, dome_code, dome_settings):
    """Of a piece at the edge little of the shape can be told; nothing may explode."""
    kept = dome.decode(dome_code, level=0)[:, 0] > 0
    found = fit(OrientedSurface(dome_scan(kept=kept)), dome, Similarity(), settings=dome_settings)
    assert np.linalg.norm(found.code) < 3.0
    whole = fit(OrientedSurface(dome_scan()), dome, Similarity(), settings=dome_settings)
    sigma, least = (np.sqrt(np.diag(np.linalg.inv(f.precision))[:3]) for f in (found, whole))
    assert (sigma >= least - 1e-9).all()
    assert (sigma <= 1.0 + 1e-9).all()


def test_landmarks_bring_a_far_start_home(dome, dome_scan, dome_code, dome_pose, dome_settings):
    far = Similarity(rotation_from_vector([0.0, 0.0, 2.0]), np.array([10.0, 8.0, 0.0])) @ dome_pose
    names = {f"p{k}": k for k in (45, 700, 1200, 1600)}
    scan = dome_scan()
    points = {name: scan.vertices[k] for name, k in names.items()}
    options = {"landmarks": points, "landmark_sigma_mm": {"p45": 0.2}, "landmark_vertices": names}
    lost = fit(OrientedSurface(scan), dome, far, settings=dome_settings)
    strong = fit(OrientedSurface(scan), dome, far, settings=replace(dome_settings, landmark_sigma_mm=0.2), **options)
    assert np.allclose(strong.code, dome_code, atol=0.1)
    assert strong.terms["landmark_rms_mm"] < 0.2
    assert not np.allclose(lost.code, dome_code, atol=0.1)


def test_unknown_landmark_is_named(dome, dome_scan, dome_settings):
    with pytest.raises(ValueError, match="chin"):
        fit(OrientedSurface(dome_scan()), dome, Similarity(), settings=dome_settings, landmarks={"chin": np.zeros(3)})


def test_states_come_one_by_one_and_end_where_fit_ends(dome, dome_scan, dome_settings):
    scan = OrientedSurface(dome_scan())
    states = list(iterate_fit(scan, dome, Similarity(), settings=dome_settings))
    assert [s.iteration for s in states] == list(range(16))
    assert states[-1].terms["plane_rms_mm"] < 0.1 * states[0].terms["plane_rms_mm"]
    assert np.array_equal(states[-1].code, fit(scan, dome, Similarity(), settings=dome_settings).code)


def test_the_caller_can_stop(dome, dome_scan, dome_settings):
    states = iterate_fit(OrientedSurface(dome_scan()), dome, Similarity(), settings=dome_settings)
    assert next(states).iteration == 0
    states.close()


def test_too_few_correspondences_is_said_with_figures(dome, dome_scan, dome_settings):
    away = Similarity(translation=np.array([0.0, 0.0, 500.0]))
    with pytest.raises(FitError, match=r"only 0 of 1681 points .* within 20 mm"):
        fit(OrientedSurface(dome_scan()), dome, away, settings=dome_settings)


def test_the_fit_follows_the_scan_wherever_it_lies(dome, dome_scan, dome_settings):
    scan = dome_scan(noise=0.1)
    motion = Similarity(rotation_from_vector([2.0, -1.0, 0.5]), np.array([300.0, -200.0, 100.0]))
    here = fit(OrientedSurface(scan), dome, Similarity(), settings=dome_settings)
    there = fit(
        OrientedSurface(scan.with_vertices(motion.apply(scan.vertices))), dome, motion.inverse(), settings=dome_settings
    )
    assert np.allclose(here.vertices, there.vertices, atol=1e-3)


def test_a_fit_without_stages_is_refused():
    with pytest.raises(ValueError, match="no stages"):
        fit(None, _Nothing(), Similarity(), settings=FitSettings(stages=()))


class _Nothing:
    """A model that is never asked for a face."""

    code_size = 1


def test_of_several_starts_the_fit_that_explains_most_is_kept(dome, dome_scan, dome_settings):
    scan = OrientedSurface(dome_scan())
    upside_down = Similarity(rotation_from_vector([0.0, 0.0, 2.5]), np.array([3.0, 0.0, 0.0]))
    good = fit(scan, dome, Similarity(), settings=dome_settings)
    bad = fit(scan, dome, upside_down, settings=dome_settings)
    assert good.terms["cost"] < bad.terms["cost"]
    for starts in ([upside_down, Similarity()], [Similarity(), upside_down]):
        kept = fit_from_several(scan, dome, starts, settings=dome_settings)
        np.testing.assert_array_equal(kept.code, good.code)


def test_a_start_that_fails_is_passed_over_and_only_all_of_them_are_an_error(dome, dome_scan, dome_settings):
    scan = OrientedSurface(dome_scan())
    away = Similarity(translation=np.array([500.0, 0.0, 0.0]))
    kept = fit_from_several(scan, dome, [away, Similarity()], settings=dome_settings)
    np.testing.assert_array_equal(kept.code, fit(scan, dome, Similarity(), settings=dome_settings).code)
    with pytest.raises(FitError, match="have a correspondence"):
        fit_from_several(scan, dome, [away, away], settings=dome_settings)
    with pytest.raises(ValueError, match="give at least one"):
        fit_from_several(scan, dome, [], settings=dome_settings)


def test_poses_near_one_begin_with_it_and_follow_the_seed(dome_pose):
    found = near_poses(dome_pose, 2, turn_rad=0.03, shift_mm=2.0, seed=1)
    again = near_poses(dome_pose, 2, turn_rad=0.03, shift_mm=2.0, seed=1)
    assert found[0] is dome_pose
    assert len(found) == 3
    for one, other in zip(found[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one.matrix(), other.matrix())
        assert 0.0 < np.abs(one.matrix() - dome_pose.matrix()).max() < 12.0
    other = near_poses(dome_pose, 2, turn_rad=0.03, shift_mm=2.0, seed=2)
    assert np.abs(other[1].matrix() - found[1].matrix()).max() > 1e-3


def test_poses_near_one_lie_around_it():
    """No direction is favoured, and they spread as asked."""
    poses = near_poses(Similarity(), 4000, turn_rad=0.02, shift_mm=3.0, seed=1)[1:]
    shifts = np.array([pose.translation for pose in poses])
    assert np.abs(shifts.mean(axis=0)).max() < 0.2
    assert np.allclose(shifts.std(axis=0), 3.0, rtol=0.05)
    tilted = np.array([pose.rotation[[2, 0, 1], [1, 2, 0]] for pose in poses])  # small turns about x, y and z
    assert np.abs(tilted.mean(axis=0)).max() < 0.0015
    assert np.allclose(tilted.std(axis=0), 0.02, rtol=0.05)


def test_an_update_by_observations_is_the_gaussian_posterior():
    """Against the dense formulas: information adds, and the mean moves by the gain times the residuals."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(9, 9))
    before = Fit(rng.normal(size=3), Similarity(), np.zeros((1, 3)), 0, root @ root.T + np.eye(9), np.ones(1), {}, True)
    rows, residuals, weights = rng.normal(size=(20, 9)), rng.normal(size=20), rng.uniform(0.5, 2.0, 20)
    after = gaussian_update(before, rows, residuals, weights)
    covariance = np.linalg.inv(before.precision)
    gain = covariance @ rows.T @ np.linalg.inv(rows @ covariance @ rows.T + np.diag(1.0 / weights))
    assert np.allclose(np.linalg.inv(after.precision), covariance - gain @ rows @ covariance)
    step = gain @ residuals
    assert np.allclose(after.code, before.code + step[:3])
    motion = Similarity(rotation_from_vector(step[3:6]), step[6:])
    assert np.allclose((motion @ after.pose).matrix(), np.eye(4))  # the scan moves the other way
