"""OBJ, OFF, STL and GLB bytes of a mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Mesh, face_normals
from facecom.scan.formats import STL_RECORD


def obj_bytes(mesh: Mesh) -> bytes:
    """A Wavefront OBJ with every digit of the positions; colours follow the position, as most programs read them."""
    table = mesh.vertices if mesh.colors is None else np.hstack([mesh.vertices, mesh.colors])
    parts = [_rows("v", table)]
    faces = (mesh.faces + 1).astype(str)
    if mesh.uv is not None:
        parts.append(_rows("vt", np.nan_to_num(mesh.uv)))
        faces = np.char.add(np.char.add(faces, "/"), faces)
    parts.append("".join(f"f {a} {b} {c}\n" for a, b, c in faces.tolist()))
    return "".join(parts).encode("ascii")


def off_bytes(mesh: Mesh) -> bytes:
    """An OFF file with every digit of the positions."""
    faces = "".join(f"3 {a} {b} {c}\n" for a, b, c in mesh.faces.tolist())
    return f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0\n{_rows('', mesh.vertices)}{faces}".encode("ascii")


def _rows(word: str, table: NDArray) -> str:
    head = [word] if word else []
    return "".join(" ".join(head + [repr(x) for x in row]) + "\n" for row in table.tolist())


def stl_bytes(mesh: Mesh) -> bytes:
    """A binary STL, float32."""
    table = np.zeros(len(mesh.faces), STL_RECORD)
    table["normal"] = face_normals(mesh)
    table["corners"] = mesh.vertices[mesh.faces]
    return b"binary STL".ljust(80, b" ") + len(table).to_bytes(4, "little") + table.tobytes()


def glb_bytes(mesh: Mesh) -> bytes:
    """A GLB with one mesh, or one set of points where there are no faces, float32."""
    import trimesh

    colors = None if mesh.colors is None else np.rint(np.clip(np.nan_to_num(mesh.colors), 0, 1) * 255).astype(np.uint8)
    if not len(mesh.faces):
        return bytes(trimesh.Scene(trimesh.PointCloud(mesh.vertices, colors=colors)).export(file_type="glb"))
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)
    if colors is None and mesh.uv is not None:
        solid.visual = trimesh.visual.TextureVisuals(uv=np.nan_to_num(mesh.uv))
    return bytes(trimesh.Scene(solid).export(file_type="glb"))
