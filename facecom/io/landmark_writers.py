"""Landmark files: CSV, JSON, and the markups that 3D Slicer opens."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from facecom.geometry.mesh import Floats

LandmarkFormat = Literal["csv", "json", "mrk.json"]
SLICER_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


def write_landmarks(path: str | Path, landmarks: Mapping[str, Sequence[float] | Floats]) -> None:
    """Write named points (3,); the ending decides: .mrk.json for 3D Slicer, .json for `facecom --landmarks`, .csv.

    The numbers are those given, in the frame and unit of the mesh they belong to. 3D Slicer reads meshes in the LPS
    frame unless told otherwise, so its points are marked LPS and lie on the mesh; it takes every number for mm.

    Raises
    ------
    ValueError
        When the ending is none of these.
    """
    where = Path(path)
    written = {"mrk.json": slicer_text, "json": json_text, "csv": csv_text}
    for ending, text in written.items():
        if where.name.endswith("." + ending):
            where.write_text(text(landmarks), encoding="utf-8")
            return
    raise ValueError(f"{where} must end in one of {', '.join('.' + f for f in get_args(LandmarkFormat))}")


def csv_text(landmarks: Mapping[str, Sequence[float] | Floats]) -> str:
    """A table with the columns name, x, y, z.

    Examples
    --------
    >>> csv_text({"nose_tip": (0.0, 1.5, 2.0)}).splitlines()
    ['name,x,y,z', 'nose_tip,0.0,1.5,2.0']
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("name", "x", "y", "z"))
    table.writerows((name, *_numbers(point)) for name, point in landmarks.items())
    return out.getvalue()


def json_text(landmarks: Mapping[str, Sequence[float] | Floats]) -> str:
    """An object of name: [x, y, z], which `--landmarks` reads."""
    return json.dumps({name: _numbers(point) for name, point in landmarks.items()}, indent=1) + "\n"


def slicer_text(landmarks: Mapping[str, Sequence[float] | Floats]) -> str:
    """Markups of 3D Slicer: one list of fiducial points."""
    points = [
        {
            "id": str(k),
            "label": name,
            "position": _numbers(point),
            "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            "selected": True,
            "locked": False,
            "visibility": True,
            "positionStatus": "defined",
        }
        for k, (name, point) in enumerate(landmarks.items(), start=1)
    ]
    markups = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        "labelFormat": "%N-%d",
        "controlPoints": points,
    }
    return json.dumps({"@schema": SLICER_SCHEMA, "markups": [markups]}, indent=1) + "\n"


def _numbers(point: Sequence[float] | Floats) -> list[float]:
    return [float(x) for x in point]
