"""OBJ, OFF, STL and XYZ: small text formats (and STL's binary one), read in file order."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.weld import weld
from facecom.io.parsed_mesh import (
    FileFormatError,
    ParsedMesh,
    cut_short,
    no_faces,
    sibling_file,
    triangulate,
    unit_colors,
    vertex_uv_from_corners,
)

STL_RECORD = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
STL_HEADER_BYTES = 80
"""Free text at the begin of a binary STL; the number of triangles follows in four bytes."""
STL_PROBE_BYTES, TEXT_PROBE_BYTES = 2000, 4096
"""Bytes from the begin in which a text STL names a facet, and in which text has no zero byte."""
UNIT_NORMAL_TOLERANCE = 0.02
"""How far from one the length of three numbers may be that are read as a normal: files round to two digits."""
_STL_BODY = STL_HEADER_BYTES + 4


def read_obj(data: bytes, folder: Path) -> ParsedMesh:
    """Parse a Wavefront OBJ: the `v` lines are the vertices, in their order, whatever their texture seams.

    Raises
    ------
    FileFormatError
        When a line is not what OBJ asks for or a face names a vertex that is not there.
    """
    lines = _lines(data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" "))
    places: dict[bytes, list[int]] = {kind: [] for kind in (b"v ", b"vt", b"f ")}
    for k, line in enumerate(lines):
        if line[:2] in places:
            places[line[:2]].append(k)
    if not places[b"v "]:
        raise FileFormatError("holds no vertices of an OBJ file; check its extension or export it again")
    table = _table([lines[k][2:] for k in places[b"v "]], "vertex")
    if table.shape[1] not in (3, 4, 6, 7, 8):
        raise FileFormatError(f"has vertices of {table.shape[1]} numbers where OBJ has 3 to 8; export it again")
    colors = unit_colors(table[:, 3:6]) if table.shape[1] >= 6 else None
    faces, corner_uv = _obj_faces(lines, places, len(table))
    uv, consistent = None, True
    if corner_uv is not None:
        uv, consistent = vertex_uv_from_corners(corner_uv, faces, len(table))
    return ParsedMesh(
        table[:, :3], faces, uv=uv, corner_uv=None if consistent else corner_uv, colors=colors,
        texture=_obj_texture(data, folder),
    )  # fmt: skip


def _obj_faces(lines: list[bytes], places: dict[bytes, list[int]], count: int) -> tuple[Ints, Floats | None]:
    """Triangles, and their corners' texture coordinates, (F, 3, 2), where there are any."""
    if not places[b"f "]:
        return no_faces(), None
    corners, index = _references([lines[k][2:] for k in places[b"f "]])
    line = np.repeat(np.array(places[b"f "]), corners)
    flat = _resolve(index[:, 0], line, np.array(places[b"v "]), "vertex")
    faces, corner = triangulate(corners, flat)
    if not places[b"vt"] or not index[:, 1].any():
        return faces, None
    uv = _table([lines[k][3:] for k in places[b"vt"]], "texture coordinate")[:, :2]
    if uv.shape[1] < 2:
        return faces, None
    named = index[:, 1] != 0
    flat_uv = np.full((len(index), 2), np.nan)
    flat_uv[named] = uv[_resolve(index[named, 1], line[named], np.array(places[b"vt"]), "texture coordinate")]
    return faces, flat_uv[corner]


def _references(rows: list[bytes]) -> tuple[Ints, Ints]:
    """Corners of each face, (P,), and their vertex and texture references, (N, 2); 0 where there is none.

    A corner is `v`, `v/vt`, `v//vn` or `v/vt/vn`.
    """
    _check_none_blank(rows, "face")
    text = b"\n".join(rows)
    slashes = rows[0].split(None, 1)[0].count(b"/")
    try:
        table = np.loadtxt(text.replace(b"//", b"/0/").replace(b"/", b" ").split(b"\n"), np.int64, ndmin=2)
        corners = table.shape[1] // (slashes + 1)
        if text.count(b"/") == len(rows) * corners * slashes and table.shape == (len(rows), corners * (slashes + 1)):
            index = table.reshape(len(rows) * corners, -1)[:, :2]
            return np.full(len(rows), corners), index if slashes else np.hstack([index, np.zeros_like(index)])
    except (ValueError, OverflowError):
        pass  # faces of different sizes or spellings, one by one
    words = [row.split() for row in rows]
    try:
        parts = [(word + b"//").split(b"/")[:2] for word in chain.from_iterable(words)]
        index = np.array([[int(v), int(t or b"0")] for v, t in parts], np.int64).reshape(-1, 2)
    except (ValueError, OverflowError):
        raise FileFormatError("has a face line that is not made of vertex numbers; export it again") from None
    return np.fromiter(map(len, words), np.int64, len(words)), index


def _resolve(reference: Ints, line: Ints, declared: Ints, what: str) -> Ints:
    """Zero-based indices; negative ones count back from the lines read so far."""
    before = np.searchsorted(declared, line)
    index = np.where(reference > 0, reference - 1, before + reference)
    if ((reference == 0) | (index < 0) | (index >= len(declared))).any():
        raise FileFormatError(
            f"has faces that name a {what} which is not there; it is cut short or damaged, export it again"
        )
    return index


def _obj_texture(data: bytes, folder: Path) -> str | None:
    """Name of the diffuse image of the first material file."""
    library = re.search(rb"^\s*mtllib\s+(.+?)\s*$", data, re.M)
    material = sibling_file(folder, library[1].decode("utf-8", "replace")) if library else None
    image = re.search(rb"^\s*map_Kd\s+(.+?)\s*$", material.read_bytes(), re.M) if material else None
    return image[1].decode("utf-8", "replace") if image else None


def read_off(data: bytes) -> ParsedMesh:
    """Parse an OFF file (also COFF, NOFF, STOFF by their first word).

    Raises
    ------
    FileFormatError
        When the header is missing or there are fewer lines than it declares.
    """
    lines = [line for line in (raw.split(b"#")[0].strip() for raw in _lines(data)) if line]
    head = re.fullmatch(rb"(ST)?(C)?(N)?OFF\b(.*)", lines[0]) if lines else None
    if not head:
        raise FileFormatError("does not begin like an OFF file; check its extension or export it again")
    lines = ([head[4].strip()] if head[4].strip() else []) + lines[1:]
    try:
        count, face_count = (int(word) for word in lines[0].split()[:2])
    except (ValueError, IndexError):
        raise FileFormatError("has no counts after the word OFF; copy or export it again") from None
    if count < 0 or face_count < 0 or len(lines) - 1 < count + face_count:
        raise cut_short("vertices and faces", count + face_count, len(lines) - 1)
    table = _table(lines[1 : 1 + count], "vertex") if count else np.zeros((0, 3))
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


def read_stl(data: bytes) -> ParsedMesh:
    """Parse a binary or text STL; corners at identical positions become one vertex, in order of appearance.

    Raises
    ------
    FileFormatError
        When triangles are missing or the bytes are no STL.
    """
    if data[:5].lower() == b"solid" and b"facet" in data[:STL_PROBE_BYTES]:
        corners, single = _stl_text(data), False
    else:
        declared = int.from_bytes(data[STL_HEADER_BYTES:_STL_BODY], "little") if len(data) >= _STL_BODY else 0
        found = max(len(data) - _STL_BODY, 0) // STL_RECORD.itemsize
        if len(data) < _STL_BODY or (data[:5].lower() == b"solid" and found != declared):
            raise FileFormatError(
                "is not an STL file, or ends within its header; check its extension or export it again"
            )
        if found < declared:
            raise cut_short("triangles", declared, found)
        corners = np.frombuffer(data, STL_RECORD, declared, _STL_BODY)["corners"].reshape(-1, 3).astype(np.float64)
        single = True
    first, index = weld(corners)
    return ParsedMesh(corners[first].astype(np.float32) if single else corners[first], index.reshape(-1, 3))


def _stl_text(data: bytes) -> Floats:
    """Corners (3 F, 3) of a text STL."""
    rows = re.findall(rb"\bvertex[ \t]+([^\r\n]+)", data)
    facets = len(re.findall(rb"\bendfacet\b", data))
    if not rows or len(rows) != 3 * facets or b"endsolid" not in data:
        raise cut_short("corners of facets", 3 * len(re.findall(rb"\bfacet\b", data)), len(rows))
    table = _table(rows, "corner")
    if table.shape[1] != 3:
        raise FileFormatError(f"has corners of {table.shape[1]} numbers where STL has 3; export it again")
    return table


def read_xyz(data: bytes) -> ParsedMesh:
    """Parse lines of `x y z`, then normals, colours or both; three numbers of unit length are a normal.

    Raises
    ------
    FileFormatError
        When a line is not a row of numbers like the others.
    """
    lines = [line for line in (raw.strip().replace(b",", b" ") for raw in _lines(data)) if line]
    lines = [line for line in lines if not line.startswith((b"#", b"//"))]
    if len(lines) > 1 and len(lines[0].split()) == 1:  # a first line with the number of points
        lines = lines[1:]
    table = _table(lines, "point")
    if table.shape[1] < 3:
        raise FileFormatError(
            f"has lines of {table.shape[1]} numbers where a point needs three; it is not a point cloud"
        )
    normals = colors = None
    for at in range(3, min(table.shape[1], 9) - 2, 3):
        block = table[:, at : at + 3]
        if normals is None and np.allclose(np.linalg.norm(block, axis=1), 1.0, atol=UNIT_NORMAL_TOLERANCE):
            normals = block
        elif colors is None and np.isfinite(block).all() and block.min() >= 0 and block.max() <= 255:
            colors = unit_colors(block)
    return ParsedMesh(table[:, :3], no_faces(), colors=colors, normals=normals)


def _lines(data: bytes) -> list[bytes]:
    """Lines of a text file of any line ending, without blanks before and behind."""
    if b"\0" in data[:TEXT_PROBE_BYTES]:
        raise FileFormatError("is binary where text was expected; check its extension or export it again")
    data = data.replace(b"\t", b" ")
    data = data.replace(b"\r", b"" if b"\n" in data else b"\n")
    lines = data.split(b"\n")
    return [line.strip() for line in lines] if data[:1] == b" " or b"\n " in data else lines


def _table(rows: list[bytes], what: str) -> NDArray:
    """Rows of numbers, all of one width."""
    if not rows:
        raise FileFormatError(f"holds no {what}; export it again")
    _check_none_blank(rows, what)
    try:
        return np.loadtxt(rows, np.float64, comments=None, ndmin=2)
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise FileFormatError(
            f"has a {what} line that is no row of numbers ({reason}); it is damaged or cut short"
        ) from None


def _check_none_blank(rows: list[bytes], what: str) -> None:
    """NumPy skips blank rows, which would shift the count of all that follow."""
    if not all(map(bytes.strip, rows)):
        raise FileFormatError(f"has a {what} line without numbers; it is damaged or cut short")
