"""Stanford PLY: ascii and binary, every property kept, the declared counts held against what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facecom.io.parsed_mesh import (
    FileFormatError,
    ParsedMesh,
    check_mixed,
    cut_short,
    no_faces,
    triangulate,
    unit_colors,
    vertex_uv_from_corners,
)
from facecom.io.ply_header import PlyElement, PlyProperty, read_header
from facecom.io.text_lines import UTF8_MARK, plain_numbers, text_lines

Column = NDArray | tuple[NDArray, NDArray]  # (n,) values, or a list property's lengths and values one after another


def read_ply(data: bytes) -> ParsedMesh:
    """Parse the bytes of a PLY file.

    Raises
    ------
    FileFormatError
        When the header is not one of PLY, or the body is shorter than it declares.
    """
    data = data.removeprefix(UTF8_MARK)
    order, elements, textures, body = read_header(data)
    tables: dict[str, dict[str, Column]] = {}
    if order == "ascii":
        _ascii_body(data[body:], elements, tables)
    else:
        at = body
        for element in elements:
            tables[element.name], at = _binary_element(data, at, element, order)
    if "vertex" not in tables:
        raise FileFormatError("declares no vertices; export it as a mesh or a point cloud")
    if "tristrips" in tables and "face" not in tables:
        raise FileFormatError("stores triangle strips, which are not read; save it with plain triangles")
    return _assemble(tables["vertex"], tables.get("face", {}), tuple(textures))


def _binary_element(data: bytes, at: int, element: PlyElement, order: str) -> tuple[dict[str, Column], int]:
    """Read one element; lists of one length all through are read as one block."""
    if not element.properties:
        return {}, at
    if element.count > len(data) - at:  # a record has a byte or more
        raise FileFormatError(
            f"is cut short: it declares {element.count:,} {_plural(element.name)} and has {len(data) - at:,} bytes for "
            "them; copy or export it again"
        )
    lengths = _first_lengths(data, at, element, order)
    fields = []
    for k, p in enumerate(element.properties):
        if p.length:
            fields += [(f"n{k}", order + p.length), (f"v{k}", order + p.kind, (lengths[k],))]
        else:
            fields.append((f"v{k}", order + p.kind))
    record = np.dtype(fields)
    room = (len(data) - at) // record.itemsize if record.itemsize else element.count
    table = np.frombuffer(data, record, min(element.count, room), at)
    lists = [k for k, p in enumerate(element.properties) if p.length]
    if any((table[f"n{k}"] != lengths[k]).any() for k in lists):
        return _ragged_element(data, at, element, order)
    if len(table) < element.count:
        raise cut_short(_plural(element.name), element.count, len(table))
    columns: dict[str, Column] = {}
    for k, p in enumerate(element.properties):
        column = table[f"v{k}"]
        columns[p.name] = (np.full(len(table), lengths[k]), column.ravel()) if p.length else column
    return columns, at + element.count * record.itemsize


def _first_lengths(data: bytes, at: int, element: PlyElement, order: str) -> dict[int, int]:
    """Length of each list of the first record, by property; 0 for what is no list."""
    lengths = {}
    for k, p in enumerate(element.properties):
        if p.length and element.count:
            lengths[k] = _list_length(data, at, order + p.length, element)
            at += np.dtype(p.length).itemsize + lengths[k] * np.dtype(p.kind).itemsize
        else:
            lengths[k] = 0
            at += np.dtype(p.kind).itemsize
    return lengths


def _list_length(data: bytes, at: int, kind: str, element: PlyElement) -> int:
    """The length of a list, as it stands before it."""
    if at + np.dtype(kind).itemsize > len(data):
        raise cut_short(_plural(element.name), element.count, 0)
    value = int(np.frombuffer(data, kind, 1, at)[0])
    if not 0 <= value <= len(data):
        raise FileFormatError(
            f"has a list of {value:,} entries in its {_plural(element.name)}; it is damaged, export it again"
        )
    return value


def _ragged_element(data: bytes, at: int, element: PlyElement, order: str) -> tuple[dict[str, Column], int]:
    """Records of different lengths (triangles and quads mixed), one by one."""
    check_mixed(element.count)
    size = [np.dtype(p.kind).itemsize for p in element.properties]
    head = [np.dtype(p.length).itemsize if p.length else 0 for p in element.properties]
    endian: Literal["little", "big"] = "little" if order == "<" else "big"
    signed = [bool(p.length and p.length[0] == "i") for p in element.properties]
    counts: list[list[int]] = [[] for _ in size]
    chunks: list[list[bytes]] = [[] for _ in size]
    for done in range(element.count):
        for k in range(len(size)):
            number = 1
            if head[k]:
                number = int.from_bytes(data[at : at + head[k]], endian, signed=signed[k])
                at += head[k]
            end = at + max(number, 0) * size[k]
            if number < 0 or end > len(data):
                raise cut_short(_plural(element.name), element.count, done)
            counts[k].append(number)
            chunks[k].append(data[at:end])
            at = end
    columns: dict[str, Column] = {}
    for k, p in enumerate(element.properties):
        values = np.frombuffer(b"".join(chunks[k]), order + p.kind)
        columns[p.name] = (np.array(counts[k], np.int64), values) if p.length else values
    return columns, at


def _ascii_body(text: bytes, elements: list[PlyElement], tables: dict[str, dict[str, Column]]) -> None:
    """Read all elements of a text body into `tables`."""
    lines = [plain_numbers(line) for line in text_lines(text) if line.strip()]
    at = 0
    for element in elements:
        if not element.properties:
            continue
        rows = lines[at : at + element.count]
        if len(rows) < element.count:
            raise cut_short(_plural(element.name), element.count, len(rows))
        tables[element.name] = _ascii_element(rows, element)
        at += element.count


def _ascii_element(rows: list[bytes], element: PlyElement) -> dict[str, Column]:
    if not rows:
        empty = np.zeros(0, np.int64)
        return {p.name: (empty, empty) if p.length else empty for p in element.properties}
    try:
        table = np.loadtxt(rows, np.float64, comments=None, ndmin=2)
    except ValueError:
        return _ascii_ragged(rows, element)
    at, columns = 0, {}
    for p in element.properties:
        width = 1
        if p.length:
            at += 1
            width = int(table[0, at - 1]) if at <= table.shape[1] else 0
            if at > table.shape[1] or (table[:, at - 1] != width).any():
                return _ascii_ragged(rows, element)
        if width < 0 or at + width > table.shape[1]:
            raise FileFormatError(
                f"has too few numbers in a line of its {_plural(element.name)}; it is damaged or cut short"
            )
        values = _typed(table[:, at : at + width].ravel(), p)
        columns[p.name] = (np.full(len(rows), width), values) if p.length else values
        at += width
    return columns


def _ascii_ragged(rows: list[bytes], element: PlyElement) -> dict[str, Column]:
    """Lines of different lengths, one by one."""
    check_mixed(len(rows))
    counts: list[list[int]] = [[] for _ in element.properties]
    values: list[list[float]] = [[] for _ in element.properties]
    for done, row in enumerate(rows):
        try:
            numbers = [float(word) for word in row.split()]
            at = 0
            for k, p in enumerate(element.properties):
                width = 1
                if p.length:
                    width, at = int(numbers[at]), at + 1
                if width < 0 or at + width > len(numbers):
                    raise IndexError
                counts[k].append(width)
                values[k] += numbers[at : at + width]
                at += width
        except (ValueError, IndexError, OverflowError):
            what = f"line {done + 1:,} of its {_plural(element.name)}"
            raise FileFormatError(
                f"holds {row[:40].decode('latin-1')!r} in {what}; it is damaged or cut short"
            ) from None
    columns: dict[str, Column] = {}
    for k, p in enumerate(element.properties):
        typed = _typed(np.array(values[k]), p)
        columns[p.name] = (np.array(counts[k], np.int64), typed) if p.length else typed
    return columns


def _typed(values: NDArray, p: PlyProperty) -> NDArray:
    """Values in the type of their property; an integer beyond it is an error."""
    if p.kind[0] == "f":
        with np.errstate(over="ignore"):
            return values.astype(p.kind)
    limits = np.iinfo(p.kind)
    if not ((values >= limits.min) & (values <= limits.max)).all():
        raise FileFormatError(
            f"has a number outside the type of its property {p.name!r}; it is damaged, export it again"
        )
    return values.astype(p.kind)


def _plural(name: str) -> str:
    return {"vertex": "vertices", "face": "faces"}.get(name, f"'{name}' entries")


def _columns(table: Mapping[str, Column], *choices: tuple[str, ...]) -> tuple[NDArray | None, tuple[str, ...]]:
    """The columns of the first choice of names that is there, side by side, and these names."""
    for names in choices:
        found = [column for column in map(table.get, names) if isinstance(column, np.ndarray)]
        if len(found) == len(names):
            return np.stack([f.astype(f.dtype.newbyteorder("=")) for f in found], axis=1), names
    return None, ()


def _assemble(vertex: Mapping[str, Column], face: Mapping[str, Column], textures: tuple[str, ...]) -> ParsedMesh:
    """The mesh of a file's vertex and face tables."""
    positions, used = _columns(vertex, ("x", "y", "z"))
    if positions is None:
        raise FileFormatError("has vertices without x, y and z; export it again")
    normals, names = _columns(vertex, ("nx", "ny", "nz"))
    used += names
    colors, names = _columns(vertex, ("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
    used += names
    uv, names = _columns(vertex, ("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
    used += names
    kept = {k: a.astype(a.dtype.newbyteorder("=")) for k, a in vertex.items() if isinstance(a, np.ndarray)}
    attributes = {k: a for k, a in kept.items() if k not in used and k != "alpha"}
    faces, corner = no_faces(), no_faces()
    lists = face.get("vertex_indices", face.get("vertex_index"))
    if isinstance(lists, tuple):
        faces, corner = triangulate(lists[0].astype(np.int64), lists[1].astype(np.int64))
    corner_uv, lists_uv = None, face.get("texcoord")
    if isinstance(lists, tuple) and isinstance(lists_uv, tuple) and (lists_uv[0] == 2 * lists[0]).all():
        corner_uv = lists_uv[1].astype(np.float64).reshape(-1, 2)[corner]
        uv, consistent = vertex_uv_from_corners(corner_uv, faces, len(positions))
        corner_uv = None if consistent and len(textures) <= 1 else corner_uv
    face_texture, number = None, face.get("texnumber")
    if len(textures) > 1 and isinstance(lists, tuple) and isinstance(number, np.ndarray):
        polygon = np.repeat(np.arange(len(lists[0])), np.maximum(lists[0].astype(np.int64) - 2, 0))
        face_texture = number[polygon].astype(np.int64)
    return ParsedMesh(
        positions, faces, uv=uv, corner_uv=corner_uv, colors=None if colors is None else unit_colors(colors),
        normals=normals, attributes=attributes, textures=textures, face_texture=face_texture,
    )  # fmt: skip
