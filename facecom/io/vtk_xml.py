"""VTK's XML files of surfaces, .vtp: points and polygons; what stands on its points is not read.

Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, cut_short, no_faces, refuse_doctype, triangulate
from facecom.io.vtk_legacy import corners_of_offsets
from facecom.io.xml_tree import text_numbers

MAX_ARRAY_BYTES = 2**27
"""Size of one unpacked array at most: eleven million points."""
MAX_GROWTH = 100
"""How many times its packed size an array may have: points and corners pack to a tenth at best."""
MAX_PIECES = 1000
"""Pieces of a surface at most."""
_COMPRESSOR = "vtkZLibDataCompressor"
_SECTIONS = ("Points", "Polys", "Strips")
_TYPES = {f"{name}{8 * size}": f"{code}{size}" for name, code in (("Int", "i"), ("UInt", "u")) for size in (1, 2, 4, 8)}
_TYPES |= {"Float32": "f4", "Float64": "f8"}


@dataclass(eq=False)
class _Array:
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)


class _Document:
    """The arrays of each piece that describe points and polygons."""

    def __init__(self) -> None:
        self.root: dict[str, str] = {}
        self.is_base64 = False
        self.pieces: list[dict[str, _Array]] = []
        self.counts: list[dict[str, str]] = []
        self._section = ""
        self._array: _Array | None = None
        self._inside = 0  # elements within the array, whose text is none of its numbers

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take in the begin of an element."""
        if self._array is not None:
            self._inside += 1
        elif name == "VTKFile":
            self.root = attributes
        elif name == "AppendedData":
            self.is_base64 = attributes.get("encoding") == "base64"
        elif name == "Piece":
            self.pieces.append({})
            self.counts.append(attributes)
            if attributes.get("NumberOfStrips", "0") != "0":
                raise FileFormatError("stores triangle strips, which are not read; save it with plain triangles")
        elif name in _SECTIONS:
            self._section = name
        elif name == "DataArray" and self._section and self.pieces:
            self._array = _Array(attributes)
            kind = "points" if self._section == "Points" else attributes.get("Name", "")
            self.pieces[-1][f"{self._section} {kind}"] = self._array

    def text(self, characters: str) -> None:
        """Take in characters between elements."""
        if self._array is not None and not self._inside:
            self._array.text.append(characters)

    def end(self, name: str) -> None:
        """Take in the end of an element."""
        if self._inside:
            self._inside -= 1
            return
        self._section = "" if name in _SECTIONS else self._section
        self._array = None if name == "DataArray" else self._array


def read_vtp(data: bytes) -> ParsedMesh:
    """Parse a .vtp file: its arrays as text, in base64 or appended, plain or packed by zlib.

    Raises
    ------
    FileFormatError
        When it is none, packed otherwise, or an array is not what it declares.
    """
    text, appended = _split(data)
    document = _parsed(text)
    if document.root.get("type") != "PolyData":
        raise FileFormatError("is no VTK file with a surface; export the scan as PolyData, or as .ply")
    if document.root.get("compressor", _COMPRESSOR) != _COMPRESSOR:
        raise FileFormatError(f"is packed by {document.root['compressor'][:40]}, which is not read; save it with zlib")
    if len(document.pieces) > MAX_PIECES:
        raise FileFormatError(f"has {len(document.pieces):,} pieces, more than {MAX_PIECES:,}; export one surface")
    points, faces = [np.zeros((0, 3))], [no_faces()]
    count = 0
    try:
        for piece, counts in zip(document.pieces, document.counts, strict=True):
            here, corners = _piece(piece, document.root, _Stream(appended, encoded=document.is_base64))
            _check_counts(counts, len(here), len(corners))
            points.append(here)
            faces.append(corners + count)
            count += len(here)
    except (KeyError, binascii.Error, zlib.error) as error:
        raise FileFormatError(f"has an array that cannot be read ({str(error)[:40]}); export it again") from None
    return ParsedMesh(np.concatenate(points), np.concatenate(faces))


def _check_counts(declared: dict[str, str], points: int, triangles: int) -> None:
    """Hold the numbers that a piece declares against what it holds; a polygon is a triangle or more."""
    for what, name, found in (("vertices", "NumberOfPoints", points), ("faces", "NumberOfPolys", triangles)):
        if int(declared.get(name, "0")) > found:
            raise cut_short(what, int(declared[name]), found)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The XML, and the appended bytes behind its underscore, which need not be text."""
    at = data.find(b"<AppendedData")
    if at < 0:
        return data, b""
    close = data.find(b">", at) + 1
    begin, end = data.find(b"_", close) + 1, data.rfind(b"</AppendedData")
    if not close or not begin or end < begin:
        raise FileFormatError("ends within its appended data; copy or export it again")
    return data[:close] + b"</AppendedData></VTKFile>", data[begin:end]


def _parsed(text: bytes) -> _Document:
    document = _Document()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = document.start, document.end
    parser.CharacterDataHandler = document.text
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError) as error:  # an encoding that nobody knows
        raise FileFormatError(f"is no XML of VTK ({str(error)[:60]}); copy or export it again") from None
    return document


def _piece(piece: dict[str, _Array], root: dict[str, str], appended: _Stream) -> tuple[NDArray, NDArray]:
    """Points (V, 3) and triangles (F, 3) of one piece."""
    if "Points points" not in piece:
        return np.zeros((0, 3)), no_faces()
    points = _values(piece["Points points"], root, appended).astype(np.float64)
    if len(points) % 3:
        raise cut_short("coordinates", 3 * (len(points) // 3 + 1), len(points))
    faces = no_faces()
    if "Polys connectivity" in piece and "Polys offsets" in piece:
        flat, ends = (
            _values(piece[f"Polys {name}"], root, appended).astype(np.int64) for name in ("connectivity", "offsets")
        )
        if len(ends):
            faces = triangulate(corners_of_offsets(np.concatenate([[0], ends]), flat), flat)[0]
    if len(faces) and not (faces.min() >= 0 and faces.max() < len(points) // 3):
        raise FileFormatError("has faces that name a vertex which is not there; it is damaged, export it again")
    return points.reshape(-1, 3), faces


def _values(array: _Array, root: dict[str, str], appended: _Stream) -> NDArray:
    """The numbers of an array."""
    kind = _TYPES[array.attributes["type"]]
    layout = array.attributes.get("format", "ascii")
    if layout == "ascii":
        return text_numbers("".join(array.text)).astype(kind)
    order = ">" if root.get("byte_order") == "BigEndian" else "<"
    size = order + ("u8" if root.get("header_type") == "UInt64" else "u4")
    offset = int(array.attributes.get("offset", "0"))
    if layout == "binary":
        stream = _Stream("".join("".join(array.text).split()).encode("ascii", "replace"), encoded=True)
    else:
        begin = offset if 0 <= offset <= len(appended.data) else len(appended.data)
        stream = _Stream(appended.data[begin:], encoded=appended.encoded)
    content = _unpacked(stream, size) if "compressor" in root else _plain(stream, size)
    return np.frombuffer(content, order + kind, len(content) // np.dtype(kind).itemsize)


class _Stream:
    """Bytes that stand as they are or in base64."""

    def __init__(self, data: bytes, *, encoded: bool) -> None:
        self.data, self.encoded = data, encoded

    def peek(self, count: int) -> bytes:
        """The next bytes; fewer are an error."""
        held = len(self.data) * 3 // 4 if self.encoded else len(self.data)
        if count > held:
            raise cut_short("bytes of an array", count, held)
        if not self.encoded:
            return self.data[:count]
        return base64.b64decode(self.data[: -(-count // 3) * 4], validate=True)[:count]

    def skip(self, count: int) -> None:
        """Pass over a block of this many bytes."""
        self.data = self.data[-(-count // 3) * 4 if self.encoded else count :]


def _plain(stream: _Stream, size: str) -> bytes:
    width = np.dtype(size).itemsize
    length = int(np.frombuffer(stream.peek(width), size)[0])
    return stream.peek(width + length)[width:]


def _unpacked(stream: _Stream, size: str) -> bytes:
    """The content of blocks packed by zlib, no longer than they say."""
    width = np.dtype(size).itemsize
    blocks = int(np.frombuffer(stream.peek(width), size)[0])
    header = np.frombuffer(stream.peek((3 + blocks) * width), size).astype(object) if blocks else np.zeros(0)
    if not blocks:
        return b""
    stream.skip((3 + blocks) * width)
    full, last, packed = int(header[1]), int(header[2]), [int(length) for length in header[3:]]
    content = stream.peek(sum(packed))
    total = (blocks - 1) * full + (last or full)
    if total > min(MAX_ARRAY_BYTES, MAX_GROWTH * max(len(content), 1)):
        raise FileFormatError(f"declares an array of {total:,} bytes, more than it can hold or than is read")
    out, at = [], 0
    for length in packed:
        out.append(zlib.decompressobj().decompress(content[at : at + length], max(full, last) + 1))
        at += length
    if sum(map(len, out)) != total:
        raise cut_short("bytes of an array", total, sum(map(len, out)))
    return b"".join(out)
