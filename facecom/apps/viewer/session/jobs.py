"""What is done in line: finding the face, completing, designing, and packing the results."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from facecom.apps.viewer.session.session import Found, Session
from facecom.completion import COMPLETION, Completion, CompletionState, Progress, complete, known
from facecom.completion.alignment import face_mask
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.report.html import report_html
from facecom.scan.surface_reconstruction import surface_from_points

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis

ROUGH_LEVEL = 2
FINDING = COMPLETION.without("read", "load model").up_to("align")
"""What of the job tells where the face is."""


def with_surface(mesh: Mesh) -> Mesh:
    """The scan with triangles, as `complete` would lay them through points."""
    return mesh if len(mesh.faces) else surface_from_points(mesh, seed=CompletionState().seed)


def find_missing(scan: Mesh, *, model: LinearGenerator, progress: Progress, reach_mm: float = 6.0) -> Found:
    """Where the face is, and what of a rough fit has no scan within reach.

    Raises
    ------
    ScanError, AlignmentError
        As `complete` does.
    """
    template, start = model.template, CompletionState(raw=scan, model=model)
    state = FINDING.run(start, progress=progress)
    hypothesis, prepared = known(state.hypothesis, "align"), known(state.scan, "clean")
    vertices, faces = model.decode(hypothesis.code, level=ROUGH_LEVEL), template.faces[ROUGH_LEVEL]
    near = prepared.for_fit.match(
        vertices, vertex_normals(vertices, faces), pose=hypothesis.pose, reach_mm=reach_mm, normal_limit_rad=1.1
    )
    proper = face_mask(template, level=ROUGH_LEVEL, radius_mm=state.settings.inner_radius_mm)
    lacking = ~near.valid & proper & ~template.region_mask("nostrils", ROUGH_LEVEL)
    missing = Mesh(vertices, faces).submesh(np.asarray(lacking[faces].all(axis=1)))[0]
    return Found(hypothesis.pose @ Similarity(scale=prepared.mm_per_unit), missing)


def finish_face(session: Session, *, model: LinearGenerator, relief: bool, progress: Progress) -> Completion:
    """Complete the scan of a session without what is marked, and open what is to stay open."""
    detail: Literal["own", "none"] = "own" if relief else "none"
    return session.opened(complete(session.cut(), model=model, detail=detail, progress=progress))


def design_parts(face: Completion, *, margin_mm: float, wall_mm: float, progress: Progress) -> tuple[Prosthesis, ...]:
    """A prosthesis for each missing part of the completion."""
    from facecom.prosthesis import DesignSettings, design_all

    progress("design", 0.0)
    return tuple(design_all(face, settings=DesignSettings(margin_mm=margin_mm, wall_mm=wall_mm)))


def pack_results(face: Completion, *, name: str, progress: Progress) -> bytes:
    """A zip archive of what `facecom complete` writes."""
    progress("report", 0.0)
    page = report_html(face, name=name)
    progress("write", 0.7)
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        face.save(folder)
        return zipped(Path(folder), {"report.html": page.encode()})


def pack_parts(parts: tuple[Prosthesis, ...], *, progress: Progress) -> bytes:
    """A zip archive of the files of all parts, a folder each where there are several."""
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        for k, part in enumerate(parts):
            progress("write", k / len(parts))
            part.save(Path(folder) / (f"part_{k + 1}" if len(parts) > 1 else ""))
        return zipped(Path(folder), {})


def zipped(folder: Path, more: dict[str, bytes]) -> bytes:
    """Everything in a folder and some further files as a zip archive; the same files give the same bytes."""
    content = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} | more
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, data in sorted(content.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
