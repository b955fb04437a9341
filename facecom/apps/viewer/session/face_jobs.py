"""The jobs of the viewer that work on a stranger's scan, in child processes: finding the face, and completing it.

The scan's size and shape decide how much time and memory they take; in a process of their own both have bounds, and
they can be stopped at once.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.isolation.reading import (
    load_arrays,
    load_mesh,
    load_warnings,
    save_arrays,
    save_mesh,
    save_warnings,
)
from facecom.apps.viewer.session.face_detection import find_face
from facecom.apps.viewer.session.job_results import AppliedMarks, FaceDetection
from facecom.apps.viewer.session.session import Session
from facecom.completion import COMPLETION, Completion, CompletionState, Progress, Stage, complete, known
from facecom.completion.marking import AUTO, NONE, ScanMarks
from facecom.completion.serialization import save_state
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.marks import Marks
from facecom.scan.units import UnitChoice

ADVICE = "decimate the scan, or cut away what is not the head"
"""What helps where such a job exceeds its bounds."""
APPLYING = COMPLETION.without("read", "load model").up_to("apply marks")
"""The stages of the pipeline that say what the marks of a scan come to."""
POSE_FILE, MARKS_FILE, STATE_FOLDER, DOUBTED_FOLDER = "pose.npz", "marks.npz", "state", "doubted"
"""What lies beside a mesh in the folder of a child."""


@dataclass(frozen=True, eq=False)
class SharedModel:
    """The face model, here and for child processes.

    model : LinearGenerator
    folder : where child processes read it; None for the shipped one
    """

    model: LinearGenerator
    folder: str | None = None


def job_options(folder: Path, session: Session, model: SharedModel) -> dict[str, Any]:
    """Write a session's scan and marks for a child that reads them with `job_state`; its options."""
    marks, unit = session.scan_marks, session.unit
    save_mesh(folder, session.required_scan())
    save_arrays(folder / MARKS_FILE, {"missing": marks.missing.points, "doubted": marks.doubted.points})
    return {
        "model": model.folder,
        "told": {"unit": unit.unit, "mm_per_unit": unit.mm_per_unit, "find": marks.find, "snap": marks.snap},
    }


def job_state(folder: Path, *, model: str | None, told: dict[str, Any]) -> CompletionState:
    """In the child: the scan, and what `complete` is told of its unit and marks."""
    points = load_arrays(folder / MARKS_FILE)
    marks = ScanMarks(Marks(points["missing"]), Marks(points["doubted"]), told["find"], told["snap"])
    unit: UnitChoice = told["unit"]
    return CompletionState(
        raw=load_mesh(folder),
        model=LinearGenerator.load(model),
        unit=unit,
        mm_per_unit=told["mm_per_unit"],
        missing=AUTO if marks.find else NONE if marks.missing.empty else marks.missing,
        doubted=marks.doubted,
        snap_marks=marks.snap,
    )


def detect_face(session: Session, *, model: SharedModel, limits: ProcessLimits, progress: Progress) -> FaceDetection:
    """Find the face of a session's scan, and a defect; see `find_face`."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as name:
        folder, what = Path(name), f"finding the face in {session.name}"
        options = job_options(folder, session, model)
        run_isolated(_detect, folder, what=what, limits=limits, progress=progress, options=options, advice=ADVICE)
        found = load_arrays(folder / POSE_FILE)
        try:
            pose = Similarity(found["rotation"], found["translation"], float(found["scale"]))
            defect, unit = np.asarray(found["found"], bool), str(found["unit"])
            inside_out = bool(found["inside_out"])
            if defect.shape != session.marks.missing.shape:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise ScanError(f"{what} gave a pose that is none; try again") from None
        return FaceDetection(pose, load_mesh(folder), defect, inside_out, unit, load_warnings(folder))


def _detect(folder: Path, *, progress: Progress, **options: Any) -> None:
    """In the child: the detection, in the files that `detect_face` reads."""
    state = job_state(folder, **options)
    found = find_face(state, progress=progress)
    nothing = np.zeros(len(known(state.raw, "read").vertices), bool)
    save_mesh(folder, found.missing)
    save_warnings(folder, found.warnings)
    pose = {
        "rotation": found.pose.rotation,
        "translation": found.pose.translation,
        "scale": np.array(found.pose.scale),
        "found": nothing if found.found is None else found.found,
        "inside_out": np.array(found.inside_out),
        "unit": np.array(found.unit),
    }
    save_arrays(folder / POSE_FILE, pose)


def apply_marks(session: Session, *, model: SharedModel, limits: ProcessLimits, progress: Progress) -> AppliedMarks:
    """What a completion will make of a session's marks, by the stages that it begins with."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as name:
        folder, what = Path(name), f"the borders of the marks on {session.name}"
        options = job_options(folder, session, model)
        (folder / DOUBTED_FOLDER).mkdir()
        run_isolated(_apply, folder, what=what, limits=limits, progress=progress, options=options, advice=ADVICE)
        return AppliedMarks(left_out=load_mesh(folder), doubted=load_mesh(folder / DOUBTED_FOLDER))


def _apply(folder: Path, *, progress: Progress, **options: Any) -> None:
    """In the child: the triangles that are left out, and those that are doubted."""
    scan = known(APPLYING.run(job_state(folder, **options), progress=progress).scan, "clean")
    save_mesh(folder, scan.defect)
    doubted = scan.mesh.submesh(scan.doubted)[0] if scan.doubted.any() else _no_mesh()
    save_mesh(folder / DOUBTED_FOLDER, doubted)


def _no_mesh() -> Mesh:
    return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))


def complete_session(
    session: Session, *, model: SharedModel, limits: ProcessLimits, detail: bool, progress: Progress
) -> Completion:
    """Complete the scan of a session with its marks, and keep open what is to stay open."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as name:
        folder, what = Path(name), f"completing {session.name}"
        options = job_options(folder, session, model)
        options |= {"detail": "own" if detail else "none", "said": session.reading_warnings}
        run_isolated(_complete, folder, what=what, limits=limits, progress=progress, options=options, advice=ADVICE)
        result = Completion.load(folder / STATE_FOLDER, model=model.model)
    return session.with_holes_kept_open(result)


def _complete(
    folder: Path, *, detail: Literal["own", "none"], said: list[str], progress: Progress, **options: Any
) -> None:
    """In the child: the completion, kept for `Completion.load`; its report also has the warnings of the reader."""
    state = job_state(folder, **options)
    reading = Stage("reading warnings", lambda before: replace(before, warnings=(*before.warnings, *said)))
    result = complete(
        known(state.raw, "read"),
        model=state.model,
        unit=state.unit,
        mm_per_unit=state.mm_per_unit,
        missing=state.missing,
        doubted=state.doubted,
        snap_marks=state.snap_marks,
        detail=detail,
        pipeline=COMPLETION.insert_after("read", reading),
        progress=progress,
    )
    save_state(result.state, folder / STATE_FOLDER)
