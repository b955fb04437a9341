"""Legacy VTK files: the points and polygons of a surface; what stands on its points is not read.

Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, check_mixed, cut_short, no_faces, triangulate

HEADER_BYTES = 1000
"""Bytes in which the four lines before the first section end: a title has 256 at most."""
_TYPES = {
    "float": "f4", "double": "f8", "char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2",
    "int": "i4", "unsigned_int": "u4", "long": "i8", "unsigned_long": "u8", "vtktypeint64": "i8", "vtkidtype": "i8",
}  # fmt: skip
_CELLS = ("POLYGONS", "VERTICES", "LINES")
_ENDS = ("POINT_DATA", "CELL_DATA")


class _Cursor:
    """A place in the bytes of a file, from which lines and numbers are taken."""

    def __init__(self, data: bytes, *, binary: bool) -> None:
        self.data, self.binary, self.at = data, binary, 0

    def line(self) -> list[str]:
        """The words of the next line that has any; none at the end."""
        while self.at < len(self.data):
            end = self.data.find(b"\n", self.at)
            end = len(self.data) if end < 0 else end
            words = self.data[self.at : min(end, self.at + HEADER_BYTES)].decode("latin-1").split()
            self.at = end + 1
            if words:
                return words
        return []

    def skip_to_blank_line(self) -> None:
        """Pass over a block that ends with a blank line."""
        ends = [end for mark in (b"\n\n", b"\r\n\r\n") if (end := self.data.find(mark, self.at)) >= 0]
        self.at = min(ends, default=len(self.data))

    def numbers(self, count: int, kind: str, what: str) -> NDArray:
        """The next numbers, held against what is left before they are read."""
        left = len(self.data) - self.at
        size = np.dtype(kind).itemsize if self.binary else 2
        if not count >= 0 or count * size > left + 1:
            raise cut_short(what, count, left // size)
        if self.binary:
            out = np.frombuffer(self.data, ">" + kind, count, self.at)
            self.at += count * size
            return out
        words = self.data[self.at :].split(None, count)
        if len(words) < count:
            raise cut_short(what, count, len(words))
        self.at = len(self.data) - (len(words[count]) if len(words) > count else 0)
        return np.array(words[:count]).astype(np.float64).astype(kind)


def read_vtk(data: bytes) -> ParsedMesh:
    """Parse a legacy VTK file (ascii or binary) with a POLYDATA surface.

    Raises
    ------
    FileFormatError
        When it is none, holds triangle strips, or ends before what it declares.
    """
    lines = data[:HEADER_BYTES].split(b"\n", 4)
    if not lines[0].startswith(b"# vtk DataFile") or len(lines) < 5:
        raise FileFormatError("does not begin like a VTK file; check its extension or export it again")
    encoding, dataset = lines[2].strip().upper(), lines[3].split()
    if encoding not in (b"ASCII", b"BINARY") or [word.upper() for word in dataset] != [b"DATASET", b"POLYDATA"]:
        raise FileFormatError("is no VTK file with a surface; export the scan as POLYDATA, or as .ply")
    cursor = _Cursor(data, binary=encoding == b"BINARY")
    cursor.at = sum(len(line) + 1 for line in lines[:4])
    return _sections(cursor)


def _sections(cursor: _Cursor) -> ParsedMesh:
    """Points and polygons, section by section."""
    points, faces = np.zeros((0, 3)), no_faces()
    whole = False
    while words := cursor.line():
        name = words[0].upper()
        try:
            if name == "POINTS":
                points = cursor.numbers(3 * int(words[1]), _TYPES[words[2].lower()], "coordinates").reshape(-1, 3)
            elif name in _CELLS:
                whole = True
                corners, flat = _cells(cursor, int(words[1]), int(words[2]))
                faces = triangulate(corners, flat)[0] if name == "POLYGONS" else faces
            elif name == "METADATA":
                cursor.skip_to_blank_line()
            elif name == "TRIANGLE_STRIPS":
                raise FileFormatError("stores triangle strips, which are not read; save it with plain triangles")
            elif name in _ENDS:
                break
            else:
                raise KeyError(name)
        except (KeyError, IndexError):
            raise FileFormatError(f"has the VTK section {' '.join(words)[:40]!r}, which is not understood") from None
    if not whole:
        raise FileFormatError("ends before its polygons; copy or export it again")
    return ParsedMesh(points.astype(np.float64), faces)


def _cells(cursor: _Cursor, count: int, size: int) -> tuple[NDArray, NDArray]:
    """Corners of each cell, and the corners of all, in the layout up to version 4 or from 5 on."""
    before = cursor.at
    words = cursor.line()
    if words[:1] != ["OFFSETS"]:
        cursor.at = before
        return _counted(cursor.numbers(size, "i4", "entries of cells").astype(np.int64), count)
    offsets = cursor.numbers(count, _TYPES[words[1].lower()], "offsets of cells").astype(np.int64)
    words = cursor.line()
    if words[:1] != ["CONNECTIVITY"]:
        raise KeyError("CONNECTIVITY")
    flat = cursor.numbers(size, _TYPES[words[1].lower()], "corners of cells").astype(np.int64)
    return corners_of_offsets(offsets, flat), flat


def corners_of_offsets(offsets: NDArray, flat: NDArray) -> NDArray:
    """The number of corners of each cell, of offsets that begin at 0 and end at the number of all corners.

    Raises
    ------
    FileFormatError
        When they do not.
    """
    corners = np.diff(offsets)
    if len(offsets) and (offsets[0] != 0 or offsets[-1] != len(flat) or (corners < 0).any()):
        raise FileFormatError("has offsets of cells that do not fit their corners; it is damaged, export it again")
    return corners


def _counted(entries: NDArray, count: int) -> tuple[NDArray, NDArray]:
    """The same of a list in which each cell begins with the number of its corners."""
    if count and len(entries) == 4 * count and (entries[::4] == 3).all():
        return np.full(count, 3), entries.reshape(-1, 4)[:, 1:].ravel()
    if count > len(entries):
        raise cut_short("cells", count, len(entries))
    check_mixed(count)
    starts: list[int] = []
    at = 0
    for _ in range(count):
        if at >= len(entries) or entries[at] < 0:
            raise cut_short("cells", count, len(starts))
        starts.append(at)
        at += int(entries[at]) + 1
    if at != len(entries):
        raise cut_short("entries of cells", at, len(entries))
    kept = np.ones(len(entries), bool)
    kept[starts] = False
    return entries[starts], entries[kept]
