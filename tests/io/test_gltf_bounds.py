"""glTF files that ask for more than they hold, or than is read, are refused before anything is allocated."""

import base64
import io
import json
import struct
import time

import numpy as np
import pytest
from PIL import Image

from facecom.io.files import read_scan, read_scan_file

TRIANGLE = np.eye(3, dtype="<f4").tobytes()


def tree(**changes: object) -> dict:
    """One triangle of three points without indices."""
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    } | changes


def glb(content: dict | bytes, chunk: bytes = TRIANGLE) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunk += bytes(-len(chunk) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(chunk), 0x004E4942) + chunk
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def test_the_triangle_itself_is_read(written):
    assert len(read_scan(written("a.glb", glb(tree()))).vertices) == 3


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression"])
def test_a_compression_that_is_not_read_is_named(name, refused):
    assert f"compressed with {name}" in refused("a.glb", glb(tree(extensionsRequired=[name], extensionsUsed=[name])))
    piece = {"attributes": {"POSITION": 0}, "extensions": {name: {"bufferView": 0}}}
    bare = [{"componentType": 5126, "count": 3, "type": "VEC3"}]
    inside = tree(extensionsUsed=[name], meshes=[{"primitives": [piece]}], accessors=bare)
    assert f"compressed with {name}" in refused("b.glb", glb(inside))


def test_an_extension_with_a_plain_copy_is_read(written):
    piece = {"attributes": {"POSITION": 0}, "extensions": {"KHR_draco_mesh_compression": {"bufferView": 0}}}
    content = tree(extensionsUsed=["KHR_draco_mesh_compression"], meshes=[{"primitives": [piece]}])
    assert len(read_scan(written("a.glb", glb(content))).vertices) == 3


ACCESSOR = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}


@pytest.mark.parametrize(
    "changes",
    [
        {"accessors": [ACCESSOR | {"count": 90_000_000}]},
        {"accessors": [{"componentType": 5126, "count": 90_000_000, "type": "VEC3"}]},
        {"accessors": [ACCESSOR | {"count": -1}]},
        {"accessors": [ACCESSOR | {"count": 1e300}]},
        {"accessors": [ACCESSOR | {"byteOffset": 12}]},
        {"accessors": [ACCESSOR | {"componentType": 1}]},
        {"bufferViews": [{"buffer": 0, "byteLength": 10**12}]},
        {"bufferViews": [{"buffer": 0, "byteLength": 36, "byteStride": 10**9}]},
        {"buffers": [{"byteLength": 10**12}]},
        {"buffers": [{"byteLength": 36, "uri": "/dev/zero"}]},
        {"buffers": [{"byteLength": 36, "uri": "../../../../dev/zero"}]},
        {"buffers": [{"byteLength": 36, "uri": "a" * 5000}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}}] * 3000}]},
        {"meshes": 7},
        {"nodes": [{"mesh": 0}] * 30_000},
        {"nodes": [{"mesh": 0}] * 3000},
        {"nodes": [{"mesh": 0, "children": [1]}, {"children": [0]}]},
        {"nodes": [{"children": [0]}]},
    ],
)
def test_what_the_file_does_not_hold_is_refused_at_once(changes, refused):
    data = glb(tree(**changes))
    begin = time.process_time()
    refused("a.glb", data)
    assert time.process_time() - begin < 2


def test_vertices_that_nodes_multiply_are_refused(refused):
    chunk = bytes(12 * 20_000)
    many = tree(
        nodes=[{"mesh": 0}] * 1000, accessors=[ACCESSOR | {"count": 20_000}],
        bufferViews=[{"buffer": 0, "byteLength": len(chunk)}], buffers=[{"byteLength": len(chunk)}],
    )  # fmt: skip
    assert "shows 20,000,000 vertices" in refused("a.glb", glb(many, chunk))


@pytest.mark.parametrize("depth", [201, 15_000])
def test_a_chain_of_nodes_is_refused_without_recursion(depth, refused):
    nodes = [{"children": [k + 1]} for k in range(depth)] + [{"mesh": 0}]
    assert "more than 200 deep" in refused("a.glb", glb(tree(nodes=nodes)))


def test_json_that_is_deep_or_has_many_values_is_refused(refused):
    deep = b'{"asset":{"version":"2.0"},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert "nested too deeply" in refused("a.gltf", deep)
    assert "nested too deeply" in refused("a.glb", glb(deep))
    assert "more than is read" in refused("b.gltf", b"[" + b"[]," * 500_001 + b"[]]")
    assert "not the JSON text" in refused("c.gltf", b"[]")


def png(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("inside", [True, False])
def test_pixels_of_all_images_together_have_a_limit(inside, refused):
    data = png(9000)
    address = "data:image/png;base64," + base64.b64encode(data).decode()
    image = {"bufferView": 1, "mimeType": "image/png"} if inside else {"uri": address}
    views = [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": len(data)}]
    content = tree(bufferViews=views, buffers=[{"byteLength": 36 + len(data)}], images=[image] * 2)
    assert "pixels in all" in refused("a.glb", glb(content, TRIANGLE + data))


def test_a_buffer_beside_a_gltf_is_read_and_a_missing_or_short_one_named(written, refused):
    written("a.bin", TRIANGLE)
    content = tree(buffers=[{"byteLength": 36, "uri": "a.bin"}])
    assert len(read_scan(written("a.gltf", json.dumps(content))).vertices) == 3
    assert "'b.bin', which is no file beside it" in refused("b.gltf", json.dumps(content).replace("a.bin", "b.bin"))
    written("c.bin", TRIANGLE[:30])
    assert "declares 36 bytes of a buffer and holds 30" in refused(
        "c.gltf", json.dumps(content).replace("a.bin", "c.bin")
    )


def test_several_textures_lie_on_their_own_meshes(written):
    import trimesh

    parts = []
    for k, color in enumerate([(255, 0, 0), (0, 0, 255)]):
        part = trimesh.Trimesh(np.eye(3) + 5 * k, [[0, 1, 2]], process=False)
        uv = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        part.visual = trimesh.visual.TextureVisuals(uv=uv, image=Image.new("RGB", (4, 4), color))
        parts.append(part)
    scan = read_scan_file(written("a.glb", trimesh.Scene(parts).export(file_type="glb")))
    first = scan.mesh.vertices.max(axis=1) < 2
    assert np.allclose(scan.mesh.colors[first], [1, 0, 0])
    assert np.allclose(scan.mesh.colors[~first], [0, 0, 1])
