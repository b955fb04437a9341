"""PCD point clouds: ascii, binary and compressed, the header held against the file before anything is allocated.

Format: https://pointclouds.org/documentation/tutorials/pcd_file_format.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, color_columns, cut_short, no_faces
from facecom.io.text_lines import number_table, text_lines

HEADER_BYTES = 4000
"""Bytes in which a PCD header ends; real ones have some two hundred."""
COMPRESSED_SIZES_BYTES = 8
"""Two sizes before the compressed points."""
MAX_RECORD_BYTES = 65_536
"""Bytes of one point at most; descriptors of features have some thousand."""
MAX_UNPACKED_BYTES = 2**28
"""Size of unpacked points at most: twenty million of them."""
LZF_MAX_GROWTH = 88
"""LZF writes at most 264 bytes for three."""
_SIZES = {"F": (4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}
_NORMALS = ("normal_x", "normal_y", "normal_z")


@dataclass(frozen=True)
class _Field:
    name: str
    kind: str  # of NumPy
    count: int


@dataclass(frozen=True)
class _Header:
    fields: tuple[_Field, ...]
    points: int
    encoding: str
    body: bytes
    lines: int

    @property
    def record(self) -> int:
        """Bytes of a point."""
        return sum(np.dtype(f.kind).itemsize * f.count for f in self.fields)


def read_pcd(data: bytes) -> ParsedMesh:
    """Read a PCD cloud (ascii, binary or compressed) with its normals and colours.

    Raises
    ------
    FileFormatError
        When the header is not one of PCD or fewer points are there than it declares.
    """
    header = _header(data)
    columns = _BODIES[header.encoding](header)
    points = np.stack([columns[name].astype(np.float64) for name in "xyz"], axis=1)
    normals = None
    if all(name in columns for name in _NORMALS):
        normals = np.stack([columns[name].astype(np.float64) for name in _NORMALS], axis=1)
    return ParsedMesh(points, no_faces(), colors=_colors(columns), normals=normals)


def _header(data: bytes) -> _Header:
    """The header, each of its numbers within what the format and the file allow."""
    words, at, lines = _header_words(data)
    try:
        names = [word.lower() for word in words["FIELDS"]]
        sizes = [int(word) for word in words["SIZE"]]
        counts = [int(word) for word in words.get("COUNT", ["1"] * len(names))]
        fields = tuple(_field(*parts) for parts in zip(names, words["TYPE"], sizes, counts, strict=True))
        points = _declared_points(words)
        encoding = words["DATA"][0].lower()
    except (KeyError, IndexError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError("has no complete PCD header; check its extension or export it again") from None
    if not {"x", "y", "z"} <= {f.name for f in fields if f.count == 1}:
        raise FileFormatError("has points without x, y and z; export it again")
    if encoding not in _BODIES:
        raise FileFormatError(f"has PCD data of the unknown kind {encoding[:20]!r}; export it again")
    header = _Header(fields, points, encoding, data[at:], lines)
    if header.record > MAX_RECORD_BYTES:
        raise FileFormatError(f"declares {header.record:,} bytes for each point; it is damaged, export it again")
    return header


def _header_words(data: bytes) -> tuple[dict[str, list[str]], int, int]:
    """The words of each header line by its first, where the body begins, and the number of header lines."""
    words: dict[str, list[str]] = {}
    at = 0
    for number, line in enumerate(data[:HEADER_BYTES].split(b"\n")):
        at += len(line) + 1
        parts = line.decode("latin-1").removeprefix("\xef\xbb\xbf").split()
        if parts:
            words[parts[0]] = parts[1:]
        if parts[:1] == ["DATA"]:
            return words, at, number + 1
    return words, len(data), 0


def _field(name: str, kind: str, size: int, count: int) -> _Field:
    if size not in _SIZES.get(kind, ()):
        raise FileFormatError(
            f"has a field {name[:20]!r} of kind {kind[:5]!r} and {size} bytes, which PCD does not know"
        )
    if not 1 <= count <= MAX_RECORD_BYTES:
        raise FileFormatError(
            f"declares {count:,} values for {name[:20]!r} in each point; it is damaged, export it again"
        )
    return _Field(name, f"<{kind.lower()}{size}", count)


def _declared_points(words: dict[str, list[str]]) -> int:
    """The number of points; a negative one, or one that is not width times height, is damage."""
    grid = [int(words[name][0]) for name in ("WIDTH", "HEIGHT") if name in words]
    points = int(words["POINTS"][0]) if "POINTS" in words else grid[0] * grid[1]
    if points < 0 or min(grid, default=0) < 0:
        raise FileFormatError(f"declares {points:,} points; it is damaged, export it again")
    return points


def _ascii(header: _Header) -> dict[str, NDArray]:
    lines = text_lines(header.body)
    numbers = [k for k, line in enumerate(lines) if line.strip() and not line.startswith(b"#")][: header.points]
    if len(numbers) < header.points:
        raise cut_short("points", header.points, len(numbers))
    width = sum(f.count for f in header.fields)
    if not numbers:
        return {f.name: np.zeros(0) for f in header.fields}
    table = number_table([lines[k] for k in numbers], "point", [k + header.lines for k in numbers])
    if table.shape[1] != width:
        raise FileFormatError(f"has points of {table.shape[1]} numbers where its header has {width}; export it again")
    out: dict[str, NDArray] = {}
    at = 0
    for f in header.fields:
        if f.count == 1 and f.name not in out:
            out[f.name] = _typed(table[:, at], f)
        at += f.count
    return out


def _typed(values: Floats, f: _Field) -> NDArray:
    """A column in the type of its field; an integer beyond it is damage."""
    if f.kind[1] == "f":
        return values.astype(f.kind)
    limits = np.iinfo(f.kind)
    if not ((values >= limits.min) & (values <= limits.max)).all():
        raise FileFormatError(f"has a number outside the type of its field {f.name[:20]!r}; it is damaged")
    return values.astype(f.kind)


def _binary(header: _Header) -> dict[str, NDArray]:
    found = len(header.body) // header.record
    if found < header.points:
        raise cut_short("points", header.points, found)
    record = np.dtype([(f"f{k}", f.kind, (f.count,)) for k, f in enumerate(header.fields)])
    table = np.frombuffer(header.body, record, header.points)
    columns = [(f, table[f"f{k}"][:, 0]) for k, f in enumerate(header.fields)]
    return {f.name: column for f, column in reversed(columns) if f.count == 1}


def _binary_compressed(header: _Header) -> dict[str, NDArray]:
    """The points of a compressed body, which holds one field after another."""
    packed, plain = (int.from_bytes(header.body[at : at + 4], "little") for at in (0, 4))
    held = len(header.body) - COMPRESSED_SIZES_BYTES
    if packed > max(held, 0):
        raise cut_short("compressed bytes", packed, max(held, 0))
    if plain != header.points * header.record or plain > min(MAX_UNPACKED_BYTES, LZF_MAX_GROWTH * packed):
        raise FileFormatError(
            f"declares {header.points:,} points, which its data cannot hold, or are too many; export it again"
        )
    body = lzf_decompress(header.body[COMPRESSED_SIZES_BYTES : COMPRESSED_SIZES_BYTES + packed], plain)
    out: dict[str, NDArray] = {}
    at = 0
    for f in header.fields:
        if f.count == 1 and f.name not in out:
            out[f.name] = np.frombuffer(body, f.kind, header.points, at)
        at += np.dtype(f.kind).itemsize * f.count * header.points
    return out


_BODIES = {"ascii": _ascii, "binary": _binary, "binary_compressed": _binary_compressed}


def lzf_decompress(data: bytes, size: int) -> bytes:
    """Undo LZF compression, never writing more than `size` bytes.

    Source: the format of liblzf: a control byte below 32 is followed by that many bytes and one more as they are; any
    other has a length in its upper three bits, from 7 on in a further byte too, and a distance back in the rest.

    Raises
    ------
    FileFormatError
        When the data do not unpack to exactly `size` bytes.

    Examples
    --------
    >>> lzf_decompress(b"\\x01ab\\x60\\x01", 7)
    b'abababa'
    """
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end and len(out) <= size:
            control, at = data[at], at + 1
            if control < 32:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length, at = length + data[at], at + 1
            start = len(out) - ((control & 31) << 8) - data[at] - 1
            at, length = at + 1, length + 2
            if start < 0:
                raise IndexError
            piece = out[start : start + length]
            out += (piece * (length // len(piece) + 1))[:length]
    except IndexError:
        pass  # told by the size
    if len(out) != size:
        raise FileFormatError(
            f"has compressed data that unpack to {len(out):,} bytes and not {size:,}; export it again"
        )
    return bytes(out)


def _colors(columns: dict[str, NDArray]) -> Floats | None:
    """Colours in 0..1: three fields, or one with their bits packed as 0x00RRGGBB."""
    if all(name in columns for name in "rgb"):
        return color_columns(np.stack([columns[name].astype(np.float64) for name in "rgb"], axis=1))
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return None
    bits = np.ascontiguousarray(packed).view("<u4")
    return np.stack([(bits >> shift) & 255 for shift in (16, 8, 0)], axis=1) / 255.0
