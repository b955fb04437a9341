"""A set of registered scans read back from the folder that `write_registrations` made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facecom.errors import ScanError
from facecom.geometry.mesh import Floats
from facecom.geometry.transform import Similarity, fit_similarity, orthonormal
from facecom.io.files import read_scan
from facecom.io.regular_files import regular_bytes
from facecom.model.template import FINEST_LEVEL, Template
from facecom.registration.export import REPORT

MOST_REPORT_BYTES = 50_000_000
POSE_TOLERANCE = 1e-6
"""Of the entries of a stored rotation."""
MOST_TURN_RAD, MOST_SHIFT_MM, MOST_SCALE = 0.6, 60.0, 1.5
"""How far a face in the face frame and in mm may be turned, moved and scaled against the mean face: people are within
a third of that, and heads as scanners leave them are not."""


def registration_report(folder: str | Path) -> Mapping[str, Any] | None:
    """The report of a folder of registered scans; None where the folder is none.

    Raises
    ------
    ScanError
        When there is a report that cannot be read.
    """
    path = Path(folder) / REPORT
    try:
        report = json.loads(regular_bytes(path, most_bytes=MOST_REPORT_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScanError(f"{path} cannot be read ({error.strerror}); register the scans again") from None
    except (ValueError, RecursionError):
        raise ScanError(f"{path} is damaged, it is not JSON; register the scans again") from None
    registered = isinstance(report, dict) and isinstance(report.get("scans"), dict) and "regions" in report
    return report if registered else None


def read_registered(folder: str | Path, template: Template) -> Floats:
    """The registered faces of a folder, each brought to the face frame by the pose in the report.

    Returns
    -------
    (N, V, 3) float, mm, face frame, on the template's finest level

    Raises
    ------
    ScanError
        When the folder holds no set of registered faces, one is missing or has another topology, or a pose is damaged.
    """
    report = registration_report(folder)
    if report is None:
        raise ScanError(f"{folder} holds no set of registered faces: its {REPORT} is missing or of another job")
    found = []
    for name, entry in report["scans"].items():
        path = Path(folder) / f"{Path(name).name}.ply"
        mesh = read_scan(path)
        if not np.array_equal(mesh.faces, template.faces[FINEST_LEVEL]):
            raise ScanError(f"{path} does not have the template's triangles; register the scan again")
        face = _stored_pose(entry, path).apply(mesh.vertices)
        check_face_frame(face, template, path)
        found.append(face)
    if not found:
        raise ScanError(f"{folder} holds no registered faces: its {REPORT} lists none")
    return np.array(found)


def check_face_frame(face: Floats, template: Template, path: Path) -> None:
    """Refuse a face on the template that lies elsewhere than in the face frame and in mm.

    Raises
    ------
    ScanError
        That says how far it is turned, moved and scaled.
    """
    if not np.isfinite(face).all():
        raise ScanError(f"{path} holds coordinates that are not finite; register the scan again")
    mean = template.vertices[: len(face)]
    apart = fit_similarity(face, mean, with_scale=True)
    turn = float(np.arccos(np.clip(0.5 * (np.trace(apart.rotation) - 1.0), -1.0, 1.0)))
    shift = float(np.linalg.norm(face.mean(axis=0) - mean.mean(axis=0)))
    if turn > MOST_TURN_RAD or shift > MOST_SHIFT_MM or not 1.0 / MOST_SCALE < apart.scale < MOST_SCALE:
        raise ScanError(
            f"{path} is not in the face frame in mm (turned by {np.degrees(turn):.0f} degrees, {shift:.0f} mm away, "
            f"{1.0 / apart.scale:.3g} times as large); give the folder that `facecom register` wrote, with its {REPORT}"
        )


def _stored_pose(entry: Any, path: Path) -> Similarity:
    try:
        matrix = np.asarray(entry["pose"], float)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError("it is no pose")
        scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
        rotation = orthonormal(matrix[:3, :3])
        if not scale > 0.0 or not np.abs(matrix[:3, :3] / scale - rotation).max() < POSE_TOLERANCE:
            raise ValueError("it is no pose")
        return Similarity(rotation, matrix[:3, 3], scale)
    except (KeyError, TypeError, ValueError, IndexError, np.linalg.LinAlgError):
        raise ScanError(f"the pose of {path.name} in {path.parent / REPORT} is damaged; register it again") from None
