"""How far a completed face is from the truth of its case; nothing is moved before it is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.calibration import BANDS, errors_and_sigma
from facecom import Mesh, Surface, read_scan
from facecom.evaluation.measures import calibration
from facecom.geometry.mesh import Bools, Floats, boundary_loops, face_components

MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
CLUTTER_FACES = 100
"""Pieces of a scan with fewer faces are clutter, and may go."""
NEAR_MM = 4.0
"""A boundary loop is the defect's when more than half of its vertices lie this near to the missing surface."""
DIGITS = 4
Row = dict[str, Any]


def score_case(case: Path, result: Path) -> Row:
    """The row of one case: what ran, and where a face was written the errors in mm, kept share and open holes."""
    meta = json.loads((case / "meta.json").read_text(encoding="utf-8"))
    row: Row = {"case": case.name, "head": meta["head"], "defect": meta["defect"]}
    if (result / "run.json").exists():
        row |= json.loads((result / "run.json").read_text(encoding="utf-8"))
    if not (result / "face.ply").exists():
        return row
    with np.load(case / "truth.npz", allow_pickle=False) as truth:
        missing, observed = MM[meta["unit"]] * truth["missing"], MM[meta["unit"]] * truth["observed"]
    row |= face_errors(in_mm(read_scan(result / "face.ply"), meta["unit"]), missing, observed)
    if (result / "merged.ply").exists():
        scan, merged = read_scan(case / "scan.ply"), read_scan(result / "merged.ply")
        row["kept"] = kept_share(scan, merged)
        row["open_holes"] = open_holes(in_mm(merged, meta["unit"]), missing)
    return row | sigma_shares(case, result)


def in_mm(mesh: Mesh, unit: str) -> Mesh:
    """The mesh with its vertices in mm."""
    return mesh.with_vertices(MM[unit] * mesh.vertices)


def face_errors(face: Mesh, missing: Floats, observed: Floats) -> Row:
    """Distances in mm of true points (N, 3) to the completed face."""
    surface = Surface(face)
    distance = surface.closest(missing).distance
    found = {"missing": distance.mean(), "p95": np.percentile(distance, 95)}
    found["observed"] = surface.closest(observed).distance.mean()
    return {name: round(float(value), DIGITS) for name, value in found.items()}


def kept_share(scan: Mesh, merged: Mesh) -> float:
    """Share of the scan's vertices, clutter apart, whose float32 coordinates stand bit for bit in the merged mesh."""
    label = face_components(scan.faces)
    large = np.bincount(label)[label] >= CLUTTER_FACES
    present = set(map(bytes, merged.vertices.astype(np.float32)))
    asked = scan.vertices[np.unique(scan.faces[large])].astype(np.float32)
    return float(np.mean([bytes(vertex) in present for vertex in asked]))


def open_holes(merged: Mesh, missing: Floats) -> int:
    """Boundary loops that are left about the defect, both in mm."""
    tree = cKDTree(missing)

    def near(loop: np.ndarray) -> Bools:
        return tree.query(merged.vertices[loop])[0] < NEAR_MM

    return sum(int(near(loop).mean() > 0.5) for loop in boundary_loops(merged.faces) if len(loop) > 2)


def sigma_shares(case: Path, result: Path) -> Row:
    """Share of the missing truth within the bands of sigma, and the rms of error and sigma, mm."""
    errors, sigma, _ = errors_and_sigma(case, result)
    shares = {f"within_{100 * row.share:.0f}": row.found for row in calibration(errors, sigma, shares=BANDS)}
    rms = {"rms_error": np.sqrt(np.mean(errors**2)), "rms_sigma": np.sqrt(np.mean(sigma**2))}
    return {name: round(float(value), DIGITS) for name, value in (shares | rms).items()}
