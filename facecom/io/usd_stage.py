"""USD's own library, run as a process of its own: a stage in, one mesh in arrays out.

The library is C++ and a damaged file may end the process in which it runs, so it is loaded here alone.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.mesh import Floats, Ints
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, no_faces, triangulate
from facecom.io.scene_parts import concatenated, placed, with_vertex_uv
from facecom.io.texture_images import mean_vertex_colors

MAX_MEMORY_BYTES, MAX_SECONDS, MAX_RESULT_BYTES = 3 << 30, 60, 1 << 30
"""Address space, processor time and size of the result of the process."""
MAX_PRIMS, MAX_PARTS, MAX_VERTICES, MAX_TRIANGLES = 100_000, 2_000, 8_000_000, 16_000_000
"""Elements of the scene, meshes, and vertices and triangles of them all, as often as the scene shows them."""
REFUSED = 3
"""Exit status after a sentence was written in place of a mesh."""


def main(arguments: Sequence[str]) -> int:
    """Read the scene `arguments[0]`; write the mesh to `arguments[1]`, or a sentence to the same name with .txt."""
    _limit()
    scene, out = (Path(name) for name in arguments)
    try:
        arrays = _arrays(read_stage(scene))
    except FileFormatError as error:
        out.with_suffix(".txt").write_text(str(error), encoding="utf-8")
        return REFUSED
    except Exception as error:  # whatever a broken scene makes of the library, the user gets one sentence
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
        out.with_suffix(".txt").write_text(f"is no readable USD scene ({reason}); export it again", encoding="utf-8")
        return REFUSED
    np.savez(out, **arrays)
    return 0


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_SECONDS),
        (resource.RLIMIT_FSIZE, MAX_RESULT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))


def _arrays(mesh: ParsedMesh) -> dict[str, Any]:
    """A mesh as arrays by name; what it has not is left out."""
    names = ("vertices", "faces", "uv", "corner_uv", "colors", "face_texture")
    found = {name: getattr(mesh, name) for name in names if getattr(mesh, name) is not None}
    return found | {"textures": np.array(mesh.textures, dtype=np.str_)}


def read_stage(path: Path) -> ParsedMesh:
    """All visible meshes and points of a scene in their places, in the order of the scene.

    Textures are named as USD resolves them: a path, or `package.usdz[name]`.

    Raises
    ------
    FileFormatError
        When it is no scene, uses files outside its folder, holds no mesh, or more than is read.
    """
    usd, geom = need("pxr.Usd", extra="formats"), need("pxr.UsdGeom", extra="formats")
    stage = usd.Stage.Open(str(path))
    if stage is None:
        raise FileFormatError("is no USD scene; copy or export it again")
    _check_layers(stage, path)
    places = geom.XformCache(usd.TimeCode.EarliestTime())
    parts: list[ParsedMesh] = []
    vertices = triangles = 0
    for prim in _shown(stage, usd, geom):
        part = _mesh(prim, geom, usd) if prim.IsA(geom.Mesh) else _points(prim, geom, usd)
        vertices, triangles = vertices + len(part.vertices), triangles + len(part.faces)
        if len(parts) >= MAX_PARTS or vertices > MAX_VERTICES or triangles > MAX_TRIANGLES:
            raise FileFormatError(f"shows more meshes, or more than {MAX_VERTICES:,} vertices in all; export one scan")
        if len(part.vertices):
            matrix = np.array(places.GetLocalToWorldTransform(prim))  # for points as rows
            parts.append(placed(part, matrix[:3, :3].T, matrix[3, :3]))
    if not parts:
        raise FileFormatError("holds no mesh and no points; export it again")
    return with_vertex_uv(concatenated(parts))


def _check_layers(stage: Any, path: Path) -> None:
    """Refuse a scene that is put together from files outside its own folder."""
    folder = path.resolve().parent
    for layer in stage.GetUsedLayers():
        place = layer.realPath.partition("[")[0]
        if place and not Path(place).resolve().is_relative_to(folder):
            raise FileFormatError("uses files outside its folder, which are not read; export it flattened")


def _shown(stage: Any, usd: Any, geom: Any) -> Iterator[Any]:
    """Visible meshes and points, as often as instances show them."""
    visited = 0
    for prim in usd.PrimRange(stage.GetPseudoRoot(), usd.TraverseInstanceProxies()):
        visited += 1
        if visited > MAX_PRIMS:
            raise FileFormatError(f"has more than {MAX_PRIMS:,} elements; export the scan alone")
        if not (prim.IsA(geom.Mesh) or prim.IsA(geom.Points)):
            continue
        shape = geom.Imageable(prim)
        if shape.ComputeVisibility() != geom.Tokens.invisible and shape.ComputePurpose() != geom.Tokens.guide:
            yield prim


def _value(attribute: Any, usd: Any) -> Any:
    """The value of an attribute; of one that moves, the first."""
    found = attribute.Get()
    return attribute.Get(usd.TimeCode.EarliestTime()) if found is None else found


def _points(prim: Any, geom: Any, usd: Any) -> ParsedMesh:
    points = np.array(_value(geom.Points(prim).GetPointsAttr(), usd) or [], np.float64).reshape(-1, 3)
    colors = _primvar(prim, geom, usd, "displayColor")
    same = colors is not None and len(colors[1]) == len(points)
    return ParsedMesh(points, no_faces(), colors=np.clip(colors[1], 0, 1) if same and colors else None)


def _mesh(prim: Any, geom: Any, usd: Any) -> ParsedMesh:
    """One mesh in its own frame: polygons as triangles, colours and images of their corners."""
    mesh = geom.Mesh(prim)
    attributes = mesh.GetPointsAttr(), mesh.GetFaceVertexCountsAttr(), mesh.GetFaceVertexIndicesAttr()
    points, counts, index = (_value(one, usd) for one in attributes)
    vertices = np.array(points if points is not None else [], np.float64).reshape(-1, 3)
    corners, flat = (np.array(one if one is not None else [], np.int64) for one in (counts, index))
    if (corners < 0).any() or corners.sum() != len(flat):
        raise FileFormatError("has polygons with other numbers of corners than declared; export it again")
    if len(flat) and not (flat.min() >= 0 and flat.max() < len(vertices)):
        raise FileFormatError("has faces that name a vertex which is not there; it is damaged, export it again")
    faces, corner = triangulate(corners, flat)
    polygon = np.repeat(np.arange(len(corners)), np.maximum(corners - 2, 0))
    at = _Places(len(vertices), len(flat), faces, corner)
    colors = at.of_corners(_primvar(prim, geom, usd, "displayColor"))
    if colors is not None:
        colors = np.clip(mean_vertex_colors(faces.ravel(), colors.reshape(-1, 3), len(vertices)), 0, 1)
    textures, of_polygon = _textures(prim, geom, len(corners))
    made = ParsedMesh(
        vertices, faces, corner_uv=at.of_corners(_uv(prim, geom, usd)), colors=colors,
        textures=textures, face_texture=of_polygon[polygon] if textures else None,
    )  # fmt: skip
    if mesh.GetOrientationAttr().Get() != geom.Tokens.leftHanded:
        return made
    corner_uv = None if made.corner_uv is None else made.corner_uv[:, ::-1]
    return replace(made, faces=made.faces[:, ::-1], corner_uv=corner_uv)


class _Places:
    """Which rows of a list belong to the corners of triangles: one a vertex, or one a corner of a polygon."""

    def __init__(self, vertices: int, corners: int, faces: Ints, corner: Ints) -> None:
        self._vertices, self._corners, self._faces, self._corner = vertices, corners, faces, corner

    def of_corners(self, primvar: tuple[str, Floats] | None) -> Floats | None:
        """Values of the corners of triangles, (F, 3, ...); None where the list has another length."""
        if primvar is None:
            return None
        kind, values = primvar
        if kind in ("vertex", "varying") and len(values) == self._vertices:
            return values[self._faces]
        return values[self._corner] if kind == "faceVarying" and len(values) == self._corners else None


def _primvar(prim: Any, geom: Any, usd: Any, name: str) -> tuple[str, Floats] | None:
    """Interpolation and rows of a primitive variable, its indices resolved."""
    found = geom.PrimvarsAPI(prim).FindPrimvarWithInheritance(name)
    values = found.ComputeFlattened(usd.TimeCode.EarliestTime()) if found and found.HasValue() else None
    if values is None:
        return None
    table = np.array(values, np.float64)
    return (str(found.GetInterpolation()), table) if table.ndim == 2 else None


def _uv(prim: Any, geom: Any, usd: Any) -> tuple[str, Floats] | None:
    """Texture coordinates: those named st, else the first that are of their type."""
    for primvar in sorted(geom.PrimvarsAPI(prim).GetPrimvars(), key=lambda one: one.GetPrimvarName() != "st"):
        if str(primvar.GetTypeName()).startswith("texCoord2") or primvar.GetPrimvarName() == "st":
            found = _primvar(prim, geom, usd, primvar.GetPrimvarName())
            return found if found is not None and found[1].shape[1] == 2 else None
    return None


def _textures(prim: Any, geom: Any, polygons: int) -> tuple[tuple[str, ...], Ints]:
    """The images of a mesh and of its subsets, and which lies on each polygon, -1 for none."""
    shade = need("pxr.UsdShade", extra="formats")
    chosen = np.full(polygons, -1, np.int64)
    names: dict[str, int] = {}

    def lay(bound: Any, where: Any) -> None:
        name = _image(shade.MaterialBindingAPI(bound).ComputeBoundMaterial()[0], shade)
        if name is not None:
            chosen[where] = names.setdefault(name, len(names))

    lay(prim, slice(None))
    for subset in geom.Subset.GetAllGeomSubsets(geom.Imageable(prim)):
        index = np.array(subset.GetIndicesAttr().Get() or [], np.int64)
        if subset.GetFamilyNameAttr().Get() == "materialBind" and len(index):
            lay(subset.GetPrim(), index[(index >= 0) & (index < polygons)])
    return tuple(names), chosen


def _image(material: Any, shade: Any) -> str | None:
    """Where the image of a material's diffuse colour lies, as USD resolves it."""
    shader = material.ComputeSurfaceSource()[0] if material else None
    color = shader.GetInput("diffuseColor") if shader else None
    sources = color.GetConnectedSources()[0] if color else []
    if not sources:
        return None
    file = shade.Shader(sources[0].source.GetPrim()).GetInput("file")
    found: Any = file.Get() if file else None
    return (found.resolvedPath or found.path or None) if hasattr(found, "resolvedPath") else None


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # the library's own threads need not be waited for
