"""Landmark files: named points of a scan, in its own frame and unit."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from facecom.errors import ScanError
from facecom.io.landmark_formats import FORMATS, HOW, LandmarkFormatError
from facecom.io.landmark_names import landmark_name
from facecom.io.regular_files import regular_bytes

MOST_BYTES = 4_000_000
"""Landmark files are some kilobytes; what is larger is something else."""
LARGEST_COORDINATE = 1e12
"""Georeferenced scans in mm have 1e10; beyond this no distance on a face has digits left."""


def read_landmarks(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Read landmarks, in the scan's own frame and unit, by the ending of the name.

    .json: an object of name -> [x, y, z], or a list of 68; .mrk.json and .fcsv of 3D Slicer, brought to its LPS frame;
    .pp of MeshLab; .csv and .txt: lines of name, x, y, z, or 68 lines of x, y, z; .npy: an array (68, 3). What has no
    names holds the 68 points of dlib in their order, see `LANDMARK_NAMES`.

    Returns
    -------
    name -> [x, y, z]

    Raises
    ------
    ScanError
        When the file cannot be read, holds something else, a number that is not finite, or an unknown name.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "points.csv"
    >>> _ = path.write_text("name,x,y,z\\nnose_tip,0,1.5,2")
    >>> read_landmarks(path)
    {'nose_tip': [0.0, 1.5, 2.0]}
    """
    where = Path(path)
    reader = FORMATS.get(where.suffix.lower())
    if reader is None:
        raise ScanError(f"{where} must end in one of .mrk.json, {', '.join(FORMATS)} to be read as landmarks")
    try:
        data = regular_bytes(where, most_bytes=MOST_BYTES)
    except OSError as error:
        raise ScanError(f"{where}: the landmarks cannot be read ({error.strerror}); check the path") from None
    try:
        return _checked(reader(data))
    except LandmarkFormatError as error:
        raise ScanError(f"{where} {error}") from None
    except ValueError as error:
        raise ScanError(f"{where}: {error}") from None


def _checked(named: list[tuple[str, list[Any]]]) -> dict[str, list[float]]:
    if not named:
        raise LandmarkFormatError(f"holds no landmarks; {HOW}")
    found: dict[str, list[float]] = {}
    for given, point in named:
        name = landmark_name(given)
        if name in found:
            raise LandmarkFormatError(f"names {name} twice; keep one of them")
        found[name] = [_coordinate(name, value) for value in point]
    return found


def _coordinate(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LandmarkFormatError(f"holds {str(value)[:20]!r} for a coordinate of {name}; {HOW}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= LARGEST_COORDINATE:
        what = "is not finite" if not math.isfinite(number) else f"is larger than {LARGEST_COORDINATE:g}"
        raise LandmarkFormatError(f"holds a coordinate of {name} that {what}; leave that landmark out")
    return number
