from dataclasses import replace

import numpy as np
import pytest

from facecom.errors import FitError
from facecom.fitting.fit import FitSettings, FitStage, fit, fit_from_several, iterate_fit, near_poses
from facecom.fitting.pose_hypotheses import PoseHypothesisSettings, best_pose_hypothesis
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector

CODE = np.array([0.8, -1.1, 0.5])
STAGES = (
    FitStage(level=0, iterations=8, modes=None, reach_mm=20.0, robust_mm=6.0, noise_mm=0.5),
    FitStage(level=0, iterations=8, modes=None, reach_mm=4.0, robust_mm=1.0, noise_mm=0.1),
)
SETTINGS = FitSettings(stages=STAGES)
POSE = Similarity(rotation_from_vector([0.05, -0.06, 0.08]), np.array([2.0, -1.5, 2.5]))


class Dome:
    """A shape without any symmetry and three smooth modes along its normals; one level."""

    code_size = 3

    def __init__(self, mesh):
        x, y = mesh.vertices[:, :2].T / 40.0
        z = 30 * np.exp(-2 * ((x - 0.2) ** 2 + 1.7 * y**2)) + 9 * np.exp(-30 * ((x + 0.5) ** 2 + (y - 0.4) ** 2))
        self._mesh = mesh.with_vertices(np.stack([40 * x, 40 * y, z], 1))
        normals = vertex_normals(self._mesh.vertices, mesh.faces)
        waves = np.stack([np.cos(5 * x), np.cos(5 * y) * x, np.sin(5 * x * y + 1)], 1)
        self._jacobian = (2.0 * normals[:, :, None] * waves[:, None, :]).reshape(-1, 3)

    def faces(self, level):
        return self._mesh.faces

    def decode(self, code, *, level):
        return self._mesh.vertices + (self._jacobian @ code).reshape(-1, 3)

    def jacobian(self, code, *, level):
        return self._jacobian


@pytest.fixture(scope="module")
def dome(sheet):
    flat = sheet(40, 40)
    return Dome(flat.with_vertices(flat.vertices * 2.0 - [40.0, 40.0, 0.0]))


def scan_of(dome, *, code=CODE, pose=POSE, kept=None, noise=0.0):
    """The dome as a scan that `pose` brings back."""
    vertices = pose.inverse().apply(dome.decode(code, level=0))
    vertices = vertices + np.random.default_rng(0).normal(size=vertices.shape) * noise
    mesh = Mesh(vertices, dome.faces(0))
    return mesh if kept is None else mesh.submesh(kept[mesh.faces].all(1))[0]


def test_pose_and_code_come_back(dome):
    found = fit(OrientedSurface(scan_of(dome)), dome, Similarity(), settings=SETTINGS)
    assert np.allclose(found.code, CODE, atol=0.05)
    assert np.linalg.norm(found.vertices - dome.decode(CODE, level=0), axis=1).mean() < 0.1
    assert found.converged


def test_the_pose_is_rigid_exactly(dome):
    pose = fit(OrientedSurface(scan_of(dome)), dome, Similarity(), settings=SETTINGS).pose
    assert pose.scale == 1.0
    assert np.linalg.det(pose.rotation) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)


def test_junk_does_not_pull(dome):
    """A flat plate behind a corner of the shape, and noise."""
    clean = scan_of(dome, noise=0.05)
    plate = np.array([[20.0, 20, 8], [40, 20, 8], [40, 40, 8], [20, 40, 8]])
    both = Mesh(
        np.concatenate([clean.vertices, plate]),
        np.concatenate([clean.faces, [[0, 1, 2], [0, 2, 3]] + np.int64(len(clean.vertices))]),
    )
    found = fit(OrientedSurface(both), dome, Similarity(), settings=SETTINGS)
    assert np.allclose(found.code, CODE, atol=0.1)


def test_an_unseen_code_stays_at_its_prior(dome):
    """Of a piece at the edge little of the shape can be told; nothing may explode."""
    kept = dome.decode(CODE, level=0)[:, 0] > 0
    found = fit(OrientedSurface(scan_of(dome, kept=kept)), dome, Similarity(), settings=SETTINGS)
    assert np.linalg.norm(found.code) < 3.0
    whole = fit(OrientedSurface(scan_of(dome)), dome, Similarity(), settings=SETTINGS)
    sigma, least = (np.sqrt(np.diag(np.linalg.inv(f.precision))[:3]) for f in (found, whole))
    assert (sigma >= least - 1e-9).all()
    assert (sigma <= 1.0 + 1e-9).all()


def test_landmarks_bring_a_far_start_home(dome):
    far = Similarity(rotation_from_vector([0.0, 0.0, 2.0]), np.array([10.0, 8.0, 0.0])) @ POSE
    names = {f"p{k}": k for k in (45, 700, 1200, 1600)}
    scan = scan_of(dome)
    points = {name: scan.vertices[k] for name, k in names.items()}
    options = {"landmarks": points, "landmark_sigma_mm": {"p45": 0.2}, "landmark_vertices": names}
    lost = fit(OrientedSurface(scan), dome, far, settings=SETTINGS)
    strong = fit(OrientedSurface(scan), dome, far, settings=replace(SETTINGS, landmark_sigma_mm=0.2), **options)
    assert np.allclose(strong.code, CODE, atol=0.1)
    assert strong.terms["landmark_rms_mm"] < 0.2
    assert not np.allclose(lost.code, CODE, atol=0.1)


def test_unknown_landmark_is_named(dome):
    with pytest.raises(ValueError, match="chin"):
        fit(OrientedSurface(scan_of(dome)), dome, Similarity(), settings=SETTINGS, landmarks={"chin": np.zeros(3)})


def test_states_come_one_by_one_and_end_where_fit_ends(dome):
    scan = OrientedSurface(scan_of(dome))
    states = list(iterate_fit(scan, dome, Similarity(), settings=SETTINGS))
    assert [s.iteration for s in states] == list(range(16))
    assert states[-1].terms["plane_rms_mm"] < 0.1 * states[0].terms["plane_rms_mm"]
    assert np.array_equal(states[-1].code, fit(scan, dome, Similarity(), settings=SETTINGS).code)


def test_the_caller_can_stop(dome):
    states = iterate_fit(OrientedSurface(scan_of(dome)), dome, Similarity(), settings=SETTINGS)
    assert next(states).iteration == 0
    states.close()


def test_too_few_partners_is_said_with_figures(dome):
    away = Similarity(translation=np.array([0.0, 0.0, 500.0]))
    with pytest.raises(FitError, match=r"only 0 of 1681 points .* within 20 mm"):
        fit(OrientedSurface(scan_of(dome)), dome, away, settings=SETTINGS)


def test_the_right_start_wins(dome):
    wrong = Similarity(rotation_from_vector([0.0, 0.0, np.pi]))
    away = Similarity(translation=np.array([0.0, 0.0, 500.0]))
    settings = PoseHypothesisSettings(rounds=((2, STAGES[0]), (1, STAGES[1])))
    weights = np.ones(len(dome.decode(CODE, level=0)))
    scan = OrientedSurface(scan_of(dome))
    best = best_pose_hypothesis(scan, dome, [away, wrong, Similarity()], weights=weights, settings=settings)
    assert np.allclose(best.code, CODE, atol=0.1)
    assert best.score > 0.9
    assert best_pose_hypothesis(scan, dome, [away], weights=weights, settings=settings) is None


def test_the_fit_follows_the_scan_wherever_it_lies(dome):
    scan = scan_of(dome, noise=0.1)
    motion = Similarity(rotation_from_vector([2.0, -1.0, 0.5]), np.array([300.0, -200.0, 100.0]))
    here = fit(OrientedSurface(scan), dome, Similarity(), settings=SETTINGS)
    there = fit(
        OrientedSurface(scan.with_vertices(motion.apply(scan.vertices))), dome, motion.inverse(), settings=SETTINGS
    )
    assert np.allclose(here.vertices, there.vertices, atol=1e-3)


def test_a_fit_without_stages_is_refused():
    with pytest.raises(ValueError, match="no stages"):
        fit(None, _Nothing(), Similarity(), settings=FitSettings(stages=()))


class _Nothing:
    """A model that is never asked for a face."""

    code_size = 1


def test_of_several_starts_the_fit_that_explains_most_is_kept(dome):
    scan = OrientedSurface(scan_of(dome))
    upside_down = Similarity(rotation_from_vector([0.0, 0.0, 2.5]), np.array([3.0, 0.0, 0.0]))
    good = fit(scan, dome, Similarity(), settings=SETTINGS)
    bad = fit(scan, dome, upside_down, settings=SETTINGS)
    assert good.terms["cost"] < bad.terms["cost"]
    for starts in ([upside_down, Similarity()], [Similarity(), upside_down]):
        kept = fit_from_several(scan, dome, starts, settings=SETTINGS)
        np.testing.assert_array_equal(kept.code, good.code)


def test_a_start_that_fails_is_passed_over_and_only_all_of_them_are_an_error(dome):
    scan = OrientedSurface(scan_of(dome))
    away = Similarity(translation=np.array([500.0, 0.0, 0.0]))
    kept = fit_from_several(scan, dome, [away, Similarity()], settings=SETTINGS)
    np.testing.assert_array_equal(kept.code, fit(scan, dome, Similarity(), settings=SETTINGS).code)
    with pytest.raises(FitError, match="have a correspondence"):
        fit_from_several(scan, dome, [away, away], settings=SETTINGS)
    with pytest.raises(ValueError, match="give at least one"):
        fit_from_several(scan, dome, [], settings=SETTINGS)


def test_poses_near_one_begin_with_it_and_follow_the_seed(dome):
    found = near_poses(POSE, 2, turn_rad=0.03, shift_mm=2.0, seed=1)
    again = near_poses(POSE, 2, turn_rad=0.03, shift_mm=2.0, seed=1)
    assert found[0] is POSE
    assert len(found) == 3
    for one, other in zip(found[1:], again[1:], strict=True):
        np.testing.assert_array_equal(one.matrix(), other.matrix())
        assert 0.0 < np.abs(one.matrix() - POSE.matrix()).max() < 12.0
    other = near_poses(POSE, 2, turn_rad=0.03, shift_mm=2.0, seed=2)
    assert np.abs(other[1].matrix() - found[1].matrix()).max() > 1e-3
