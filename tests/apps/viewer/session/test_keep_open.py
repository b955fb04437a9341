"""What is to stay open stays open, and nothing else changes."""

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.keep_open import KEPT_OPEN_WARNING, keep_open
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import FaceDetection, Session
from facecom.geometry.mesh import Mesh, boundary_edges


@pytest.fixture(scope="module")
def gap(completion):
    """The missing part as it would have been found: what was made of the face, scan frame."""
    made = (completion.provenance > 0)[completion.face.faces].all(axis=1)
    return completion.face.submesh(made)[0].vertices


@pytest.fixture(scope="module")
def left_half(completion, gap):
    return completion.pose.apply(gap)[:, 0] > 0


@pytest.fixture(scope="module")
def halved(completion, gap, left_half):
    return keep_open(completion, gap, left_half)


def new_faces(completion):
    return completion.merged.faces[len(completion.scan.faces) :]


def test_nothing_kept_open_changes_nothing(completion, gap):
    assert keep_open(completion, gap, np.zeros(len(gap), bool)) is completion


def test_the_patch_goes_where_it_is_to_stay_open_and_there_alone(completion, halved):
    side = [completion.pose.apply(c.merged.vertices)[new_faces(c)].mean(axis=1)[:, 0] for c in (completion, halved)]
    assert (side[1] < -3).sum() == (side[0] < -3).sum() > 50
    assert (side[1] > 3).sum() < 0.02 * (side[0] > 3).sum()


def test_the_scan_stays_and_every_value_has_its_vertex(completion, halved):
    count = len(completion.scan.vertices)
    assert np.array_equal(halved.merged.vertices[:count], completion.merged.vertices[:count])
    assert np.array_equal(halved.merged.faces[: -len(new_faces(halved))], completion.scan.faces)
    joined = halved.context.stitched
    assert len(halved.merged.vertices) == len(halved.merged_sigma_mm) == len(joined.merged.vertices)
    assert joined.weights.shape[0] == len(halved.merged.vertices) - count
    assert len(np.unique(halved.merged.faces)) == len(np.unique(completion.scan.faces)) + joined.weights.shape[0]
    assert np.array_equal(joined.merged.vertices[joined.patch_vertices], joined.patch.vertices)
    back = halved.pose.apply(halved.merged.vertices)
    assert np.allclose(back, joined.merged.vertices, atol=1e-3)
    assert np.array_equal(halved.face.vertices, completion.face.vertices)


def test_it_is_said_and_counted(completion, halved):
    assert KEPT_OPEN_WARNING in halved.report.warnings
    assert halved.report.holes_filled < completion.report.holes_filled
    assert len(boundary_edges(halved.merged.faces)) > len(boundary_edges(completion.merged.faces))


def test_all_of_it_can_stay_open(completion, gap):
    bare = keep_open(completion, gap, np.ones(len(gap), bool), reach_mm=1e6)
    assert len(bare.patch.faces) == 0
    assert np.array_equal(bare.merged.faces, completion.scan.faces)
    assert bare.report.holes_filled == 0


def test_what_is_far_from_the_missing_region_stays(completion, gap):
    away = gap + 1000.0
    assert keep_open(completion, away, np.ones(len(away), bool)) is completion


def test_samples_and_drags_of_it_stay_open(halved):
    faces = len(halved.merged.faces)
    assert len(halved.samples(1)[0].merged.faces) == faces
    place = halved.context.projection.vertices[halved.template.landmark_index("nose_bridge_4")]
    moved = halved.refit({"nose_bridge_4": halved.pose.inverse().apply(place + [0, 0, 2])})
    assert len(moved.merged.faces) == faces
    assert len(moved.patch.faces) == len(halved.patch.faces)


def test_a_session_keeps_open_what_was_painted_and_takes_it_back(scan, completion, gap):
    missing = Mesh(completion.pose.apply(gap), [[0, 1, 2]])
    session = Session().load(UploadedScan("s", scan)).set_detection(FaceDetection(completion.pose, missing))
    assert session.with_holes_kept_open(completion) is completion
    some = np.flatnonzero(missing.vertices[:, 0] > 0)
    region = len(session.marks.missing) + some
    painted = session.set_result(completion).paint(region, Tool.KEEP_OPEN)
    assert painted.outdated and not session.marks.kept_open.any()
    assert painted.marks.kept_open.sum() == len(some)
    assert len(painted.with_holes_kept_open(completion).patch.faces) < len(completion.patch.faces)
    assert painted.paint(np.array([1]), Tool.MARK_MISSING).marks.kept_open.sum() == len(some)
    assert not painted.paint(region, Tool.UNMARK).marks.kept_open.any()
    assert not painted.unmark_all().marks.kept_open.any()
