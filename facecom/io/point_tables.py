"""Point clouds as tables of text: what each column is, told by a header line or by its range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, color_columns, cut_short, no_faces
from facecom.io.reading_warnings import warn
from facecom.io.text_lines import number_table, plain_numbers, text_lines, without_comment

SUFFIXES = (".xyz", ".asc", ".txt", ".csv", ".pts", ".xyzrgb")
UNIT_NORMAL_TOLERANCE = 0.02
"""How far from one the length of three numbers may be that are read as a normal: files round to two digits."""
MAX_HEADER_LINES = 20
"""Lines without numbers before the first point; more are no header."""
MAX_COUNT_DIGITS = 12
"""Digits of the number of points in a line of its own; more are no count."""
MAX_COLUMNS = 100
"""Columns of a table at most."""
COLOR_16_BIT = 65535
"""White where colours named by a header have sixteen bits, as survey scanners write them."""
OPAQUE = (1.0, 255.0)
"""A column of either, behind three colours, is their opacity."""
_NAMES = {
    "x": "x", "y": "y", "z": "z",
    "nx": "nx", "ny": "ny", "nz": "nz", "normalx": "nx", "normaly": "ny", "normalz": "nz",
    "r": "r", "g": "g", "b": "b", "red": "r", "green": "g", "blue": "b", "rf": "r", "gf": "g", "bf": "b",
}  # fmt: skip


@dataclass(frozen=True)
class _Columns:
    """Where points, normals and colours stand."""

    points: list[int]
    normals: list[int] | None
    colors: list[int] | None
    named: bool


def read_points(data: bytes) -> ParsedMesh:
    """Parse lines of `x y z` and more: normals, colours, an intensity.

    A header line with the names of the columns decides; without one, three numbers of unit length are a normal, three
    between 0 and 255 a colour, and one number before or behind them is passed over.

    Raises
    ------
    FileFormatError
        When a line is not a row of numbers like the others, or they have fewer than three.
    """
    lines = text_lines(data)
    begin, names, declared = _before_points(lines)
    rows, numbers = _rows(lines, begin)
    table = number_table(rows, "point", numbers)
    if declared is not None and declared > len(table):
        raise cut_short("points", declared, len(table))
    if not 3 <= table.shape[1] <= MAX_COLUMNS:
        raise FileFormatError(
            f"has lines of {table.shape[1]} numbers where a point needs three; it is not a point cloud"
        )
    found = _named_columns(names, table.shape[1]) or _columns_by_range(table)
    colors = None
    if found.colors is not None:
        values = table[:, found.colors]
        deep = found.named and np.isfinite(values).all() and 255 < values.max() <= COLOR_16_BIT
        colors = color_columns(values / COLOR_16_BIT if deep else values)
    normals = table[:, found.normals] if found.normals is not None else None
    return ParsedMesh(table[:, found.points], no_faces(), colors=colors, normals=normals)


def _before_points(lines: list[bytes]) -> tuple[int, list[str], int | None]:
    """Where the first point stands, the words of the line before it, and the number of points that one declares."""
    names: list[str] = []
    declared, skipped = None, 0
    for k, raw in enumerate(lines):
        line = raw.strip()
        is_comment = line.startswith((b"#", b"//"))
        row = b"" if is_comment else without_comment(line)
        if line and (is_comment or not _begins_with_a_number(row)):
            names = _words(line.lstrip(b"#/")) or names
            skipped += not is_comment
            if skipped > MAX_HEADER_LINES:
                raise FileFormatError(f"has more than {MAX_HEADER_LINES} lines before its first point; export it again")
        elif declared is None and row.isdigit() and len(row) < MAX_COUNT_DIGITS:
            declared = int(row)
        elif line:
            return k, names, declared
    return len(lines), names, declared


def _rows(lines: list[bytes], begin: int) -> tuple[list[bytes], list[int]]:
    """Rows of numbers from a line on, and the line of each; comments are left out."""
    numbers = [
        number
        for number in range(begin, len(lines))
        if (line := lines[number]) and line[:1] != b"#" and line[:2] != b"//"
    ]
    return [without_comment(lines[number]) for number in numbers], numbers


def _begins_with_a_number(row: bytes) -> bool:
    words = plain_numbers(row).replace(b",", b" ").replace(b";", b" ").split(None, 1)
    try:
        return bool(words) and float(words[0]) is not None
    except ValueError:
        return False


def _words(line: bytes) -> list[str]:
    """Names of columns: lower case, without quotes, units and underscores."""
    text = line.decode("utf-8", "replace").lower()
    mark = next((mark for mark in ";," if mark in text), None)
    words = [word.strip(" \"'") for word in text.split(mark)][: MAX_COLUMNS + 1]
    return [word.split("[")[0].split("(")[0].strip().replace("_", "") for word in words if word]


def _named_columns(names: list[str], width: int) -> _Columns | None:
    """Columns by the header's names; None where these are not those of the table."""
    if len(names) != width:
        return None
    at: Mapping[str, int] = {_NAMES[name]: k for k, name in reversed(list(enumerate(names))) if name in _NAMES}
    points, normals, colors = (
        [at.get(name, -1) for name in three] for three in (("x", "y", "z"), ("nx", "ny", "nz"), "rgb")
    )
    if min(points) < 0:
        return None
    return _Columns(points, normals if min(normals) >= 0 else None, colors if min(colors) >= 0 else None, named=True)


def _columns_by_range(table: Floats) -> _Columns:
    """Normals and colours among the columns after the point, by what their numbers can be."""
    free = list(range(3, table.shape[1]))
    normals = next((three for three in _threes(free) if _are_normals(table[:, three])), None)
    before = [k for k in free if normals is None or k < normals[0]]
    behind = [k for k in free if normals is not None and k > normals[-1]]
    runs = [run for run in (before, behind) if len(run) >= 3]
    colors = next((found for run in runs if (found := _color_run(table, run)) is not None), None)
    return _Columns([0, 1, 2], normals, colors, named=False)


def _threes(columns: list[int]) -> list[list[int]]:
    return [columns[k : k + 3] for k in range(len(columns) - 2)]


def _are_normals(block: Floats) -> bool:
    return bool(np.allclose(np.linalg.norm(block, axis=1), 1.0, atol=UNIT_NORMAL_TOLERANCE))


def _color_run(table: Floats, columns: list[int]) -> list[int] | None:
    """The three columns of a run that are colours: of three, those in their range; of more, the plainest three."""
    if len(columns) == 3:
        return columns if color_columns(table[:, columns]) is not None else None
    plain = [three for three in _threes(columns) if _are_plain_colors(table[:, three])]
    if len(columns) == 4 and len(plain) == 2:
        last = table[:, columns[-1]]
        if last[0] in OPAQUE and (last == last[0]).all():
            return plain[0]
        warn(
            "the cloud has four numbers after each point that may all be colours: the first is taken as an intensity; "
            "name the columns in a header line, like x y z r g b intensity, to say so"
        )
        return plain[1]
    return plain[0] if plain else None


def _are_plain_colors(block: Floats) -> bool:
    """Whether numbers are bytes, or shares in 0..1."""
    if color_columns(block) is None:
        return False
    return bool(block.max() <= 1.0 or (block == np.rint(block)).all())
