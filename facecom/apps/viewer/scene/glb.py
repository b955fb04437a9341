"""A painted surface as a GLB file for the page: colors by vertex, a dull material, both sides lit."""

from __future__ import annotations

import json
import struct

import numpy as np

from facecom.geometry.mesh import Floats, Ints


def glb_bytes(vertices: Floats, faces: Ints, normals: Floats, colors: Floats) -> bytes:
    """Encode a mesh.

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
    place = np.ascontiguousarray(vertices, "<f4")
    # glTF's colors are linear light
    light = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    paint = np.full((len(place), 4), 65535, "<u2")
    paint[:, :3] = np.rint(np.clip(light, 0.0, 1.0) * 65535)
    blocks = [place, np.ascontiguousarray(normals, "<f4"), paint, np.ascontiguousarray(faces, "<u4")]
    types = [("VEC3", 5126, False), ("VEC3", 5126, False), ("VEC4", 5123, True), ("SCALAR", 5125, False)]
    views, accessors, start = [], [], 0
    for block, (kind, component, normalized) in zip(blocks, types, strict=True):
        views.append({"buffer": 0, "byteOffset": start, "byteLength": block.nbytes})
        count = block.size if kind == "SCALAR" else len(block)
        accessors.append(
            {"bufferView": len(views) - 1, "componentType": component, "count": count, "type": kind}
            | ({"normalized": True} if normalized else {})
        )
        start += block.nbytes
    accessors[0] |= {"min": place.min(axis=0).tolist(), "max": place.max(axis=0).tolist()}
    text = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}, "indices": 3, "material": 0}]}
        ],
        "materials": [{"doubleSided": True, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.85}}],
        "bufferViews": views,
        "accessors": accessors,
        "buffers": [{"byteLength": start}],
    }
    head = json.dumps(text, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    body = b"".join(block.tobytes() for block in blocks)
    whole = 12 + 8 + len(head) + 8 + len(body)
    return b"".join(
        [struct.pack("<4sII", b"glTF", 2, whole), struct.pack("<I4s", len(head), b"JSON"), head]
        + [struct.pack("<I4s", len(body), b"BIN\0"), body]
    )
