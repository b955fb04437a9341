"""glTF scenes, which trimesh reads once their numbers are held against the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.gltf_bounds import check_gltf
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, no_faces, unit_colors
from facecom.io.scene_parts import concatenated, placed


def read_gltf(data: bytes, path: Path) -> ParsedMesh:
    """Read a GLB or glTF scene: node transforms applied, all meshes in one, vertices in the file's order.

    Raises
    ------
    FileFormatError
        When the container is cut short, refers to missing buffers, holds no triangles or points, is compressed, or
        asks for more than it holds or than is read.
    """
    import trimesh

    kind = path.suffix.lower().lstrip(".")
    check_gltf(data, path)
    try:
        resolver = trimesh.resolvers.FilePathResolver(str(path))
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=resolver, process=False)
        images: dict[int, NDArray[np.uint8]] = {}
        parts = [_part(scene, node, images) for node in scene.graph.nodes_geometry]
    except FileFormatError:
        raise
    except Exception as error:  # whatever a broken scene makes of the parser, the user gets one sentence
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
        raise FileFormatError(f"is no readable glTF scene ({reason}); export it again") from None
    parts = [part for part in parts if len(part.vertices)]
    if not parts:
        raise FileFormatError("holds no mesh and no points; export it again")
    return concatenated(parts)


def _part(scene: Any, node: str, images: dict[int, NDArray[np.uint8]]) -> ParsedMesh:
    """The mesh of one node of a scene, in the scene's frame."""
    matrix, name = scene.graph[node]
    geometry = scene.geometry[name]
    vertices = np.asarray(geometry.vertices, np.float64)
    faces = np.asarray(geometry.faces, np.int64) if hasattr(geometry, "faces") else no_faces()
    visual = getattr(geometry, "visual", None)
    uv, texture = _texture(visual, images)
    colors = _vertex_colors(geometry, visual)
    part = ParsedMesh(vertices, faces, uv=uv, colors=colors, textures=() if texture is None else (texture,))
    return part if np.array_equal(matrix, np.eye(4)) else placed(part, matrix[:3, :3], matrix[:3, 3])


def _texture(visual: Any, images: dict[int, NDArray[np.uint8]]) -> tuple[Floats | None, NDArray[np.uint8] | None]:
    """Texture coordinates and the image of one mesh; meshes with the same image share its pixels."""
    uv = getattr(visual, "uv", None)
    material = getattr(visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is not None and id(image) not in images:
        images[id(image)] = np.asarray(image.convert("RGB"), np.uint8)
    return (None if uv is None else np.asarray(uv, np.float64)), (None if image is None else images[id(image)])


def _vertex_colors(geometry: Any, visual: Any) -> Floats | None:
    values = getattr(visual, "vertex_attributes", {}).get("color")
    if values is None and getattr(visual, "kind", None) == "vertex":
        values = visual.vertex_colors
    if values is None:
        values = getattr(geometry, "colors", None)
    table = np.asarray(values) if values is not None else np.zeros(0)
    return unit_colors(table[:, :3]) if table.ndim == 2 and len(table) == len(geometry.vertices) else None
