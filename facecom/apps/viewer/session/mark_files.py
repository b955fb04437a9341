"""Marks as files: those that `--missing` and `--doubted` of the command line read, written and read by the viewer."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.isolation.reading import load_arrays, save_arrays
from facecom.apps.viewer.session.face_detection import vertices_within
from facecom.apps.viewer.session.face_jobs import APPLYING, SharedModel, job_options, job_state
from facecom.apps.viewer.session.marks import MarkKind
from facecom.apps.viewer.session.session import Session
from facecom.completion import COMPLETION, CompletionState, Progress, known
from facecom.completion.marking import region_names
from facecom.errors import FacecomError, ScanError
from facecom.geometry.mesh import Bools, Mesh
from facecom.io.files import SINGLE_FILES
from facecom.model.template import Template
from facecom.scan.mark_sources import MARK_JSON, MASK_IMAGES, marks_json, scan_marks
from facecom.scan.marks import Marks

MARK_FILES = (MARK_JSON, *MASK_IMAGES, *SINGLE_FILES)
"""Suffixes of files of marks."""
PLACING = COMPLETION.without("read", "load model").up_to("apply outlines")
"""The stages that also place marks for which it must be known where the face is."""
COLOR_WORD = "color:"
VERTICES_FILE, FILE_NAME = "vertices.npz", "marks"
ADVICE = "save the marks as JSON or PLY, with fewer points"


def marks_file(session: Session, kind: MarkKind) -> bytes:
    """The marked vertices of a kind as JSON, in the scan's own frame and unit.

    Raises
    ------
    ValueError
        When nothing is marked so.
    """
    marks = session.marked_points(kind)
    if marks.empty:
        raise ValueError(f"nothing is marked as {kind.value}, so there is nothing to save; paint first")
    return (marks_json(marks) + "\n").encode()


def read_marks_file(
    name: str, content: bytes, session: Session, *, model: SharedModel, limits: ProcessLimits, progress: Progress
) -> Bools:
    """Vertices (V,) of a session's scan that a file marks, read in a child process.

    Parameters
    ----------
    name : of the file, fit to be shown; its suffix chooses the reader

    Raises
    ------
    ScanError, ValueError
        As of `scan_marks`, and where the marks do not belong to the scan.
    """
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder_name:
        inside = Path(folder_name) / f"{FILE_NAME}{Path(name).suffix.lower()}"
        inside.write_bytes(content)
        try:
            return _read_in_child(
                inside, str(inside), session, what=name, model=model, limits=limits, progress=progress
            )
        except (FacecomError, ValueError) as error:
            words = str(error).replace(str(inside), name).replace(inside.name, name)
            raise type(error)(words) from None


def read_named_marks(
    word: str, session: Session, *, model: SharedModel, limits: ProcessLimits, progress: Progress
) -> Bools:
    """Vertices (V,) of a session's scan that a word of `--missing` marks: a region, or `color:` and six digits.

    Raises
    ------
    ScanError, ValueError
        For any other word, such as the name of a file on the server, and as of `scan_marks`.
    """
    names = region_names(Template.load())
    word = word.strip()
    if word not in names and not word.startswith(COLOR_WORD):
        raise ValueError(f"{word!r} is neither a colour such as {COLOR_WORD}ff0000 nor a region ({', '.join(names)})")
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder_name:
        inside = Path(folder_name) / FILE_NAME
        return _read_in_child(inside, word, session, what=word, model=model, limits=limits, progress=progress)


def _read_in_child(
    inside: Path,
    mark: str,
    session: Session,
    *,
    what: str,
    model: SharedModel,
    limits: ProcessLimits,
    progress: Progress,
) -> Bools:
    """What `scan_marks` makes of a file or a word, as vertices (V,) of the scan."""
    folder, doing = inside.parent, f"reading the marks {what}"
    options = job_options(folder, session, model) | {"mark": mark, "what": what}
    run_isolated(_read, folder, what=doing, limits=limits, progress=progress, options=options, advice=ADVICE)
    marked = load_arrays(folder / VERTICES_FILE).get("marked")
    if marked is None or marked.shape != session.marks.missing.shape:
        raise ScanError(f"{doing} gave marks that are none; try again")
    return np.asarray(marked, bool)


def _read(folder: Path, *, mark: str, what: str, progress: Progress, **options: Any) -> None:
    """In the child: the vertices that a file or a word marks."""
    state = job_state(folder, **options)
    scan = known(state.raw, "read")
    marks = scan_marks(mark, scan, regions=region_names(state.template))
    if marks.empty:
        raise ScanError(f"{what} marks nothing; save marks that hold points, spheres, outlines or regions")
    marked = _painted_vertices(scan, marks)
    if marked is None:
        marked = _vertices_under(marks, state, progress)
    save_arrays(folder / VERTICES_FILE, {"marked": marked})


def _painted_vertices(scan: Mesh, marks: Marks) -> Bools | None:
    """The vertices (V,) that painted points are; None where marks are anything else.

    Marks that were saved here come back as they were.
    """
    if not len(marks.points) or len(marks.faces) or len(marks.spheres) or marks.need_pose:
        return None
    finite = np.asarray(np.isfinite(scan.vertices).all(axis=1))
    if (cKDTree(scan.vertices[finite]).query(marks.points)[0] > 0.0).any():
        return None
    marked = np.zeros(len(finite), bool)
    marked[finite] = cKDTree(marks.points).query(scan.vertices[finite])[0] == 0.0
    return marked


def _vertices_under(marks: Marks, state: CompletionState, progress: Progress) -> Bools:
    """The vertices (V,) under marks of any kind, by the stages of a completion; borders stay where they are."""
    told = replace(state, missing=marks, doubted=None, snap_marks=False)
    stages = PLACING if marks.need_pose else APPLYING
    placed = known(stages.run(told, progress=progress).scan, "clean")
    return vertices_within(known(state.raw, "read"), placed.defect, healthy=placed.mesh)
