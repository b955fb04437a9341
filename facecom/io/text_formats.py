"""OFF and STL: small text formats (and STL's binary one), read in file order."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.weld import weld
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, check_mixed, cut_short, triangulate, unit_colors
from facecom.io.text_lines import UTF8_MARK, number_table, text_lines, without_comment

STL_RECORD = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
STL_HEADER_BYTES = 80
"""Free text at the begin of a binary STL; the number of triangles follows in four bytes."""
STL_PROBE_BYTES = 2000
"""Bytes from the begin in which a text STL names a facet and has no zero byte."""
STL_UNKNOWN_COUNTS = (0, 2**32 - 1)
"""Counts that programs leave in the header when they write triangles as they come and never go back."""
_STL_BODY = STL_HEADER_BYTES + 4


def read_off(data: bytes) -> ParsedMesh:
    """Parse an OFF file (also COFF, NOFF, STOFF by their first word).

    Raises
    ------
    FileFormatError
        When the header is missing or there are fewer lines than it declares.
    """
    numbered = ((k, without_comment(raw).strip()) for k, raw in enumerate(text_lines(data)))
    numbers, lines = _parted([(k, line) for k, line in numbered if line])
    head = re.fullmatch(rb"(ST)?(C)?(N)?OFF\b(.*)", lines[0], re.I) if lines else None
    if not head:
        raise FileFormatError("does not begin like an OFF file; check its extension or export it again")
    if head[4].strip():
        lines = [head[4].strip(), *lines[1:]]
    else:
        numbers, lines = numbers[1:], lines[1:]
    try:
        count, face_count = (int(word) for word in lines[0].split()[:2])
    except (ValueError, IndexError):
        raise FileFormatError("has no counts after the word OFF; copy or export it again") from None
    if count < 0 or face_count < 0 or len(lines) - 1 < count + face_count:
        raise cut_short("vertices and faces", count + face_count, len(lines) - 1)
    table = number_table(lines[1 : 1 + count], "vertex", numbers[1 : 1 + count]) if count else np.zeros((0, 3))
    normals, at = (table[:, 3:6], 6) if head[3] else (None, 3)
    colors = unit_colors(table[:, at : at + 3]) if head[2] and table.shape[1] >= at + 3 else None
    uv = table[:, -2:] if head[1] else None
    if table.shape[1] < (6 if head[3] else 3) + (2 if head[1] else 0):
        raise FileFormatError(f"has vertices of {table.shape[1]} numbers, too few for its kind of OFF; export it again")
    return ParsedMesh(table[:, :3], _off_faces(lines[1 + count :][:face_count]), uv=uv, colors=colors, normals=normals)


def _off_faces(lines: list[bytes]) -> Ints:
    """Triangles of the face lines, polygons split."""
    try:
        table = np.loadtxt(lines, np.int64, comments=None, ndmin=2) if lines else np.zeros((0, 4), np.int64)
        if table.shape[1] >= 4 and (table[:, 0] == 3).all():
            return table[:, 1:4]
    except ValueError:
        pass  # faces of different sizes or with colours, one by one
    check_mixed(len(lines))
    try:
        rows = [list(map(int, line.split()[: 1 + int(line.split(None, 1)[0])])) for line in lines]
    except (ValueError, IndexError):
        raise FileFormatError("has a face line that is not made of vertex numbers; export it again") from None
    if any(len(row) != row[0] + 1 for row in rows):
        raise FileFormatError(
            "has a face with fewer corners than it declares; it is cut short or damaged, export it again"
        )
    corners = np.array([row[0] for row in rows], np.int64)
    return triangulate(corners, np.array(list(chain.from_iterable(row[1:] for row in rows)), np.int64))[0]


def _parted(numbered: list[tuple[int, bytes]]) -> tuple[list[int], list[bytes]]:
    """Numbers and lines, each as a list."""
    return [k for k, _ in numbered], [line for _, line in numbered]


def read_stl(data: bytes) -> ParsedMesh:
    """Parse a binary or text STL; corners at identical positions become one vertex, in order of appearance.

    Its size tells a binary file, whatever its header says: 84 bytes and 50 for each triangle.

    Raises
    ------
    FileFormatError
        When triangles are missing or the bytes are no STL.
    """
    declared = int.from_bytes(data[STL_HEADER_BYTES:_STL_BODY], "little")
    is_binary = declared > 0 and len(data) == _STL_BODY + declared * STL_RECORD.itemsize
    if not is_binary and _is_stl_text(data):
        corners = _stl_text(data)
        first, index = weld(corners)
        return ParsedMesh(corners[first], index.reshape(-1, 3))
    corners = _stl_binary(data, declared)
    first, index = weld(corners)
    return ParsedMesh(corners[first].astype(np.float32), index.reshape(-1, 3))


def _is_stl_text(data: bytes) -> bool:
    """Whether the begin of a file is that of a text STL."""
    begin = data[:STL_PROBE_BYTES].lower().removeprefix(UTF8_MARK).lstrip()
    return begin.startswith(b"solid") and b"facet" in begin and b"\0" not in begin


def _stl_binary(data: bytes, declared: int) -> Floats:
    """Corners (3 F, 3) of a binary STL; a count that was never filled in is told by the size of the file."""
    body = len(data) - _STL_BODY
    found = max(body, 0) // STL_RECORD.itemsize
    if declared in STL_UNKNOWN_COUNTS and found and body % STL_RECORD.itemsize == 0:
        declared = found
    if body < 0 or (data[:5].lower() == b"solid" and declared > len(data)):
        raise FileFormatError("is not an STL file, or ends within its header; check its extension or export it again")
    if found < declared or (declared == 0 and body > 0):
        raise cut_short("triangles", declared, found)
    return np.frombuffer(data, STL_RECORD, declared, _STL_BODY)["corners"].reshape(-1, 3).astype(np.float64)


def _stl_text(data: bytes) -> Floats:
    """Corners (3 F, 3) of a text STL."""
    rows: list[bytes] = []
    numbers: list[int] = []
    begun = ended = 0
    whole = False
    for k, line in enumerate(text_lines(data.lower())):
        if line.startswith((b"solid", b"endsolid")):
            whole = whole or line.startswith(b"endsolid")
            continue
        _, vertex, rest = line.partition(b"vertex ")
        if vertex:
            rows.append(rest)
            numbers.append(k)
        begun, ended = begun + (b"facet" in line and b"endfacet" not in line), ended + (b"endfacet" in line)
    if not rows or len(rows) != 3 * ended or not whole:
        raise cut_short("corners of facets", 3 * begun, len(rows))
    table = number_table(rows, "corner", numbers)
    if table.shape[1] != 3:
        raise FileFormatError(f"has corners of {table.shape[1]} numbers where STL has 3; export it again")
    return table
