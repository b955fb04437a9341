"""Finding the face and completing it in child processes."""

import tempfile

import numpy as np
import pytest

from facecom.apps.isolation.process import ProcessLimits
from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_queue import CancelledError
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.errors import FacecomError, ScanError


def told(stages):
    return lambda stage, share: stages.append((stage, share))


@pytest.fixture(scope="module")
def shared(small_model, tmp_path_factory):
    """The model with a folder for child processes."""
    folder = tmp_path_factory.mktemp("model")
    small_model.save(folder)
    return SharedModel(small_model, str(folder))


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_face_and_its_missing_nose_are_found(scan, small_model, pose):
    stages = []
    found = face_jobs.find_missing(scan, model=small_model, progress=told(stages))
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


@pytest.mark.slow
def test_marked_parts_are_made_up(scan, shared, completion):
    """The mark of a cheek is a hole for the completion; the rest of the scan is kept."""
    face = completion.pose.apply(scan.vertices)
    cheek = np.linalg.norm((face - [35, -8, -25]) * [1, 1, 0.3], axis=1) < 12
    marked = Session().load(UploadedScan("s", scan)).paint(np.flatnonzero(cheek), Tool.MARK_MISSING)
    assert 20 < cheek.sum() < 2000
    done = face_jobs.complete_session(
        marked, model=shared, limits=ProcessLimits(seconds=600), detail=False, progress=told([])
    )
    kept = set(map(tuple, done.merged.vertices[done.merged_provenance == 0]))
    assert not kept & set(map(tuple, scan.vertices[cheek]))
    assert done.report.made_up_share > completion.report.made_up_share


@pytest.mark.slow
def test_the_child_finds_what_is_found_here(scan, small_model, shared):
    session, stages = Session().load(UploadedScan("s", scan)), []
    found = face_jobs.detect_face(session, model=shared, limits=ProcessLimits(seconds=600), progress=told(stages))
    here = face_jobs.find_missing(scan, model=small_model, progress=told([]))
    assert np.allclose(found.pose.matrix(), here.pose.matrix(), atol=1e-3)
    assert np.array_equal(found.missing.faces, here.missing.faces)
    assert len({stage for stage, _ in stages}) > 2


def test_what_is_no_face_is_refused_by_the_child_as_it_is_here(sheet, shared):
    flat = Session().load(UploadedScan("flat.ply", sheet(3, 3)))
    with pytest.raises(FacecomError) as here:
        face_jobs.find_missing(flat.scan, model=shared.model, progress=told([]))
    with pytest.raises(type(here.value)) as there:
        face_jobs.detect_face(flat, model=shared, limits=ProcessLimits(), progress=told([]))
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("_detect", 11, r"^finding the face in s ended .*\(SIGSEGV\)"),
        ("_complete", 9, r"^completing s ended .*\(SIGKILL\)"),
    ],
)
def test_a_child_that_dies_is_one_sentence(scan, shared, child_tasks, monkeypatch, name, number, words):
    monkeypatch.setattr(face_jobs, name, getattr(child_tasks, f"end_by_{number}"))
    session, options = Session().load(UploadedScan("s", scan)), {"limits": ProcessLimits(), "progress": told([])}
    with pytest.raises(ScanError, match=words):
        if name == "_detect":
            face_jobs.detect_face(session, model=shared, **options)
        else:
            face_jobs.complete_session(session, model=shared, detail=False, **options)
