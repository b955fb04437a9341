"""One mesh of a COLLADA file: its arrays, and what its corners say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.io.parsed_mesh import FileFormatError, cut_short, no_faces, triangulate, unit_colors
from facecom.io.texture_images import mean_vertex_colors
from facecom.io.xml_tree import text_numbers

MAX_OFFSET = 100
"""Numbers of one corner at most."""
MAX_INDEX = 2**53
"""A larger whole number is none that a float holds."""
_POLYGONS = ("triangles", "polylist", "polygons", "tristrips", "trifans")

Ids = Mapping[str, Element]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A mesh as the file holds it.

    vertices : (V, 3); faces : (F, 3); face_symbol : (F,) which of `symbols`, names of materials, lies on each face;
    corner_uv : (F, 3, 2) or None; colors : (V, 3) or None
    """

    vertices: Floats
    faces: Ints
    face_symbol: Ints
    symbols: list[str]
    corner_uv: Floats | None
    colors: Floats | None


class _Input(NamedTuple):
    """What a number of each corner chooses: a row of an array."""

    offset: int
    source: Element


class _Piece(NamedTuple):
    """Triangles of one material."""

    faces: Ints
    corner_uv: Floats | None
    corner_colors: Floats | None


def target(url: str, ids: Ids) -> Element:
    """The element that `#name` stands for.

    Raises
    ------
    FileFormatError
        When it is not there, or in another file.
    """
    if not url.startswith("#"):
        raise FileFormatError(f"keeps a part in another file ({url[:40]}), which is not read; export it as one file")
    if url[1:] not in ids:
        raise FileFormatError(f"names {url[:40]}, which is not there; it is damaged, export it again")
    return ids[url[1:]]


def read_geometry(geometry: Element, ids: Ids) -> Geometry:
    """The mesh of a geometry; one that holds splines or lines alone has no vertices.

    Raises
    ------
    FileFormatError
        When an array is shorter than what names it, or something that is named is not there.
    """
    mesh = geometry.find("mesh")
    elements = [] if mesh is None else [one for one in mesh if one.tag in _POLYGONS]
    of_vertices = None if mesh is None else mesh.find("vertices")
    inputs = {} if of_vertices is None else {one.get("semantic", ""): one for one in of_vertices.findall("input")}
    if "POSITION" not in inputs:
        return Geometry(np.zeros((0, 3)), no_faces(), np.zeros(0, np.int64), [], None, None)
    arrays = _Arrays(ids)
    vertices = arrays.table(target(inputs["POSITION"].get("source", ""), ids), 3)
    pieces = [_piece(element, inputs, arrays, len(vertices)) for element in elements]
    faces = np.concatenate([no_faces(), *(piece.faces for piece in pieces)])
    symbols = list(dict.fromkeys(element.get("material", "") for element in elements))
    numbers = [symbols.index(element.get("material", "")) for element in elements]
    colors = _filled([piece.corner_colors for piece in pieces], pieces, 3)
    return Geometry(
        vertices,
        faces,
        np.repeat(np.array(numbers, np.int64), [len(piece.faces) for piece in pieces]),
        symbols,
        _filled([piece.corner_uv for piece in pieces], pieces, 2),
        None if colors is None else mean_vertex_colors(faces.ravel(), colors.reshape(-1, 3), len(vertices)),
    )


def _filled(values: list[Floats | None], pieces: list[_Piece], columns: int) -> Floats | None:
    """What corners hold, (F, 3, columns), NaN where a piece holds none."""
    if all(value is None for value in values):
        return None
    pairs = zip(values, pieces, strict=True)
    return np.concatenate([np.full((*p.faces.shape, columns), np.nan) if v is None else v for v, p in pairs])


class _Arrays:
    """The arrays of a mesh, each read once."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._read: dict[int, Floats] = {}

    def table(self, source: Element, columns: int) -> Floats:
        """The first columns of a source, (N, columns)."""
        if id(source) not in self._read:
            self._read[id(source)] = _table(source, self.ids)
        found = self._read[id(source)]
        if found.shape[1] < columns:
            raise FileFormatError(
                f"has an array of {found.shape[1]} numbers where {columns} are needed; export it again"
            )
        return found[:, :columns]


def _table(source: Element, ids: Ids) -> Floats:
    """A source as its accessor lays it out: named columns of rows of equal length."""
    accessor = source.find("technique_common/accessor")
    if accessor is None:
        raise FileFormatError("has an array whose layout is not told; it is damaged, export it again")
    array = ids.get(accessor.get("source", "").removeprefix("#"), source.find("float_array"))
    if array is None or array.tag not in ("float_array", "int_array"):
        raise FileFormatError("has an array of no numbers; it is damaged, export it again")
    values = text_numbers(array.text or "")
    count, stride, offset = (int(accessor.get(name, default)) for name, default in _LAYOUT)
    if min(count, offset) < 0 or stride < 1 or offset + count * stride > len(values):
        raise cut_short("numbers of an array", offset + count * stride, len(values))
    rows = values[offset : offset + count * stride].reshape(count, stride)
    named = [k for k, one in enumerate(accessor.findall("param")[:stride]) if one.get("name")]
    return rows[:, named] if named else rows


_LAYOUT = (("count", "0"), ("stride", "1"), ("offset", "0"))


def _piece(element: Element, of_vertices: Mapping[str, Element], arrays: _Arrays, count: int) -> _Piece:
    """Triangles of one element, with the texture coordinates and colours of their corners."""
    inputs = element.findall("input")
    offsets = [int(one.get("offset", "0")) for one in inputs]
    at = {one.get("semantic", ""): offset for one, offset in zip(inputs, offsets, strict=True)}
    if "VERTEX" not in at or not all(0 <= offset < MAX_OFFSET for offset in offsets):
        raise FileFormatError("has faces that name no vertices; it is damaged, export it again")
    index, corners = _corners(element, max(offsets) + 1)
    faces, corner = triangulate(corners, _checked(index[:, at["VERTEX"]], count))
    found: dict[str, Floats | None] = {}
    for semantic, columns in (("TEXCOORD", 2), ("COLOR", 3)):
        chosen = _first_set(inputs, semantic)
        offset = int(chosen.get("offset", "0")) if chosen is not None else at["VERTEX"]
        given = chosen if chosen is not None else of_vertices.get(semantic)
        if given is None:
            found[semantic] = None
            continue
        table = arrays.table(target(given.get("source", ""), arrays.ids), columns)
        found[semantic] = table[_checked(index[:, offset], len(table))][corner]
    colors = found["COLOR"]
    return _Piece(faces, found["TEXCOORD"], None if colors is None else unit_colors(colors))


def _first_set(inputs: list[Element], semantic: str) -> Element | None:
    """The input of a kind with the lowest set: the first layer of several."""
    found = [one for one in inputs if one.get("semantic") == semantic]
    return min(found, key=lambda one: int(one.get("set", "0")), default=None)


def _corners(element: Element, width: int) -> tuple[Ints, Ints]:
    """The numbers of all corners, (N, width), and how many each polygon has, (P,)."""
    if element.find("ph") is not None:
        raise FileFormatError("has polygons with holes, which are not read; split them into triangles")
    rows = [_whole(p.text).reshape(-1) for p in element.findall("p")]
    if any(len(row) % width for row in rows):
        raise FileFormatError("ends within a corner of a face; it is cut short or damaged, export it again")
    tables = [row.reshape(-1, width) for row in rows]
    if element.tag in ("tristrips", "trifans"):
        tables = [table[_strip(len(table), fan=element.tag == "trifans")] for table in tables]
    index = np.concatenate([np.zeros((0, width), np.int64), *tables])
    if element.tag == "polygons":
        return index, np.array([len(table) for table in tables], np.int64)
    if element.tag != "polylist":
        if len(index) % 3:
            raise cut_short("corners of triangles", 3 * (len(index) // 3 + 1), len(index))
        return index, np.full(len(index) // 3, 3)
    corners = _whole(element.findtext("vcount"))
    if (corners < 0).any() or corners.sum() != len(index):
        raise cut_short("corners of faces", int(corners.sum()), len(index))
    return index, corners


def _strip(count: int, *, fan: bool) -> Ints:
    """Which corners of a strip or fan make its triangles, one after another."""
    k = np.arange(max(count - 2, 0))
    if fan:
        return np.stack([np.zeros_like(k), k + 1, k + 2], axis=1).ravel()
    odd = k % 2
    return np.stack([k + odd, k + 1 - odd, k + 2], axis=1).ravel()


def _whole(text: str | None) -> Ints:
    """Whole numbers of a list."""
    values = text_numbers(text or "")
    if not (np.abs(values) < MAX_INDEX).all() or (values != np.rint(values)).any():
        raise FileFormatError("has faces that are not made of whole numbers; export it again")
    return values.astype(np.int64)


def _checked(index: Ints, count: int) -> Ints:
    """Indices into an array of so many rows."""
    if len(index) and not (index.min() >= 0 and index.max() < count):
        raise FileFormatError("has faces that name what is not there; it is cut short or damaged, export it again")
    return index
