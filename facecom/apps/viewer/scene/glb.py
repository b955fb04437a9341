"""GLB files of coloured meshes for the page: colours by vertex, a matt material, both sides lit."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Ints

ROUGHNESS = 0.85
"""Of the material, nearly matt as skin is."""


def glb_bytes(vertices: Floats, faces: Ints, normals: Floats, colors: Floats) -> bytes:
    """Encode a coloured mesh as GLB.

    Parameters
    ----------
    vertices, normals : (V, 3) float
    faces : (F, 3) int
    colors : (V, 3) float in 0..1, as a screen shows them (sRGB)

    Returns
    -------
    bytes, glTF 2.0 binary; positions and normals float32, colors 8 bits

    Source: glTF 2.0 specification, sections 3.7 and 4.

    Examples
    --------
    >>> flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> glb_bytes(flat, np.array([[0, 1, 2]]), np.tile([0.0, 0, 1], (3, 1)), np.ones((3, 3)))[:4]
    b'glTF'
    """
    positions = np.ascontiguousarray(vertices, "<f4")
    buffers = [
        positions,
        np.ascontiguousarray(normals, "<f4"),
        _linear_rgba(colors),
        np.ascontiguousarray(faces, "<u4"),
    ]
    views, accessors = _buffer_views(buffers)
    accessors[0] |= {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    body = b"".join(buffer.tobytes() for buffer in buffers)
    attributes = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    material = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    gltf = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [{"doubleSided": True, "pbrMetallicRoughness": material}],
        "bufferViews": views,
        "accessors": accessors,
        "buffers": [{"byteLength": len(body)}],
    }
    return _container(json.dumps(gltf, separators=(",", ":")).encode(), body)


def _linear_rgba(colors: Floats) -> np.ndarray:
    """Colours (V, 3) as (V, 4) uint16: glTF's colours are linear (IEC 61966-2-1 has the transfer function)."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    rgba = np.full((len(colors), 4), 65535, "<u2")
    rgba[:, :3] = np.rint(np.clip(linear, 0.0, 1.0) * 65535)
    return rgba


def _buffer_views(buffers: list[np.ndarray]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The glTF buffer views and accessors of positions, normals, colours and indices."""
    types = [("VEC3", 5126, False), ("VEC3", 5126, False), ("VEC4", 5123, True), ("SCALAR", 5125, False)]
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    start = 0
    for buffer, (kind, component, normalized) in zip(buffers, types, strict=True):
        views.append({"buffer": 0, "byteOffset": start, "byteLength": buffer.nbytes})
        count = buffer.size if kind == "SCALAR" else len(buffer)
        accessors.append(
            {"bufferView": len(views) - 1, "componentType": component, "count": count, "type": kind}
            | ({"normalized": True} if normalized else {})
        )
        start += buffer.nbytes
    return views, accessors


def _container(head: bytes, body: bytes) -> bytes:
    """The GLB container of a JSON chunk, padded to four bytes, and a binary chunk."""
    head += b" " * (-len(head) % 4)
    length = 12 + 8 + len(head) + 8 + len(body)
    return b"".join(
        [struct.pack("<4sII", b"glTF", 2, length), struct.pack("<I4s", len(head), b"JSON"), head]
        + [struct.pack("<I4s", len(body), b"BIN\0"), body]
    )
