"""Finding the face and completing it in child processes."""

import numpy as np
import pytest

from facecom.apps.isolation.process import ProcessLimits
from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.face_detection import find_face
from facecom.apps.viewer.session.job_queue import CancelledError
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.apps.viewer.session.session import Session
from facecom.completion import CompletionState
from facecom.errors import FacecomError, ScanError

pytestmark = pytest.mark.usefixtures("nothing_stays")


def told(stages):
    return lambda stage, share: stages.append((stage, share))


@pytest.mark.slow
def test_the_face_and_its_missing_nose_are_found(scan, small_model, pose):
    stages = []
    found = find_face(CompletionState(raw=scan, model=small_model), progress=told(stages))
    turned = found.pose @ pose
    assert np.abs(turned.translation).max() < 6.0
    middle = found.missing.vertices[(np.abs(found.missing.vertices[:, 0]) < 15)]
    assert np.abs(middle[:, 1] - 8).min() < 5.0
    nose = np.hypot(found.missing.vertices[:, 0], found.missing.vertices[:, 1] - 8) < 25
    assert nose.mean() > 0.5
    assert [share for _, share in stages] == sorted(share for _, share in stages)


def test_a_job_ends_when_it_is_cancelled(scan, shared):
    def stop(stage, share):
        raise CancelledError

    session, options = Session().load(UploadedScan("s", scan)), {"limits": ProcessLimits(), "progress": stop}
    with pytest.raises(CancelledError):
        face_jobs.complete_session(session, model=shared, detail=False, **options)
    with pytest.raises(CancelledError):
        face_jobs.detect_face(session, model=shared, **options)


def triangles(mesh):
    """Each triangle of a mesh by the places of its corners."""
    return {tuple(np.sort(corners, axis=0).ravel()) for corners in mesh.vertices[mesh.faces]}


@pytest.mark.slow
def test_marked_parts_are_left_out_and_made_up(scan, shared, completion):
    """As `complete` does it: what is missing is a hole and is kept apart, what is doubted stays and is not believed."""
    face = completion.pose.apply(scan.vertices)
    cheek, brow = (np.linalg.norm((face - at) * [1, 1, 0.3], axis=1) < 12 for at in ([35, -8, -25], [-30, 45, -15]))
    upload = UploadedScan("s", scan, ("a word of the reader",))
    marked = Session().load(upload, ScanUnit("mm")).paint(np.flatnonzero(cheek), Tool.MARK_MISSING)
    marked = marked.paint(np.flatnonzero(brow), Tool.MARK_DOUBTED)
    assert cheek.sum() > 20 and brow.sum() > 20
    options = {"model": shared, "limits": ProcessLimits(seconds=600), "progress": told([])}
    done = face_jobs.complete_session(marked, detail=False, **options)
    gone, kept, painted = triangles(done.defect), triangles(done.scan), triangles(painted_by(scan, cheek))
    assert painted <= gone and not painted & kept
    assert done.report.made_up_share > completion.report.made_up_share
    doubted = triangles(done.scan.submesh(done.context.scan.doubted)[0])
    assert triangles(painted_by(scan, brow)) <= doubted <= kept
    assert "a word of the reader" in done.report.warnings

    applied = face_jobs.apply_marks(marked, **options)
    assert triangles(applied.left_out) == gone
    assert triangles(applied.doubted) == doubted


def painted_by(scan, marked):
    """The triangles of which two corners are marked."""
    return scan.submesh(marked[scan.faces].sum(axis=1) >= 2)[0]


@pytest.mark.slow
def test_the_child_finds_what_is_found_here(scan, small_model, shared):
    session, stages = Session().load(UploadedScan("s", scan)), []
    found = face_jobs.detect_face(session, model=shared, limits=ProcessLimits(seconds=600), progress=told(stages))
    here = find_face(CompletionState(raw=scan, model=small_model, missing="auto"), progress=told([]))
    assert np.allclose(found.pose.matrix(), here.pose.matrix(), atol=1e-3)
    assert np.array_equal(found.missing.faces, here.missing.faces)
    assert len({stage for stage, _ in stages}) > 2


def test_what_is_no_face_is_refused_by_the_child_as_it_is_here(sheet, shared):
    flat = Session().load(UploadedScan("flat.ply", sheet(3, 3)))
    with pytest.raises(FacecomError) as here:
        find_face(CompletionState(raw=flat.scan, model=shared.model), progress=told([]))
    with pytest.raises(type(here.value)) as there:
        face_jobs.detect_face(flat, model=shared, limits=ProcessLimits(), progress=told([]))
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("_detect", 11, r"^finding the face in s ended .*\(SIGSEGV\)"),
        ("_complete", 9, r"^completing s ended .*\(SIGKILL\); decimate the scan"),
        ("_apply", 9, r"^the borders of the marks on s ended .*\(SIGKILL\)"),
    ],
)
def test_a_child_that_dies_is_one_sentence(scan, shared, child_tasks, monkeypatch, name, number, words):
    monkeypatch.setattr(face_jobs, name, getattr(child_tasks, f"end_by_{number}"))
    session, options = Session().load(UploadedScan("s", scan)), {"limits": ProcessLimits(), "progress": told([])}
    with pytest.raises(ScanError, match=words):
        if name == "_detect":
            face_jobs.detect_face(session, model=shared, **options)
        elif name == "_apply":
            face_jobs.apply_marks(session, model=shared, **options)
        else:
            face_jobs.complete_session(session, model=shared, detail=False, **options)
