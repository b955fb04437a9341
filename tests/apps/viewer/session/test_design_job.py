"""Prostheses in a child process: of the face that is shown, bounded, and with their files."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facecom.apps.isolation.process import ProcessLimits
from facecom.apps.viewer.session import design_job
from facecom.apps.viewer.session.design_job import PartLengths, design_parts
from facecom.apps.viewer.session.job_queue import CancelledError
from facecom.apps.viewer.session.keep_open import keep_open
from facecom.apps.viewer.session.session import Session
from facecom.errors import ScanError
from facecom.geometry.transform import Similarity, rotation_from_vector

pytestmark = pytest.mark.usefixtures("nothing_stays")

LENGTHS = PartLengths(margin_mm=6.0, wall_mm=2.5)


@pytest.fixture
def design(shared):
    def call(completion, *, progress=lambda stage, share: None, **limits):
        options = {"model": shared, "limits": ProcessLimits(**limits), "progress": progress}
        return design_parts(completion, LENGTHS, name="s.ply", **options)

    return call


@pytest.fixture
def in_this_process(monkeypatch):
    """What is watched or made coarser here would not be in a child."""

    def call(task, folder, *, options, progress, **_):
        task(Path(folder), progress=progress, **options)

    monkeypatch.setattr(design_job, "run_isolated", call)


@pytest.mark.slow
def test_the_part_is_for_the_face_that_is_shown(completion, design, in_this_process, monkeypatch):
    """One with half of its hole kept open, whose nose was dragged: neither is what the scan alone would give."""
    seen = []
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda face, **_: seen.append(face) or [])
    patch = completion.patch.vertices
    session = Session().set_result(keep_open(completion, patch, patch[:, 1] > np.median(patch[:, 1])))
    target = session.movable_landmarks()["nose_bridge_4"] + [3.0, 0.0, 0.0]
    shown = session.drag_landmark("nose_bridge_4", target).displayed
    assert len(shown.merged.faces) < len(completion.merged.faces)
    assert design(shown).shells == ()
    for mesh in ("merged", "face"):
        own, other = getattr(seen[0], mesh), getattr(shown, mesh)
        assert np.array_equal(own.vertices, other.vertices) and np.array_equal(own.faces, other.faces)
    assert np.array_equal(seen[0].merged_provenance, shown.merged_provenance)
    assert np.array_equal(seen[0].merged_sigma_mm, shown.merged_sigma_mm)


@pytest.mark.parametrize(("count", "folders"), [(1, [""]), (2, ["part_1/", "part_2/"])])
def test_parts_come_back_with_their_files(completion, design, in_this_process, monkeypatch, sheet, count, folders):
    """Their shells in the face frame, a folder of files for each where there are several, and what they warn of."""
    to_face = Similarity(rotation_from_vector(np.array([0.2, 0.1, 0.0])), np.array([1.0, 2.0, 3.0]))

    class Part:
        shell, warnings = sheet(2, 2), ("thin at the border",)

        def __init__(self):
            self.to_face = to_face

        def save(self, directory):
            directory.mkdir(parents=True)
            (directory / "shell.stl").write_bytes(b"solid")

    def designed(face, *, settings, progress):
        asked.append((settings.margin_mm, settings.wall_mm))
        progress("shell", 0.5)
        return [Part() for _ in range(count)]

    asked, stages = [], []
    monkeypatch.setattr(design_job, "_completion", lambda folder, model: completion)
    monkeypatch.setattr("facecom.prosthesis.design_all", designed)
    parts = design(completion, progress=lambda stage, share: stages.append((stage, share)))
    assert asked == [(LENGTHS.margin_mm, LENGTHS.wall_mm)] and stages == [("shell", 0.45), ("write", 0.9)]
    assert parts.warnings == ("thin at the border",)
    for shell in parts.shells:
        assert np.allclose(shell.vertices, to_face.apply(sheet(2, 2).vertices))
    with zipfile.ZipFile(io.BytesIO(parts.archive)) as archive:
        assert archive.namelist() == [f"{folder}shell.stl" for folder in folders] and len(parts.shells) == count


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (9, "SIGKILL")])
def test_a_design_that_dies_is_one_sentence(completion, design, child_tasks, monkeypatch, number, name):
    monkeypatch.setattr(design_job, "_design", getattr(child_tasks, f"end_by_{number}"))
    with pytest.raises(
        ScanError, match=rf"^designing the prosthesis for s.ply ended the process .*\({name}\); ask for"
    ):
        design(completion)


def test_a_design_that_never_ends_is_stopped(completion, design, child_tasks, monkeypatch):
    monkeypatch.setattr(design_job, "_design", child_tasks.hold_the_interpreter)
    with pytest.raises(ScanError, match=r"^designing the prosthesis for s.ply took more than 1 s and was stopped"):
        design(completion, seconds=1)

    def stop(stage, share):
        raise CancelledError

    with pytest.raises(CancelledError):
        design(completion, progress=stop)


def test_a_child_that_leaves_no_files_is_one_sentence(completion, design, monkeypatch):
    monkeypatch.setattr(design_job, "run_isolated", lambda *_, **__: None)
    with pytest.raises(ScanError, match=r"left no files"):
        design(completion)
