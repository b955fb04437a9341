"""What a completion rests on as files, so that it can be sampled, refitted and made into a part another day."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion.alignment import flip_orientation, scan_of
from facecom.completion.assembly import assemble
from facecom.completion.result import Completion, FitContext
from facecom.completion.stages import stitch_face
from facecom.completion.types import CompletionSettings, Report, Scan
from facecom.errors import CheckpointError
from facecom.fitting.fit import Fit
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.storage import StorageFormat, read_stored, write_stored
from facecom.projection.project import Projection
from facecom.scan.cleaning import CleanReport

KIND = StorageFormat("facecom completion", 1, arrays="evidence.safetensors", description="evidence.json")


def save_completion(completion: Completion, directory: str | os.PathLike[str]) -> None:
    """Write evidence.safetensors and evidence.json, from which `load_completion` makes the completion again.

    Skin detail is not kept; make it again.
    """
    own = completion.evidence
    arrays = {
        "scan_vertices": own.scan.mesh.vertices,
        "scan_faces": own.scan.mesh.faces,
        "code": own.fit.code,
        "rotation": own.fit.pose.rotation,
        "translation": own.fit.pose.translation,
        "fit_vertices": own.fit.vertices,
        "precision": own.fit.precision,
        "matched": own.fit.matched,
        "vertices": own.projected.vertices,
        "measured": own.projected.measured,
        "offset": own.projected.offset,
        "sigma_mm": completion.sigma_mm,
    }
    if own.scan.mesh.colors is not None:
        arrays["scan_colors"] = own.scan.mesh.colors
    text = {
        "unit": own.scan.unit,
        "mm_per_unit": own.scan.mm_per_unit,
        "inside_out": own.scan.inside_out,
        "removed": asdict(own.scan.removed),
        "fit": {"level": own.fit.level, "terms": dict(own.fit.terms), "converged": own.fit.converged},
        "report": asdict(completion.report),
        "settings": _plain(own.settings),
    }
    write_stored(Path(directory), arrays, text, kind=KIND)


def load_completion(
    directory: str | os.PathLike[str],
    *,
    model: FaceModel | None = None,
    settings: CompletionSettings | None = None,
) -> Completion:
    """The completion that `keep_completion` wrote; parameters and errors as of `Completion.load`."""
    folder = Path(directory)
    arrays, text = read_stored(folder, kind=KIND)
    model, settings = model or LinearGenerator.load(), settings or CompletionSettings()
    if text["settings"] != _plain(settings):
        raise CheckpointError(f"{folder}: was made with other settings; pass the CompletionSettings it was made with")
    if text["report"]["model"] != _plain(model.description) or len(arrays["code"]) != model.code_size:
        raise CheckpointError(f"{folder}: was made with another model; pass the one it was made with")
    scan = _scan(arrays, text, settings)
    fitted = Fit(
        code=arrays["code"],
        pose=Similarity(arrays["rotation"], arrays["translation"]),
        vertices=arrays["fit_vertices"],
        precision=arrays["precision"],
        matched=arrays["matched"],
        **text["fit"],
    )
    projected = Projection(arrays["vertices"], arrays["measured"], arrays["offset"])
    joined = stitch_face(scan, model.template, fitted, projected, settings)
    report = Report(**{**text["report"], "warnings": tuple(text["report"]["warnings"])})
    evidence = FitContext(scan, model, fitted, projected, joined, settings)
    return assemble(evidence, arrays["sigma_mm"], report)


def _scan(arrays: dict[str, np.ndarray], text: dict[str, Any], settings: CompletionSettings) -> Scan:
    mesh = Mesh(arrays["scan_vertices"], arrays["scan_faces"], colors=arrays.get("scan_colors"))
    removed = CleanReport(**text["removed"])
    made = scan_of(mesh, text["unit"], text["mm_per_unit"], removed=removed, settings=settings)
    return flip_orientation(made, settings) if text["inside_out"] else made


def _plain(value: Any) -> Any:
    """As it reads after a journey through JSON."""
    return json.loads(json.dumps(_stored(value)))


def _stored(value: Any) -> Any:
    """Dataclasses as dicts, but for fields whose metadata says that they are not stored (code of the caller's own)."""
    if is_dataclass(value):
        return {f.name: _stored(getattr(value, f.name)) for f in fields(value) if f.metadata.get("stored", True)}
    if isinstance(value, tuple | list):
        return [_stored(entry) for entry in value]
    return value
