"""Formats left to other packages: glTF scenes (trimesh) and PCD clouds (Open3D)."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, cut_short, no_faces, unit_colors

GLB_HEADER_BYTES = 20
"""Header of a GLB and of its first chunk."""
PCD_HEADER_BYTES = 4000
"""Bytes in which a PCD header ends; real ones have some two hundred."""
PCD_COMPRESSED_SIZES_BYTES = 8
"""Two sizes before the compressed points of a PCD."""


def read_gltf(data: bytes, path: Path) -> ParsedMesh:
    """Read a GLB or glTF scene: node transforms applied, all meshes in one, vertices in the file's order.

    Raises
    ------
    FileFormatError
        When the container is cut short, refers to missing buffers or holds no triangles or points.
    """
    import trimesh

    kind = path.suffix.lower().lstrip(".")
    _check_container(data, kind)
    try:
        resolver = trimesh.resolvers.FilePathResolver(str(path))
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=resolver, process=False)
        parts = [_part(scene, node) for node in scene.graph.nodes_geometry]
    except FileFormatError:
        raise
    except Exception as error:  # whatever a broken scene makes of the parser, the user gets one sentence
        reason = f"{type(error).__name__}: {str(error)[:80]}"
        raise FileFormatError(f"is no readable glTF scene ({reason}); export it again") from None
    parts = [part for part in parts if len(part.vertices)]
    if not parts:
        raise FileFormatError("holds no mesh and no points; export it again")
    return _concatenate(parts)


def _check_container(data: bytes, kind: str) -> None:
    """Refuse what is no GLB or glTF file, or is cut short, before the parser sees it."""
    if kind == "glb":
        if data[:4] != b"glTF" or len(data) < GLB_HEADER_BYTES:
            raise FileFormatError("does not begin like a GLB file; check its extension or export it again")
        declared = int.from_bytes(data[8:12], "little")
        if declared > len(data):
            raise cut_short("bytes", declared, len(data))
        return
    try:
        json.loads(data)
    except ValueError:
        raise FileFormatError("is not the JSON text of a glTF file; check its extension or export it again") from None


def _part(scene: Any, node: str) -> ParsedMesh:
    """The mesh of one node of a scene, in the scene's frame."""
    matrix, name = scene.graph[node]
    geometry = scene.geometry[name]
    vertices = np.asarray(geometry.vertices, np.float64)
    faces = np.asarray(geometry.faces, np.int64) if hasattr(geometry, "faces") else no_faces()
    if not np.array_equal(matrix, np.eye(4)):
        vertices = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        faces = faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else faces
    visual = getattr(geometry, "visual", None)
    uv, texture = _texture(visual)
    colors = _vertex_colors(geometry, visual)
    return ParsedMesh(vertices, faces, uv=uv, colors=colors, texture=texture)


def _texture(visual: Any) -> tuple[Floats | None, NDArray[np.uint8] | None]:
    uv = getattr(visual, "uv", None)
    material = getattr(visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    pixels = None if image is None else np.asarray(image.convert("RGB"), np.uint8)
    return (None if uv is None else np.asarray(uv, np.float64)), pixels


def _vertex_colors(geometry: Any, visual: Any) -> Floats | None:
    values = getattr(visual, "vertex_attributes", {}).get("color")
    if values is None and getattr(visual, "kind", None) == "vertex":
        values = visual.vertex_colors
    if values is None:
        values = getattr(geometry, "colors", None)
    table = np.asarray(values) if values is not None else np.zeros(0)
    return unit_colors(table[:, :3]) if table.ndim == 2 and len(table) == len(geometry.vertices) else None


def _concatenate(parts: list[ParsedMesh]) -> ParsedMesh:
    """All parts as one mesh; its texture where there is just one."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])

    def concatenated(name: str, columns: int) -> Floats | None:
        values = [getattr(part, name) for part in parts]
        if all(value is None for value in values):
            return None
        sizes = [len(part.vertices) for part in parts]
        filled = [np.full((n, columns), np.nan) if v is None else v for n, v in zip(sizes, values, strict=True)]
        return np.concatenate(filled)

    textures = [part.texture for part in parts if part.texture is not None]
    return ParsedMesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]),
        uv=concatenated("uv", 2),
        colors=concatenated("colors", 3),
        texture=textures[0] if len(textures) == 1 else None,
    )


def read_pcd(data: bytes) -> ParsedMesh:
    """Read a PCD cloud (ascii, binary or compressed) with its normals and colours.

    Raises
    ------
    FileFormatError
        When the header is not one of PCD or fewer points are there than it declares.
    """
    import open3d as o3d

    declared = _pcd_points(data)
    with tempfile.TemporaryDirectory() as folder:  # Open3D reads from a path alone, and not from every path
        copy = Path(folder) / "cloud.pcd"
        copy.write_bytes(data)
        with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
            cloud = o3d.io.read_point_cloud(str(copy), format="pcd", remove_nan_points=False, print_progress=False)
    points = np.array(cloud.points, np.float64)
    if len(points) != declared:
        raise cut_short("points", declared, len(points))
    colors = np.clip(np.array(cloud.colors), 0, 1) if cloud.has_colors() else None
    return ParsedMesh(
        points, no_faces(), colors=colors, normals=np.array(cloud.normals) if cloud.has_normals() else None
    )


def _pcd_points(data: bytes) -> int:
    """The number of points that a PCD header declares; fewer in the body are an error."""
    header, body = _pcd_header(data)
    try:
        count, fields = int(header[b"POINTS"][0]), header[b"FIELDS"]
        repeat = [int(word) for word in header.get(b"COUNT", [b"1"] * len(fields))]
        size = sum(int(word) * n for word, n in zip(header[b"SIZE"], repeat, strict=True))
        encoding = header[b"DATA"][0]
    except (KeyError, IndexError, ValueError):
        raise FileFormatError("has no complete PCD header; check its extension or export it again") from None
    if not {b"x", b"y", b"z"} <= set(fields):
        raise FileFormatError("has points without x, y and z; export it again")
    found = count
    if encoding == b"binary":
        found = len(body) // max(size, 1)
    elif encoding == b"ascii":
        found = sum(1 for line in body.split(b"\n") if len(line.split()) >= len(fields))
    elif encoding == b"binary_compressed":
        whole = PCD_COMPRESSED_SIZES_BYTES + int.from_bytes(body[:4], "little")
        found = count if len(body) >= whole else 0
    if found < count:
        raise cut_short("points", count, found)
    return count


def _pcd_header(data: bytes) -> tuple[dict[bytes, list[bytes]], bytes]:
    """The words of each header line by its first, and what follows the header."""
    header: dict[bytes, list[bytes]] = {}
    for line in data[:PCD_HEADER_BYTES].split(b"\n"):
        words = line.split()
        if words:
            header[words[0]] = words[1:]
        if words[:1] == [b"DATA"]:
            return header, data[data.find(line) + len(line) + 1 :]
    return header, b""
