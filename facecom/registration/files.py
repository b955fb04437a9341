"""The files of one registered scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facecom.geometry.mesh import Floats, Mesh
from facecom.io.files import write_mesh
from facecom.io.landmark_writers import write_landmarks

LANDMARK_ENDINGS = ("csv", "json", "mrk.json")


def write_registered(
    folder: Path, name: str, mesh: Mesh, *, attributes: Mapping[str, Any], landmarks: Mapping[str, Floats]
) -> None:
    """Write NAME.ply with values for each vertex, and NAME.csv, NAME.json and NAME.mrk.json; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mesh(folder / f"{name}.ply", mesh, attributes=dict(attributes))
    for ending in LANDMARK_ENDINGS:
        write_landmarks(folder / f"{name}.{ending}", landmarks)
