"""The files of a set of registered scans."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion.assembly import round_to_float32
from facecom.geometry.mesh import Mesh
from facecom.io.files import write_bytes, write_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.registration.population import LEAST_FACES, default_base_share, linear_model
from facecom.registration.types import Registration

MEAN, REPORT, MODEL = "mean.ply", "report.json", "model"


def write_registrations(
    results: Sequence[Registration],
    folder: str | Path,
    *,
    model: FaceModel | None = None,
    base_share: float | None = None,
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write NAME.ply, NAME.csv, NAME.json and NAME.mrk.json for each scan, mean.ply, model/ and report.json.

    Parameters
    ----------
    results : of `register`
    folder : is made where it is missing
    model : the one they were registered with, the base of the new one where it is linear; else the shipped one is
    base_share : see `linear_model`; unless given, what `default_base_share` says for so many faces
    failed : name -> sentence, of scans that could not be registered; stands in the report

    Raises
    ------
    ValueError
        When there are no results.

    Notes
    -----
    NAME.ply lies in the scan's own frame and unit and carries, for each vertex, observed (0 or 1), residual_mm,
    sigma_mm and region, a number whose name stands in report.json at that place of `regions`. mean.ply and the model,
    made of three faces or more, are in mm and in the face frame; so is the mean of fewer faces.
    """
    if not results:
        raise ValueError("there are no registrations to write; give at least one")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for result in results:
        result.save(out)
    faces = [result.in_face_frame for result in results]
    if len(faces) >= LEAST_FACES:
        base = model if isinstance(model, LinearGenerator) else LinearGenerator.load()
        share = default_base_share(len(faces)) if base_share is None else base_share
        made = linear_model(faces, base, base_share=share)
        made.save(out / MODEL)
        mean = made.mean()
    else:
        mean = results[0].face_mesh.with_vertices(np.mean(faces, axis=0))
    write_mesh(out / MEAN, _short(mean))
    write_bytes(out / REPORT, (json.dumps(report(results, failed=failed), indent=1) + "\n").encode())


def _short(mesh: Mesh) -> Mesh:
    return mesh.with_vertices(round_to_float32(mesh.vertices))


def report(results: Sequence[Registration], *, failed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What report.json holds: for each scan the verdict and its figures, lengths in mm; and which scans failed."""
    return {
        "scans": {
            result.name: {
                "verdict": result.verdict,
                "good": result.good,
                "coverage": result.coverage,
                "scan_to_face_mm": dict(result.scan_to_face_mm),
                "residual_mm": _distribution(result.residual_mm[result.observed]),
                "sigma_made_up_mm": float(result.sigma_mm[~result.observed].mean())
                if not result.observed.all()
                else 0.0,
                "expression_taken_out": dict(result.expression),
                "unit": result.unit,
                "mm_per_unit": result.mm_per_unit,
                "mm_per_unit_sigma": result.mm_per_unit_sigma,
                "pose": result.pose.matrix().tolist(),
                "warnings": list(result.warnings),
            }
            for result in results
        },
        "failed": dict(failed or {}),
        "vertices": len(results[0].vertices),
        "regions": list(results[0].template.region_names),
    }


def _distribution(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    return {"mean": float(values.mean()), "median": float(np.median(values)), "p95": float(np.quantile(values, 0.95))}
