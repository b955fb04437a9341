"""The work that is done in line."""

import io
import json
import tempfile
import zipfile

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session import jobs
from facecom.apps.viewer.session.job_queue import CancelledError
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.prosthesis import Prosthesis


def told(stages):
    return lambda stage, share: stages.append((stage, share))


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_face_and_its_missing_nose_are_found(scan, small_model, pose):
    stages = []
    found = jobs.find_missing(scan, model=small_model, progress=told(stages))
    turned = found.pose @ pose
    assert np.abs(turned.translation).max() < 6.0
    middle = found.missing.vertices[(np.abs(found.missing.vertices[:, 0]) < 15)]
    assert np.abs(middle[:, 1] - 8).min() < 5.0
    nose = np.hypot(found.missing.vertices[:, 0], found.missing.vertices[:, 1] - 8) < 25
    assert nose.mean() > 0.5
    assert [share for _, share in stages] == sorted(share for _, share in stages)


def test_a_job_ends_when_it_is_cancelled(scan, small_model):
    def stop(stage, share):
        raise CancelledError

    with pytest.raises(CancelledError):
        jobs.complete_session(Session().load(UploadedScan("s", scan)), model=small_model, detail=False, progress=stop)


@pytest.mark.slow
def test_marked_parts_are_made_up(scan, small_model, completion):
    """The mark of a cheek is a hole for the completion; the rest of the scan is kept."""
    face = completion.pose.apply(scan.vertices)
    cheek = np.linalg.norm((face - [35, -8, -25]) * [1, 1, 0.3], axis=1) < 12
    marked = Session().load(UploadedScan("s", scan)).paint(np.flatnonzero(cheek), Tool.MARK_MISSING)
    assert 20 < cheek.sum() < 2000
    done = jobs.complete_session(marked, model=small_model, detail=False, progress=told([]))
    kept = set(map(tuple, done.merged.vertices[done.merged_provenance == 0]))
    assert not kept & set(map(tuple, scan.vertices[cheek]))
    assert done.report.made_up_share > completion.report.made_up_share


@pytest.mark.slow
def test_the_archive_holds_what_the_command_writes(completion):
    data = jobs.pack_results(completion, name="a scan", progress=told([]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert set(archive.namelist()) == {"face.ply", "merged.ply", "patch.ply", "report.json", "report.html"}
        assert json.loads(archive.read("report.json"))["unit"] == "mm"
        assert b"a scan" in archive.read("report.html")


def test_the_prosthesis_is_of_the_face_that_is_shown(completion, monkeypatch):
    """After dragging, the part is designed on the dragged surface."""
    seen = []
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda face, **options: seen.append(face) or [])
    session = Session().set_result(completion)
    moved = session.drag_landmark("nose_bridge_4", session.movable_landmarks()["nose_bridge_4"] + [3, 0, 0]).displayed
    jobs.design_prostheses(moved, margin_mm=5.0, wall_mm=3.0, progress=told([]))
    own = seen[0].context.stitched.merged.vertices
    assert np.allclose(own, moved.pose.apply(moved.merged.vertices), atol=1e-4)
    assert np.abs(own - completion.context.stitched.merged.vertices).max() > 1.0


def test_the_design_tells_its_progress(completion, monkeypatch):
    def design(face, *, settings, progress):
        progress("shell", 0.4)
        return []

    monkeypatch.setattr("facecom.prosthesis.design_all", design)
    stages = []
    jobs.design_prostheses(completion, margin_mm=5.0, wall_mm=3.0, progress=told(stages))
    assert stages == [("shell", 0.4)]


def test_parts_are_packed_a_folder_each(tmp_path):
    class Part(Prosthesis):
        def __init__(self):
            pass

        def save(self, directory):
            directory.mkdir(exist_ok=True)
            (directory / "shell.stl").write_bytes(b"solid")

    for count, names in ((1, {"shell.stl"}), (2, {"part_1/shell.stl", "part_2/shell.stl"})):
        data = jobs.pack_prostheses((Part(),) * count, progress=told([]))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert set(archive.namelist()) == names
        assert data == jobs.pack_prostheses((Part(),) * count, progress=told([]))
