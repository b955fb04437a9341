"""The jobs of the viewer that work on a stranger's scan, in child processes: finding the face, and completing it.

The scan's size and shape decide how much time and memory they take; in a process of their own both have bounds, and
they can be stopped at once.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.isolation.reading import load_arrays, load_mesh, save_arrays, save_mesh
from facecom.apps.viewer.session.session import FaceDetection, Session
from facecom.completion import COMPLETION, Completion, CompletionState, Progress, complete, known
from facecom.completion.alignment import face_mask
from facecom.completion.serialization import save_state
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL

MISSING_DISTANCE_MM, MAX_NORMAL_ANGLE_RAD = 6.0, 1.1
"""A vertex of the rough fit without a scan this near and with such a normal is missing: twice the error of that fit."""
DETECTION = COMPLETION.without("read", "load model").up_to("align")
"""The stages of the pipeline that find the pose of the face."""
POSE_FILE, STATE_FOLDER = "pose.npz", "state"
"""What a child leaves beside its mesh."""


@dataclass(frozen=True, eq=False)
class SharedModel:
    """The face model, here and for child processes.

    model : LinearGenerator
    folder : where child processes read it; None for the shipped one
    """

    model: LinearGenerator
    folder: str | None = None


def find_missing(
    scan: Mesh, *, model: LinearGenerator, progress: Progress, reach_mm: float = MISSING_DISTANCE_MM
) -> FaceDetection:
    """The pose of the face, and the part of a rough fit that has no scan within reach.

    Parameters
    ----------
    scan : Mesh with faces, own frame and unit
    reach_mm : float, a vertex without a scan this near is missing

    Raises
    ------
    ScanError, AlignmentError
        As `complete` does.
    """
    template, start = model.template, CompletionState(raw=scan, model=model)
    state = DETECTION.run(start, progress=progress)
    hypothesis, prepared = known(state.hypothesis, "align"), known(state.scan, "clean")
    vertices, faces = model.decode(hypothesis.code, level=SHAPE_LEVEL), template.faces[SHAPE_LEVEL]
    matches = prepared.for_fit.match(
        vertices,
        vertex_normals(vertices, faces),
        pose=hypothesis.pose,
        reach_mm=reach_mm,
        normal_limit_rad=MAX_NORMAL_ANGLE_RAD,
    )
    mask = face_mask(template, level=SHAPE_LEVEL, radius_mm=state.settings.inner_radius_mm)
    is_missing = ~matches.valid & mask & ~template.region_mask("nostrils", SHAPE_LEVEL)
    missing = Mesh(vertices, faces).submesh(np.asarray(is_missing[faces].all(axis=1)))[0]
    return FaceDetection(hypothesis.pose @ Similarity(scale=prepared.mm_per_unit), missing)


def detect_face(session: Session, *, model: SharedModel, limits: ProcessLimits, progress: Progress) -> FaceDetection:
    """Find the face of a session's scan; see `find_missing`."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as name:
        folder = Path(name)
        save_mesh(folder, session.unmarked_scan())
        what, options = f"finding the face in {session.name}", {"model": model.folder}
        run_isolated(_detect, folder, what=what, limits=limits, progress=progress, options=options)
        pose = load_arrays(folder / POSE_FILE)
        try:
            return FaceDetection(
                Similarity(pose["rotation"], pose["translation"], float(pose["scale"])), load_mesh(folder)
            )
        except (KeyError, TypeError, ValueError):
            raise ScanError(f"{what} gave a pose that is none; try again") from None


def _detect(folder: Path, *, model: str | None, progress: Progress) -> None:
    """In the child: the detection, in the files that `detect_face` reads."""
    found = find_missing(load_mesh(folder), model=LinearGenerator.load(model), progress=progress)
    save_mesh(folder, found.missing)
    pose = found.pose
    save_arrays(
        folder / POSE_FILE,
        {"rotation": pose.rotation, "translation": pose.translation, "scale": np.array(pose.scale)},
    )


def complete_session(
    session: Session, *, model: SharedModel, limits: ProcessLimits, detail: bool, progress: Progress
) -> Completion:
    """Complete the scan of a session without its marked vertices, and keep open what is to stay open."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as name:
        folder = Path(name)
        save_mesh(folder, session.unmarked_scan())
        what, options = f"completing {session.name}", {"model": model.folder, "detail": "own" if detail else "none"}
        run_isolated(_complete, folder, what=what, limits=limits, progress=progress, options=options)
        result = Completion.load(folder / STATE_FOLDER, model=model.model)
    return session.with_holes_kept_open(result)


def _complete(folder: Path, *, model: str | None, detail: Literal["own", "none"], progress: Progress) -> None:
    """In the child: the completion, kept so that `Completion.load` brings it back."""
    result = complete(load_mesh(folder), model=LinearGenerator.load(model), detail=detail, progress=progress)
    save_state(result.state, folder / STATE_FOLDER)
