"""A completion as files in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.io.files import write_bytes, write_mesh
from facecom.skin.detail import Detail
from facecom.skin.detail_maps import bake_maps, write_maps


def save_layers(
    path: Path, mesh: Mesh, provenance: Ints, sigma_mm: Floats, defect_probability: Floats | None = None
) -> None:
    """Write a mesh as PLY with what it knows of each vertex."""
    layers: dict[str, NDArray[Any]] = {
        "provenance": np.asarray(provenance, np.uint8),
        "sigma_mm": np.asarray(sigma_mm, np.float32),
    }
    if defect_probability is not None:
        layers["defect_probability"] = np.asarray(defect_probability, np.float32)
    write_mesh(path, mesh, attributes=layers)


def save_report(path: Path, report: Any) -> None:
    """Write a report as JSON."""
    text = json.dumps(asdict(report), indent=1, sort_keys=True)
    write_bytes(path, (text + "\n").encode())


def save_detail(folder: Path, detail: Detail, in_face: Detail) -> None:
    """Write detail.ply in the scan's own frame and unit, and the maps (mm) in the template's uv.

    detail, in_face : the same relief in the scan's frame and in the face frame
    """
    attributes = {"provenance": detail.provenance.astype(np.uint8)}
    write_mesh(folder / "detail.ply", detail.mesh, attributes=attributes, exact=False)
    write_maps(bake_maps(in_face), folder)
