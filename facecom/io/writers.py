"""The bytes of a mesh in each format that is written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Mesh, face_normals
from facecom.io.parsed_mesh import color_bytes, fits_float32
from facecom.io.text_formats import STL_HEADER_BYTES, STL_RECORD

_PLY_NAMES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort",
    "i4": "int", "u4": "uint", "f4": "float", "f8": "double",
}  # fmt: skip


def ply_bytes(
    mesh: Mesh, *, attributes: Mapping[str, NDArray] | None = None, exact: bool = True, texture: str | None = None
) -> bytes:
    """A binary little-endian PLY file of a mesh.

    Parameters
    ----------
    mesh : Mesh
    attributes : further numbers of each vertex, (V,) by property name; stored in their own type
    exact : with True, positions are stored in float32 where that loses no bit of any, else in float64;
        with False, always in float32
    texture : name of the texture image, in the same folder

    Raises
    ------
    ValueError
        When an attribute's length is not V, or its type or name has no place in PLY.
    """
    kind = "<f4" if not exact or fits_float32(mesh.vertices) else "<f8"
    columns: list[tuple[str, NDArray]] = [(n, mesh.vertices[:, k].astype(kind)) for k, n in enumerate("xyz")]
    if mesh.normals is not None:
        columns += [(n, mesh.normals[:, k].astype("<f4")) for k, n in enumerate(("nx", "ny", "nz"))]
    if mesh.colors is not None:
        levels = color_bytes(mesh.colors)
        columns += [(n, levels[:, k]) for k, n in enumerate(("red", "green", "blue"))]
    if mesh.uv is not None:
        columns += [(n, mesh.uv[:, k].astype("<f4")) for k, n in enumerate("st")]
    columns += _extra_columns(attributes or {}, len(mesh.vertices), {name for name, _ in columns})
    table = np.empty(len(mesh.vertices), [(name, column.dtype) for name, column in columns])
    for name, column in columns:
        table[name] = column
    faces = np.empty(len(mesh.faces), [("n", "u1"), ("v", "<i4", (3,))])
    faces["n"], faces["v"] = 3, mesh.faces
    head = ["ply", "format binary_little_endian 1.0"] + ([f"comment TextureFile {texture}"] if texture else [])
    head += [f"element vertex {len(table)}"] + [f"property {_PLY_NAMES[c.dtype.str[1:]]} {n}" for n, c in columns]
    head += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join(head).encode("ascii") + b"\n" + table.tobytes() + faces.tobytes()


def _extra_columns(attributes: Mapping[str, NDArray], count: int, taken: set[str]) -> list[tuple[str, NDArray]]:
    """Columns of further vertex properties; what PLY cannot hold is an error."""
    columns = []
    for name, given in attributes.items():
        column = np.asarray(given)
        if column.dtype == bool:
            column = column.astype("u1")
        if column.shape != (count,):
            raise ValueError(f"attribute {name!r} has shape {column.shape}, expected ({count},)")
        if not (name.isascii() and name.isidentifier()) or name in taken:
            raise ValueError(f"{name!r} cannot name a further vertex property; choose another plain word")
        if column.dtype.str[1:] not in _PLY_NAMES:
            raise ValueError(f"attribute {name!r} has type {column.dtype}; PLY stores integers to 32 bits and floats")
        columns.append((name, column.astype(column.dtype.newbyteorder("<"))))
    return columns


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
    """A line for each row of numbers, with every digit, after a word."""
    head = [word] if word else []
    return "".join(" ".join(head + [repr(x) for x in row]) + "\n" for row in table.tolist())


def stl_bytes(mesh: Mesh) -> bytes:
    """A binary STL, float32."""
    table = np.zeros(len(mesh.faces), STL_RECORD)
    table["normal"] = face_normals(mesh)
    table["corners"] = mesh.vertices[mesh.faces]
    return b"binary STL".ljust(STL_HEADER_BYTES, b" ") + len(table).to_bytes(4, "little") + table.tobytes()


def glb_bytes(mesh: Mesh) -> bytes:
    """A GLB with one mesh, or one set of points where there are no faces, float32."""
    import trimesh

    colors = None if mesh.colors is None else color_bytes(mesh.colors)
    if not len(mesh.faces):
        return bytes(trimesh.Scene(trimesh.PointCloud(mesh.vertices, colors=colors)).export(file_type="glb"))
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)
    if colors is None and mesh.uv is not None:
        solid.visual = trimesh.visual.TextureVisuals(uv=np.nan_to_num(mesh.uv))
    return bytes(trimesh.Scene(solid).export(file_type="glb"))
