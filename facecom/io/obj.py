"""Wavefront OBJ: the vertices in the order of their lines, with colours and texture coordinates."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.io.obj_materials import face_textures
from facecom.io.parsed_mesh import (
    FileFormatError,
    ParsedMesh,
    check_mixed,
    color_columns,
    no_faces,
    triangulate,
    vertex_uv_from_corners,
)
from facecom.io.text_lines import bad_line, number_table, text_lines, without_comment

VERTEX_WIDTHS = (3, 4, 6, 7, 8)
"""Numbers of a vertex line: the point, with a weight, with a colour, or with both."""
_VERTEX, _UV, _FACE, _MATERIAL, _LIBRARY = b"v ", b"vt", b"f ", b"us", b"mt"

Rows = tuple[list[bytes], list[int]]  # the lines of one kind without their first word, and where they stand


def read_obj(data: bytes, folder: Path) -> ParsedMesh:
    """Parse a Wavefront OBJ: the `v` lines are the vertices, in their order, whatever their texture seams.

    Raises
    ------
    FileFormatError
        When a line is not what OBJ asks for or a face names a vertex that is not there.
    """
    lines = text_lines(data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" "))
    rows = _rows_by_kind(lines, commented=b"#" in data)
    if not rows[_VERTEX][0]:
        raise FileFormatError("holds no vertices of an OBJ file; check its extension or export it again")
    table = number_table(rows[_VERTEX][0], "vertex", rows[_VERTEX][1])
    if table.shape[1] not in VERTEX_WIDTHS:
        raise FileFormatError(f"has vertices of {table.shape[1]} numbers where OBJ has 3 to 8; export it again")
    colors = color_columns(table[:, 3:6]) if table.shape[1] >= 6 else None
    faces, corner_uv, face_line = _faces(rows, len(table))
    uv, consistent = None, True
    if corner_uv is not None:
        uv, consistent = vertex_uv_from_corners(corner_uv, faces, len(table))
    names, face_texture = face_textures(rows[_LIBRARY][0], rows[_MATERIAL], folder, (face_line, corner_uv))
    return ParsedMesh(
        table[:, :3], faces, uv=uv, colors=colors, textures=names, face_texture=face_texture,
        corner_uv=None if consistent and len(names) <= 1 and face_texture is None else corner_uv,
    )  # fmt: skip


def _rows_by_kind(lines: list[bytes], *, commented: bool) -> dict[bytes, Rows]:
    """The rest of each line of a kind that is read, and its number."""
    skipped = {_VERTEX: 2, _UV: 3, _FACE: 2, _MATERIAL: 7, _LIBRARY: 7}
    out: dict[bytes, Rows] = {kind: ([], []) for kind in skipped}
    for k, line in enumerate(lines):
        kind = line[:2]
        if kind not in skipped or (kind in (_MATERIAL, _LIBRARY) and line[:7] not in (b"usemtl ", b"mtllib ")):
            continue
        rest = line[skipped[kind] :]
        out[kind][0].append(without_comment(rest) if commented and kind != _LIBRARY else rest)
        out[kind][1].append(k)
    return out


def _faces(rows: dict[bytes, Rows], count: int) -> tuple[Ints, Floats | None, Ints]:
    """Triangles, their corners' texture coordinates, (F, 3, 2), where there are any, and the line of each."""
    if not rows[_FACE][0]:
        return no_faces(), None, np.zeros(0, np.int64)
    corners, index = _references(*rows[_FACE])
    line = np.repeat(np.array(rows[_FACE][1]), corners)
    flat = _resolve(index[:, 0], line, np.array(rows[_VERTEX][1]), "vertex")
    faces, corner = triangulate(corners, flat)
    face_line = line[corner[:, 0]]
    if not rows[_UV][0] or not index[:, 1].any():
        return faces, None, face_line
    uv = number_table(rows[_UV][0], "texture coordinate", rows[_UV][1])[:, :2]
    if uv.shape[1] < 2:
        return faces, None, face_line
    named = index[:, 1] != 0
    flat_uv = np.full((len(index), 2), np.nan)
    flat_uv[named] = uv[_resolve(index[named, 1], line[named], np.array(rows[_UV][1]), "texture coordinate")]
    return faces, flat_uv[corner], face_line


def _references(rows: list[bytes], numbers: list[int]) -> tuple[Ints, Ints]:
    """Corners of each face, (P,), and their vertex and texture references, (N, 2); 0 where there is none.

    A corner is `v`, `v/vt`, `v//vn` or `v/vt/vn`.
    """
    for row, number in zip(rows, numbers, strict=True):
        if not row.strip():
            raise bad_line(b"f", number, "as a face, which names no vertices")
    text = b"\n".join(rows)
    slashes = rows[0].split(None, 1)[0].count(b"/")
    if slashes == 1 and b"//" in text:  # as many slashes in all can stand where they mean something else
        return _mixed_references(rows, numbers)
    try:
        table = np.loadtxt(text.replace(b"//", b"/0/").replace(b"/", b" ").split(b"\n"), np.int64, ndmin=2)
        corners = table.shape[1] // (slashes + 1)
        if text.count(b"/") == len(rows) * corners * slashes and table.shape == (len(rows), corners * (slashes + 1)):
            index = table.reshape(len(rows) * corners, -1)[:, :2]
            return np.full(len(rows), corners), index if slashes else np.hstack([index, np.zeros_like(index)])
    except (ValueError, OverflowError):
        pass  # faces of different sizes or spellings, one by one
    return _mixed_references(rows, numbers)


def _mixed_references(rows: list[bytes], numbers: list[int]) -> tuple[Ints, Ints]:
    """The same for faces of different sizes or spellings, line by line."""
    check_mixed(len(rows))
    index: list[list[int]] = []
    sizes = []
    for row, number in zip(rows, numbers, strict=True):
        words = row.split()
        try:
            parts = [(word + b"//").split(b"/")[:2] for word in words]
            index.append(list(chain.from_iterable((int(v), int(t or b"0")) for v, t in parts)))
        except ValueError:
            raise bad_line(row, number, "as a face, which is not made of vertex numbers") from None
        sizes.append(len(words))
    flat = np.fromiter(chain.from_iterable(index), np.int64, 2 * sum(sizes))
    return np.array(sizes, np.int64), flat.reshape(-1, 2)


def _resolve(reference: Ints, line: Ints, declared: Ints, what: str) -> Ints:
    """Zero-based indices; negative ones count back from the lines read so far."""
    before = np.searchsorted(declared, line)
    index = np.where(reference > 0, reference - 1, before + reference)
    if ((reference == 0) | (index < 0) | (index >= len(declared))).any():
        raise FileFormatError(
            f"has faces that name a {what} which is not there; it is cut short or damaged, export it again"
        )
    return index
