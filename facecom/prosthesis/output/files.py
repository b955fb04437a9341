"""A part as files: STL, 3MF and PLY for machines, JSON and a picture for people."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.io.files import write_bytes
from facecom.io.images import png_bytes
from facecom.io.writers import ply_bytes, stl_bytes
from facecom.prosthesis.inspection import NOTICE
from facecom.prosthesis.output.page import inspection_picture
from facecom.prosthesis.output.part_data import PartData
from facecom.prosthesis.output.pictures import PNG_LEVEL
from facecom.prosthesis.output.three_mf import three_mf_bytes
from facecom.provenance import Provenance

FORMAT, VERSION = "facecom-prosthesis", 2


def save_part(part: PartData, directory: str | os.PathLike[str]) -> None:
    """Write all files of a part; see `Prosthesis.save`."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    attributes: dict[str, NDArray] = {
        "provenance": part.provenance.astype(np.int8),
        "sigma_mm": part.sigma_mm.astype(np.float32),
    }
    files = {
        "shell.stl": stl_bytes(part.shell),
        "shell.3mf": three_mf_bytes(part.shell, title="facial prosthesis, shell"),
        "shell.ply": ply_bytes(part.shell, attributes=attributes, exact=False),
        "mould_a.stl": stl_bytes(part.mould_a),
        "mould_b.stl": stl_bytes(part.mould_b),
        "inspection.png": png_bytes(inspection_picture(part), compress_level=PNG_LEVEL),
        "inspection.json": _json(part.inspection.to_dict()),
        "prosthesis.json": _json(sidecar(part)),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)


def sidecar(part: PartData) -> dict[str, Any]:
    """What prosthesis.json holds: where the part comes from and in which frame it lies.

    The meshes are in the scan's own frame, in mm. `pose` takes the scan's own frame and unit to the face frame in mm;
    of a point of the meshes it takes the coordinates divided by `mm_per_unit`.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "notice": NOTICE,
        "unit": "mm",
        "frame": "the scan's own",
        "axis": part.axis.tolist(),
        "pose": part.pose.matrix().tolist(),
        "mm_per_unit": part.pose.scale,
        "provenance": {kind.value: kind.label for kind in Provenance} | {-1: "not the outer face"},
        "shares": dict(part.inspection.shares),
        "seed": part.settings.seed,
        "settings": asdict(part.settings),
        "input_sha256": part.input_sha256,
        "versions": part.versions,
        "warnings": list(part.warnings),
    }


def _json(value: Any) -> bytes:
    return (json.dumps(_without_nan(value), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null stands for what was not there to be measured."""
    if isinstance(value, dict):
        return {str(k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
