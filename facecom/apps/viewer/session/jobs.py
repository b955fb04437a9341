"""The jobs of the viewer: detecting the face, completing, designing, and packing the results."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from facecom.apps.viewer.session.session import FaceDetection, Session
from facecom.completion import COMPLETION, Completion, CompletionState, Progress, complete, known
from facecom.completion.alignment import face_mask
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL
from facecom.report.html import report_html

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis

MISSING_DISTANCE_MM, MAX_NORMAL_ANGLE_RAD = 6.0, 1.1
"""A vertex of the rough fit without a scan this near and with such a normal is missing: twice the error of that fit."""
DETECTION = COMPLETION.without("read", "load model").up_to("align")
"""The stages of the pipeline that find the pose of the face."""
WRITING_START = 0.7
"""Share of the work before the results are written."""
COMPRESSION_LEVEL = 3
"""Of zip archives: meshes hardly shrink further, and higher levels take several times as long."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time of the format, so that the same files give the same bytes."""


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


def complete_session(session: Session, *, model: LinearGenerator, detail: bool, progress: Progress) -> Completion:
    """Complete the scan of a session without its marked vertices, and keep open what is to stay open."""
    choice: Literal["own", "none"] = "own" if detail else "none"
    result = complete(session.unmarked_scan(), model=model, detail=choice, progress=progress)
    return session.with_holes_kept_open(result)


def design_prostheses(
    completion: Completion, *, margin_mm: float, wall_mm: float, progress: Progress
) -> tuple[Prosthesis, ...]:
    """A prosthesis for each missing part of the completion."""
    from facecom.prosthesis import DesignSettings, design_all

    settings = DesignSettings(margin_mm=margin_mm, wall_mm=wall_mm)
    return tuple(design_all(completion, settings=settings, progress=progress))


def pack_results(completion: Completion, *, name: str, progress: Progress) -> bytes:
    """A zip archive of what `facecom complete` writes."""
    progress("report", 0.0)
    page = report_html(completion, name=name)
    progress("write", WRITING_START)
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        completion.save(folder)
        return zip_folder(Path(folder), {"report.html": page.encode()})


def pack_prostheses(prostheses: tuple[Prosthesis, ...], *, progress: Progress) -> bytes:
    """A zip archive of the files of all prostheses, a folder each where there are several."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        for k, prosthesis in enumerate(prostheses):
            progress("write", k / len(prostheses))
            prosthesis.save(Path(folder) / (f"part_{k + 1}" if len(prostheses) > 1 else ""))
        return zip_folder(Path(folder), {})


def zip_folder(folder: Path, further: dict[str, bytes]) -> bytes:
    """The files of a folder and further ones as a zip archive; the same files give the same bytes."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} | further
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
