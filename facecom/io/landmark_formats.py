"""The formats of landmark files, each as a function from bytes to named points.

A list without names holds the 68 points in the order of `LANDMARK_NAMES`. 3D Slicer writes its points in RAS or LPS and
says which; they are brought to LPS, the frame in which it writes meshes.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.parsers import expat

from facecom.io.arrays import read_npy
from facecom.io.landmark_names import LANDMARK_NAMES

Named = list[tuple[str, list[Any]]]
HOW = "write an object of name: [x, y, z]"
LIST_LENGTH = len(LANDMARK_NAMES)
LPS_COLUMNS, RAS_COLUMNS, PLAIN_COLUMNS = ("l", "p", "s"), ("r", "a", "s"), ("x", "y", "z")
NAME_COLUMNS = ("name", "label", "landmark")
FCSV_COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label")
"""What an .fcsv has where its header names no columns."""
RAS_WORDS = ("ras", "0", "right-anterior-superior")
LPS_WORDS = ("lps", "1", "left-posterior-superior")
"""As files of 3D Slicer name their frame; old ones have numbers."""
DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


class LandmarkFormatError(ValueError):
    """What is wrong with a landmark file, as the rest of a sentence that begins with its name."""


def decoded(data: bytes) -> str:
    """Text of a file in UTF-8 with or without a byte order mark, or in UTF-16 with one."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise LandmarkFormatError(f"is not text ({error.reason} at byte {error.start}); save it as UTF-8") from None


def from_json(data: bytes) -> Named:
    """An object of name: [x, y, z], a list of 68 points, or markups of 3D Slicer."""
    try:
        found = json.loads(decoded(data), object_pairs_hook=_unrepeated)
    except RecursionError:
        raise LandmarkFormatError(f"is nested too deeply for landmarks; {HOW}") from None
    except LandmarkFormatError:
        raise
    except ValueError as error:
        raise LandmarkFormatError(f"is not JSON ({error}); {HOW}") from None
    if isinstance(found, dict) and "markups" in found:
        return _slicer(found)
    if isinstance(found, list):
        return _in_order(found)
    if not isinstance(found, dict) or not all(_is_row(value) for value in found.values()):
        raise LandmarkFormatError(f"does not hold landmarks; {HOW}")
    return list(found.items())


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise LandmarkFormatError(f"names {twice[:60]!r} twice; keep one of them")
    return found


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3


def _in_order(rows: Sequence[Any]) -> Named:
    if len(rows) != LIST_LENGTH or not all(_is_row(row) for row in rows):
        sizes = sorted({len(row) if isinstance(row, list) else 0 for row in rows})[:3]
        raise LandmarkFormatError(
            f"holds a list of {len(rows)} entries of {' or '.join(map(str, sizes)) or 'no'} numbers and no "
            f"names; a list without names must hold the {LIST_LENGTH} points of dlib, each [x, y, z], else {HOW}"
        )
    return list(zip(LANDMARK_NAMES, rows, strict=True))


def _slicer(found: Mapping[str, Any]) -> Named:
    named: Named = []
    try:
        for markups in found["markups"]:
            sign = _sign(str(markups.get("coordinateSystem", "LPS")))
            unit = markups.get("coordinateUnits", "mm")
            for point in markups["controlPoints"]:
                if point.get("positionStatus", "defined") == "defined":
                    named.append((str(point["label"]), _signed(point["position"], sign)))
            if unit not in ("mm", ["mm"]):
                raise LandmarkFormatError(f"holds markups in {str(unit)[:20]!r}; save them in mm")
    except (KeyError, TypeError, AttributeError):
        raise LandmarkFormatError("does not hold the markups of 3D Slicer: a label and position each") from None
    return named


def _sign(frame: str) -> int:
    word = frame.strip().lower()
    if word not in RAS_WORDS + LPS_WORDS:
        raise LandmarkFormatError(f"holds points in the frame {frame[:20]!r}; save them as LPS or RAS")
    return -1 if word in RAS_WORDS else 1


def _signed(point: Any, sign: int) -> list[Any]:
    if not _is_row(point):
        raise TypeError("a position has three numbers")
    x, y, z = point
    return [x, y, z] if sign > 0 else [-x, -y, z]


def from_fcsv(data: bytes) -> Named:
    """Fiducials of 3D Slicer, whose comment lines name frame and columns; without a frame they are RAS."""
    comments, rows = _split_comments(decoded(data))
    said = {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in comments)}
    sign = _sign(said.get("coordinatesystem", "RAS"))
    columns = tuple(word.strip().lower() for word in said.get("columns", ",".join(FCSV_COLUMNS)).split(","))
    try:
        places, label = [columns.index(name) for name in PLAIN_COLUMNS], columns.index("label")
    except ValueError:
        raise LandmarkFormatError("is not an fcsv of 3D Slicer: its columns are not x, y, z and label") from None
    named: Named = []
    for number, row in rows:
        cells = _comma_separated(row)
        if len(cells) <= max(*places, label):
            raise LandmarkFormatError(f"has only {len(cells)} columns in line {number}")
        named.append((cells[label], _signed([_number(cells[k], number) for k in places], sign)))
    return named


def _split_comments(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Comment lines without their mark, and the others that are not blank with their numbers."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    comments = [line.lstrip("# ") for _, line in lines if line.startswith("#")]
    return comments, [(number, line) for number, line in lines if line and not line.startswith("#")]


def from_picked_points(data: bytes) -> Named:
    """MeshLab's picked points, XML; those that are switched off are left out."""
    named: Named = []

    def begin(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "point" and attributes.get("active", "1") != "0":
            try:
                numbers: list[Any] = [_number(attributes[axis], parser.CurrentLineNumber) for axis in PLAIN_COLUMNS]
                named.append((attributes["name"], numbers))
            except KeyError as error:
                raise LandmarkFormatError(f"has a point without {error} in line {parser.CurrentLineNumber}") from None

    def refuse(*_: Any) -> None:
        raise LandmarkFormatError("defines entities of its own, which picked points of MeshLab do not")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:  # an encoding that nobody knows
        raise LandmarkFormatError(f"is not a file of picked points of MeshLab ({error})") from None
    return named


def from_table(data: bytes) -> Named:
    """Lines of name, x, y, z, with or without a header; or 68 lines of x, y, z."""
    _, lines = _split_comments(decoded(data))
    if not lines:
        return []
    rows = [(number, _cells(line)) for number, line in lines]
    header = [cell.lower() for cell in rows[0][1]]
    for columns, sign in ((PLAIN_COLUMNS, 1), (LPS_COLUMNS, 1), (RAS_COLUMNS, -1)):
        label = next((header.index(name) for name in NAME_COLUMNS if name in header), None)
        if all(name in header for name in columns) and label is not None:
            return _by_header(rows[1:], label, [header.index(name) for name in columns], sign)
    if all(len(cells) == 3 for _, cells in rows):
        return _in_order([[_number(cell, number) for cell in cells] for number, cells in rows])
    return _by_header(rows, 0, [1, 2, 3], 1)


def _by_header(rows: Iterable[tuple[int, list[str]]], label: int, places: list[int], sign: int) -> Named:
    named: Named = []
    for number, cells in rows:
        if len(cells) <= max(label, *places):
            raise LandmarkFormatError(f"is not a table of name, x, y, z: see line {number}; {HOW}")
        named.append((cells[label], _signed([_number(cells[k], number) for k in places], sign)))
    return named


def _cells(line: str) -> list[str]:
    """Cells of a line; with semicolons or tabs between them a comma between digits is a decimal one."""
    if ";" in line or "\t" in line:
        line = DECIMAL_COMMA.sub(".", line)
        return [cell.strip().strip('"') for cell in re.split(r"[;\t]", line)]
    if "," in line:
        return _comma_separated(line)
    return line.split()


def _comma_separated(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]))]
    except csv.Error as error:
        raise LandmarkFormatError(f"is not a table ({error})") from None


def _number(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise LandmarkFormatError(f"has {text[:20]!r} for a number in line {line}") from None


def from_npy(data: bytes) -> Named:
    """An array (68, 3) of numpy."""
    try:
        found = read_npy(data)
    except ValueError as error:
        raise LandmarkFormatError(f"is not an array of numbers ({error}); save it with numpy.save") from None
    if found.shape != (LIST_LENGTH, 3):
        raise LandmarkFormatError(
            f"holds an array of shape {found.shape}; without names it must be ({LIST_LENGTH}, 3), the points of dlib"
        )
    return list(zip(LANDMARK_NAMES, found.tolist(), strict=True))


FORMATS: Mapping[str, Callable[[bytes], Named]] = {
    ".json": from_json,
    ".fcsv": from_fcsv,
    ".pp": from_picked_points,
    ".csv": from_table,
    ".txt": from_table,
    ".npy": from_npy,
}
"""By the ending of the name; .mrk.json is JSON too."""
