"""Prostheses designed in a child process: booleans of solids take long, and how long the scan decides."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from facecom.apps.isolation.process import ProcessLimits, run_isolated
from facecom.apps.isolation.reading import (
    load_arrays,
    load_mesh,
    load_warnings,
    save_arrays,
    save_mesh,
    save_warnings,
)
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_results import DesignedParts
from facecom.apps.viewer.session.packing import zip_folder
from facecom.completion import Completion, Progress, known
from facecom.completion.serialization import load_state, save_state
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.regular_files import regular_bytes
from facecom.model.linear.generator import LinearGenerator
from facecom.stitching.stitch import Stitched

STATE_FOLDER, STITCHED_FILE, ARCHIVE, SHELL_FOLDER = "state", "stitched.npz", "parts.zip", "shell_{}"
"""What lies in the folder of the child."""
DESIGN_SHARE = 0.9
"""Share of the work before the files are written."""
MAX_PARTS, MAX_ARCHIVE_BYTES = 50, 500_000_000
"""What is taken back from a child at most."""
ADVICE = "ask for a wider margin or a thicker wall, or decimate the scan and complete it again"
"""What helps where a design exceeds its bounds."""


@dataclass(frozen=True)
class PartLengths:
    """What a visitor sets of a prosthesis, mm: see `DesignSettings`."""

    margin_mm: float
    wall_mm: float


def design_parts(
    completion: Completion,
    lengths: PartLengths,
    *,
    name: str,
    model: SharedModel,
    limits: ProcessLimits,
    progress: Progress,
) -> DesignedParts:
    """A prosthesis for each missing part of a completion, as it is shown: dragged, drawn, or with holes kept open.

    Parameters
    ----------
    name : of the scan, for sentences

    Raises
    ------
    ScanError
        As of `design_all`; and when the design took too much time or memory, or ended its process.
    """
    what = f"designing the prosthesis for {name}"
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder_name:
        folder = Path(folder_name)
        save_state(completion.context.state, folder / STATE_FOLDER)
        save_arrays(folder / STITCHED_FILE, _stitched_arrays(completion.context.stitched))
        options = {"model": model.folder, "lengths": vars(lengths)}
        run_isolated(_design, folder, what=what, limits=limits, progress=progress, options=options, advice=ADVICE)
        folders = [folder / SHELL_FOLDER.format(k) for k in range(MAX_PARTS)]
        shells = tuple(load_mesh(shell) for shell in folders if shell.is_dir())
        try:
            archive = regular_bytes(folder / ARCHIVE, most_bytes=MAX_ARCHIVE_BYTES)
        except OSError as error:
            raise ScanError(f"{what} left no files ({error.strerror}); try again") from None
        return DesignedParts(shells, archive, load_warnings(folder))


def _design(folder: Path, *, model: str | None, lengths: dict[str, float], progress: Progress) -> None:
    """In the child: the parts, their files as a zip archive, and their shells in the face frame."""
    from facecom.prosthesis import DesignSettings, design_all

    completion = _completion(folder, LinearGenerator.load(model))
    parts = design_all(
        completion,
        settings=DesignSettings(margin_mm=lengths["margin_mm"], wall_mm=lengths["wall_mm"]),
        progress=lambda step, share: progress(step, DESIGN_SHARE * share),
    )
    progress("write", DESIGN_SHARE)
    for k, part in enumerate(parts):
        part.save(folder / "files" / (f"part_{k + 1}" if len(parts) > 1 else ""))
        shell = folder / SHELL_FOLDER.format(k)
        shell.mkdir()
        save_mesh(shell, part.shell.with_vertices(part.to_face.apply(part.shell.vertices)))
    (folder / ARCHIVE).write_bytes(zip_folder(folder / "files"))
    save_warnings(folder, list(dict.fromkeys(text for part in parts for text in part.warnings)))


def _completion(folder: Path, model: LinearGenerator) -> Completion:
    """The completion whose state lies in a folder, with the surface that was stitched and changed since."""
    state = load_state(folder / STATE_FOLDER, model=model)
    stitched = _stitched(known(state.stitched, "stitch"), load_arrays(folder / STITCHED_FILE))
    return Completion.from_state(replace(state, stitched=stitched))


def _stitched_arrays(stitched: Stitched) -> dict[str, np.ndarray]:
    arrays: dict[str, Any] = {
        "face_vertices": stitched.face.vertices,
        "vertices": stitched.merged.vertices,
        "faces": stitched.merged.faces,
        "colors": stitched.merged.colors,
        "patch_vertices": stitched.patch_vertices,
        "patch_faces": stitched.patch.faces,
        "added": stitched.added,
        "data": stitched.weights.data,
        "indices": stitched.weights.indices,
        "indptr": stitched.weights.indptr,
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _stitched(like: Stitched, arrays: dict[str, np.ndarray]) -> Stitched:
    """The stitched surface from its arrays; what they do not hold is taken from another one of the same scan."""
    merged = Mesh(arrays["vertices"], arrays["faces"], colors=arrays.get("colors"))
    shape = (len(arrays["indptr"]) - 1, like.weights.shape[1])
    return replace(
        like,
        face=like.face.with_vertices(arrays["face_vertices"]),
        merged=merged,
        patch=Mesh(merged.vertices[arrays["patch_vertices"]], arrays["patch_faces"]),
        patch_vertices=arrays["patch_vertices"],
        added=arrays["added"],
        weights=sp.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape),
    )
