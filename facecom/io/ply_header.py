"""The header of a PLY file: what it holds, in which order and encoding."""

from __future__ import annotations

from dataclasses import dataclass

from facecom.io.parsed_mesh import FileFormatError

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float": "f4", "double": "f8", "float32": "f4", "float64": "f8",
}  # fmt: skip


MAX_HEADER_BYTES = 1_000_000
"""Bytes in which a header ends, its comments included."""


@dataclass(frozen=True)
class PlyProperty:
    """One property: its name, the NumPy kind of its values and, for a list, of its length."""

    name: str
    kind: str
    length: str | None = None


@dataclass(frozen=True)
class PlyElement:
    """One element: its name, the number of its records, and what each holds."""

    name: str
    count: int
    properties: tuple[PlyProperty, ...]


def read_header(data: bytes) -> tuple[str, list[PlyElement], list[str], int]:
    """Encoding ("ascii" or NumPy's byte order), elements, names of textures, and where the body begins.

    Raises
    ------
    FileFormatError
        When it is no header of PLY.
    """
    if data[:3] != b"ply":
        raise FileFormatError("does not begin like a PLY file; check its extension or export it again")
    end = data.find(b"end_header", 0, MAX_HEADER_BYTES)
    body = data.find(b"\n", end) + 1
    if end < 0 or not body:
        raise FileFormatError("has no complete PLY header; copy or export it again")
    order = ""
    textures: list[str] = []
    elements: list[tuple[str, int, list[PlyProperty]]] = []
    for line in data[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        try:
            if words[0] == "comment":
                textures += [" ".join(words[2:])] if words[1:2] == ["TextureFile"] else []
            elif words[0] == "format":
                order = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
            elif words[0] == "element":
                elements.append((words[1], int(words[2]), []))
            elif words[0] == "property" and words[1] == "list":
                elements[-1][2].append(PlyProperty(words[4], _TYPES[words[3]], _TYPES[words[2]]))
            elif words[0] == "property":
                elements[-1][2].append(PlyProperty(words[2], _TYPES[words[1]]))
            else:
                raise KeyError(words[0])
        except (KeyError, IndexError, ValueError):
            raise FileFormatError(f"has the PLY header line {line.strip()[:60]!r}, which is not understood") from None
    if not order or any(count < 0 for _, count, _ in elements):
        raise FileFormatError("has a PLY header without a format or with a negative count; export it again")
    return order, [PlyElement(name, count, tuple(properties)) for name, count, properties in elements], textures, body
