"""The pose from which a rough fit explains the most of a face."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.fitting.pose_hypotheses import PoseHypothesisSettings, best_pose_hypothesis
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh, boundary_edges
from facecom.geometry.transform import Similarity, rotation_from_vector


@pytest.fixture(scope="module")
def settings(dome_settings):
    return PoseHypothesisSettings(rounds=((2, dome_settings.stages[0]), (1, dome_settings.stages[1])))


def test_the_right_start_wins(dome, dome_scan, dome_code, settings):
    wrong = Similarity(rotation_from_vector([0.0, 0.0, np.pi]))
    away = Similarity(translation=np.array([0.0, 0.0, 500.0]))
    weights = np.ones(len(dome.decode(dome_code, level=0)))
    scan = OrientedSurface(dome_scan())
    best = best_pose_hypothesis(scan, dome, [away, wrong, Similarity()], weights=weights, settings=settings)
    assert np.allclose(best.code, dome_code, atol=0.1)
    assert best.score > 0.9
    assert best_pose_hypothesis(scan, dome, [away], weights=weights, settings=settings) is None


def test_the_order_of_the_poses_does_not_matter(dome, dome_scan, settings):
    scan, weights = OrientedSurface(dome_scan()), np.ones(1681)
    poses = [Similarity(rotation_from_vector([0.0, 0.0, turn])) for turn in (0.0, 1.5, 3.0)]
    one, two = (
        best_pose_hypothesis(scan, dome, order, weights=weights, settings=settings) for order in (poses, poses[::-1])
    )
    assert one.score == two.score
    np.testing.assert_array_equal(one.pose.matrix(), two.pose.matrix())


def test_the_score_is_the_share_of_the_weighted_face_that_was_scanned(dome, dome_scan, dome_code, settings):
    """Half of the dome: of the weighted vertices all are explained that the scan has inside its border."""
    here = dome.decode(dome_code, level=0)[:, 0] > 0.0
    scan = OrientedSurface(dome_scan(kept=here))
    half, whole = (
        best_pose_hypothesis(scan, dome, [Similarity()], weights=weights, settings=settings)
        for weights in (here.astype(float), np.ones(len(here)))
    )
    kept = dome.faces(0)[here[dome.faces(0)].all(1)]
    inside = np.setdiff1d(kept, boundary_edges(kept))
    assert half.score == pytest.approx(len(inside) / here.sum(), abs=1e-3)
    assert whole.score == pytest.approx(len(inside) / len(here), abs=1e-3)


def test_an_implausible_shape_costs_score(dome, dome_code, settings):
    """A code of twice the length has 2.8 times the squared entries of a likely one."""
    scan, weights = OrientedSurface(Mesh(dome.decode(2.0 * dome_code, level=0), dome.faces(0))), np.ones(1681)
    free, dear = (
        best_pose_hypothesis(scan, dome, [Similarity()], weights=weights, settings=replace(settings, prior_cost=cost))
        for cost in (0.0, 0.5)
    )
    assert free.prior == pytest.approx(2.8, abs=0.1)
    assert dear.score == pytest.approx(free.score - 0.5 * (free.prior - 1.0), abs=1e-12)


def test_rms_is_that_of_the_scans_noise(dome, dome_scan, settings):
    """Twice the noise leaves twice the residual, whatever the number of vertices."""
    clean, rng = dome_scan(), np.random.default_rng(0)
    noise = rng.normal(size=clean.vertices.shape)
    found = [
        best_pose_hypothesis(
            OrientedSurface(clean.with_vertices(clean.vertices + sigma * noise)),
            dome,
            [Similarity()],
            weights=np.ones(1681),
            settings=settings,
        ).rms_mm
        for sigma in (0.05, 0.1)
    ]
    assert 0.01 < found[0] < 0.1
    assert found[1] == pytest.approx(2.0 * found[0], rel=0.3)
