"""3MF: an archive with meshes in XML, read within bounds and in the order of the file.

Format: 3MF core specification, https://3mf.io/spec/.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from array import array
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, refuse_doctype

MAX_MODEL_BYTES = 300_000_000
"""Size of the unpacked XML at most: some four million vertices and their triangles."""
MAX_GROWTH = 100
"""How many times the size of the archive the XML may have: text of a mesh packs to a fifth or a twentieth."""
MAX_PARTS, MAX_DEPTH, MAX_VERTICES = 2_000, 20, 8_000_000
"""Meshes that are put together at most, objects within objects, and vertices of them all."""
_DEFAULT_MODEL = "3D/3dmodel.model"


@dataclass(eq=False)
class _Object:
    vertices: array[float] = field(default_factory=lambda: array("d"))
    triangles: array[int] = field(default_factory=lambda: array("q"))
    components: list[tuple[str, Floats]] = field(default_factory=list)


class _Model:
    """What a 3MF model describes, gathered element by element."""

    def __init__(self) -> None:
        self.objects: dict[str, _Object] = {}
        self.items: list[tuple[str, Floats]] = []
        self._current = _Object()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take in one element."""
        kind = name.rpartition("}")[2]
        if kind == "vertex":
            self._current.vertices.extend(float(attributes[axis]) for axis in "xyz")
        elif kind == "triangle":
            self._current.triangles.extend(int(attributes[corner]) for corner in ("v1", "v2", "v3"))
        elif kind == "object":
            self._current = self.objects[attributes["id"]] = _Object()
        elif kind in ("component", "item"):
            if any(key.rpartition("}")[2] == "path" for key in attributes):
                raise FileFormatError("keeps its meshes in several files within, which is not read; export one mesh")
            used = (attributes["objectid"], _transform(attributes.get("transform")))
            (self._current.components if kind == "component" else self.items).append(used)


def read_3mf(data: bytes) -> ParsedMesh:
    """Parse a 3MF archive: the meshes of its build items with their transforms, one after another, without colours.

    Raises
    ------
    FileFormatError
        When the archive is damaged, encrypted or unpacks to more than is read, or holds no mesh.
    """
    model = _parsed(_model_text(data))
    items = model.items or [(key, _transform(None)) for key in model.objects]
    vertices: list[Floats] = []
    faces: list[Ints] = []
    count = 0
    for found, transform in _instances(model, items):
        points = np.array(found.vertices).reshape(-1, 3) @ transform[:3] + transform[3]
        corners = np.array(found.triangles, np.int64).reshape(-1, 3)
        if len(corners) and not (corners.min() >= 0 and corners.max() < len(points)):
            raise FileFormatError("has triangles that name a vertex which is not there; export it again")
        faces.append((corners[:, ::-1] if np.linalg.det(transform[:3]) < 0 else corners) + count)
        vertices.append(points)
        count += len(points)
    if not count:
        raise FileFormatError("holds no mesh; export it again")
    return ParsedMesh(np.concatenate(vertices), np.concatenate(faces))


def _model_text(data: bytes) -> bytes:
    """The XML of the archive's model, unpacked no further than it may be."""
    most = min(MAX_MODEL_BYTES, MAX_GROWTH * len(data))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {name.lstrip("/").lower(): name for name in archive.namelist()}
            wanted = names.get(_DEFAULT_MODEL.lower())
            models = [name for low, name in names.items() if posixpath.splitext(low)[1] == ".model"]
            if wanted is None and len(models) != 1:
                raise FileFormatError("holds no 3D model, or several; export it again")
            with archive.open(wanted or models[0]) as member:
                text = member.read(most + 1)
    except FileFormatError:
        raise
    except Exception as error:  # zlib, lzma, an unknown compression, encryption: zipfile has no one family
        raise FileFormatError(f"is no readable archive ({str(error)[:60]}); export it again") from None
    if len(text) > most:
        raise FileFormatError(f"unpacks to more than {most:,} bytes; decimate the mesh")
    return text


def _parsed(text: bytes) -> _Model:
    """The model that XML describes; one that declares entities is refused."""
    model = _Model()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = model.start
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, FileFormatError):
            raise
        reason = f"{type(error).__name__}: {str(error)[:60]}"
        raise FileFormatError(f"holds no readable 3D model ({reason}); export it again") from None
    return model


def _transform(words: str | None) -> Floats:
    """The (4, 3) matrix of a transform: rows of a rotation, then the translation; points are rows before it."""
    if words is None:
        return np.vstack([np.eye(3), np.zeros(3)])
    values = np.array([float(word) for word in words.split()[:13]])
    if values.shape != (12,) or not np.isfinite(values).all():
        raise FileFormatError("has a transform that is not twelve numbers; export it again")
    return values.reshape(4, 3)


def _instances(model: _Model, items: list[tuple[str, Floats]]) -> list[tuple[_Object, Floats]]:
    """Each mesh as often as it is placed, and the transform that places it, in the order of the file."""
    out: list[tuple[_Object, Floats]] = []
    waiting = [(key, transform, 0) for key, transform in reversed(items)]
    visited = vertices = 0
    while waiting:
        key, transform, depth = waiting.pop()
        visited += 1
        found = model.objects.get(key)
        if found is None:
            raise FileFormatError("places an object that is not there; export it again")
        vertices += len(found.vertices) // 3
        if visited > MAX_PARTS or depth > MAX_DEPTH or vertices > MAX_VERTICES:
            raise FileFormatError("places more objects than are read; export the scan alone")
        if found.vertices:
            out.append((found, transform))
        for inner, place in reversed(found.components):
            waiting.append((inner, _combined(place, transform), depth + 1))
    return out


def _combined(first: Floats, second: Floats) -> Floats:
    """One transform after another."""
    return np.vstack([first[:3] @ second[:3], first[3] @ second[:3] + second[3]])
