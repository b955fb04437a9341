from dataclasses import replace

import numpy as np
import pytest

from facecom.completion import AcceptanceThresholds, CompletionSettings, Coverage, FaceFrameScan, complete
from facecom.completion.coverage import check_acceptance, coverage_of
from facecom.errors import FitError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def piece(model):
    """Nose, mouth and the inner half of eyes and cheeks of a drawn face, and nothing else, turned."""
    face = model.sample(17, level=2)
    near = np.linalg.norm(face.vertices - [0, 5, -20], axis=1) < 50
    cut = face.submesh(near[face.faces].all(axis=1))[0]
    pose = Similarity(rotation_from_vector([0.4, -0.9, 1.2]), [30.0, -10.0, 200.0])
    noise = np.random.default_rng(0).normal(0, 0.1, cut.vertices.shape)
    return pose, Mesh(pose.apply(cut.vertices + noise), cut.faces)


@pytest.fixture(scope="module")
def done(piece, model):
    return complete(piece[1], unit="mm", model=model)


def test_a_piece_of_a_face_is_placed_and_completed_with_a_warning(piece, done):
    assert 0.15 < done.report.coverage < 0.45
    off = done.pose @ piece[0]
    assert np.linalg.norm(off.apply(np.zeros((1, 3)))) < 4.0
    strict = AcceptanceThresholds(least_observed=done.report.coverage + 0.01)
    told = complete(piece[1], unit="mm", settings=CompletionSettings(acceptance=strict))
    assert any("of the face was observed" in warning for warning in told.report.warnings)


def test_what_a_true_scan_shows_is_about_as_large_as_on_the_mean_face(done):
    found = coverage_of(done.state)
    assert found.coverage == pytest.approx(done.report.coverage)
    assert 0.7 < found.shrinkage < 1.4
    assert found.scan_share > 0.9


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.2])
def test_shrinkage_is_by_area(done, factor):
    projected = done.context.projection
    smaller = replace(projected, vertices=factor * projected.vertices)
    found = coverage_of(replace(done.state, projection=smaller))
    assert found.shrinkage == pytest.approx(coverage_of(done.state).shrinkage / factor**2)


def test_a_scan_with_more_besides_is_less_of_a_face(done):
    mesh = done.context.in_face.coarse
    beside = Mesh(
        np.concatenate([mesh.vertices, mesh.vertices + 400.0]),
        np.concatenate([mesh.faces, mesh.faces + len(mesh.vertices)]),
    )
    more = coverage_of(replace(done.state, in_face=FaceFrameScan(beside, beside)))
    assert more.scan_share == pytest.approx(0.5 * coverage_of(done.state).scan_share, rel=1e-6)


@pytest.mark.parametrize(
    ("coverage", "shrinkage", "scan_share", "fitted_prior", "refusal"),
    [
        (0.9, 1.0, None, 0.8, None),  # a face in a room
        (0.29, 1.0, None, 0.8, "only 29%"),
        (0.31, 1.0, 0.1, 0.8, None),
        (0.29, 1.0, 0.1, 0.8, "only 29% of the face is observed in the scan, at least 30%"),  # a head less its face
        (0.29, 1.0, 0.8, 0.8, None),  # a piece of a face
        (0.14, 1.0, 0.8, 0.8, "only 14% of the face is observed in the scan, at least 15%"),
        (0.45, 1.9, 0.8, 0.8, "1.9 times smaller"),
        (0.7, 1.9, 0.8, 0.8, None),  # a small child
        (0.7, 1.0, 0.8, 1.9, None),  # a mouth wide open
        (0.61, 2.2, 0.8, 1.8, "2.2 times smaller"),  # a face that was laid over a forehead
    ],
)
def test_little_is_enough_where_there_is_nothing_else_and_nothing_is_laid_over_itself(
    coverage, shrinkage, scan_share, fitted_prior, refusal
):
    seen = Coverage(coverage, shrinkage, scan_share)
    if refusal is None:
        check_acceptance(seen, AcceptanceThresholds(), fitted_prior=fitted_prior)
    else:
        with pytest.raises(FitError, match=refusal):
            check_acceptance(seen, AcceptanceThresholds(), fitted_prior=fitted_prior)


def test_a_defect_that_is_lined_and_so_not_open_is_said_with_how_to_name_it(model):
    """Where the nose was, the surface sinks in and has no hole; it must not pass for a whole face."""
    face = model.sample(11, level=1)
    front = face.submesh((face.vertices[face.faces][:, :, 2] > -95).all(axis=1))[0]
    tip = model.template.vertices[model.template.landmark_index("nose_tip")]
    apart = np.linalg.norm(front.vertices - tip, axis=1)
    sunk = front.vertices - np.outer(45.0 * np.clip(1.6 - apart / 20.0, 0.0, 1.0), [0.0, 0.0, 1.0])
    told = complete(Mesh(sunk, front.faces), unit="mm", model=model, missing="none").report
    assert told.holes_filled == 0
    assert any("--missing nose" in warning for warning in told.warnings)


def test_of_what_lies_beyond_a_piece_nothing_is_said_to_run_past_it(done):
    assert not any("--missing" in warning for warning in done.report.warnings)
