"""What a glTF file asks for, held against what it holds and what is read, before anything is allocated."""

from __future__ import annotations

import base64
import binascii
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from facecom.io.parsed_mesh import FileFormatError, cut_short
from facecom.io.texture_images import MAX_TEXTURE_PIXELS, open_image

GLB_HEADER_BYTES = 20
"""Header of a GLB and of its first chunk."""
MAX_JSON_BYTES, MAX_JSON_VALUES = 2**29, 1_000_000
"""Size of the JSON text, which may hold buffers, and values in it at most: each costs some hundred bytes."""
MAX_NODES, MAX_NODE_DEPTH = 20_000, 200
"""Nodes at most, and how deep they may lie in each other."""
MAX_PRIMITIVES = 2_000
"""Pieces of meshes at most, as often as nodes show them; scans have a few."""
MAX_SCENE_VERTICES, MAX_SCENE_CORNERS = 8_000_000, 48_000_000
"""Vertices and corners of triangles at most, as often as nodes show them."""
MAX_REPEATED_VERTICES, VERTEX_BYTES = 2_000_000, 12
"""Vertices at most that are shown and not stored but repeated, and the least bytes of one that is stored."""
MAX_ACCESSOR_BYTES = 2**30
"""Bytes of all accessors together at most."""
_COMPRESSION = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
_COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_CHUNK_HEADER_BYTES = 8

View = tuple[int, int, memoryview | None]  # length, stride, and the bytes where they are in this file


def check_gltf(data: bytes, path: Path) -> None:
    """Refuse a GLB or glTF file that is cut short, compressed, damaged, or larger in memory than it may be.

    Parameters
    ----------
    data : the file
    path : where it lies; buffers and images of their own are looked for beside it alone

    Raises
    ------
    FileFormatError
        With the reason.
    """
    text, chunk = _glb_chunks(data) if path.suffix.lower() == ".glb" else (data, None)
    tree = _tree(text)
    try:
        _check_compression(tree)
        views = _views(tree, _buffers(tree, chunk, path.parent))
        counts = _accessors(tree, views)
        _check_scene(tree, counts, sum(length for length, _, _ in views) // VERTEX_BYTES)
        _check_images(tree, views, path.parent)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {str(error)[:40]}"
        raise FileFormatError(f"is no readable glTF scene ({reason}); export it again") from None


def _glb_chunks(data: bytes) -> tuple[bytes, bytes]:
    """The JSON text and the binary chunk of a GLB."""
    if data[:4] != b"glTF" or len(data) < GLB_HEADER_BYTES:
        raise FileFormatError("does not begin like a GLB file; check its extension or export it again")
    declared, size = int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little")
    if max(declared, GLB_HEADER_BYTES + size) > len(data):
        raise cut_short("bytes", max(declared, GLB_HEADER_BYTES + size), len(data))
    end = GLB_HEADER_BYTES + size
    length = int.from_bytes(data[end : end + 4], "little")
    chunk = data[end + _CHUNK_HEADER_BYTES :]
    if length > len(chunk):
        raise cut_short("bytes", end + _CHUNK_HEADER_BYTES + length, len(data))
    return data[GLB_HEADER_BYTES:end], chunk[:length]


def _tree(text: bytes) -> dict[str, Any]:
    """The JSON tree; one that is too large or too deep is refused before it is made."""
    values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    if len(text) > MAX_JSON_BYTES or values > MAX_JSON_VALUES:
        raise FileFormatError(f"has a glTF description of {values:,} values, more than is read; export the mesh alone")
    try:
        tree = json.loads(text)
    except RecursionError:
        raise FileFormatError("has a glTF description that is nested too deeply; export it again") from None
    except ValueError:
        raise FileFormatError("is not the JSON text of a glTF file; check its extension or export it again") from None
    if not isinstance(tree, dict):
        raise FileFormatError("is not the JSON text of a glTF file; check its extension or export it again")
    return tree


def _check_compression(tree: dict[str, Any]) -> None:
    """Name the compression that is not read."""
    needed = list(tree.get("extensionsRequired", ()))
    for name in _COMPRESSION:
        inside = name in tree.get("extensionsUsed", ()) and any(
            name in primitive.get("extensions", ()) and _has_no_plain_copy(tree, primitive)
            for mesh in tree.get("meshes", ())
            for primitive in mesh["primitives"]
        )
        if name in needed or inside:
            raise FileFormatError(f"is compressed with {name}, which is not read; export it without compression")


def _has_no_plain_copy(tree: dict[str, Any], primitive: dict[str, Any]) -> bool:
    return "bufferView" not in tree["accessors"][_index(primitive["attributes"]["POSITION"])]


def _index(value: Any) -> int:
    """A number of an entry or a size: a whole one that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FileFormatError(f"has {str(value)[:20]!r} where glTF has a count; it is damaged, export it again")
    return value


def _buffers(tree: dict[str, Any], chunk: bytes | None, folder: Path) -> list[tuple[int, bytes | None]]:
    """Size of each buffer, and its bytes where they are here already."""
    out: list[tuple[int, bytes | None]] = []
    for buffer in tree.get("buffers", ()):
        uri = buffer.get("uri")
        content = chunk if uri is None else _data_uri(uri)
        held = _sibling(uri, folder).stat().st_size if content is None and uri is not None else len(content or b"")
        declared = _index(buffer["byteLength"])
        if declared > held:
            raise cut_short("bytes of a buffer", declared, held)
        out.append((held, content))
    if sum(size for size, _ in out) > MAX_ACCESSOR_BYTES:
        raise FileFormatError(f"has buffers of more than {MAX_ACCESSOR_BYTES:,} bytes; decimate the mesh")
    return out


def _data_uri(uri: str) -> bytes | None:
    """The bytes of a `data:` address; None for any other."""
    if not uri.startswith("data:"):
        return None
    try:
        return base64.b64decode(uri.partition(",")[2], validate=False)
    except (binascii.Error, ValueError):
        raise FileFormatError("has a buffer that is not base64; export it again") from None


def _sibling(uri: str, folder: Path) -> Path:
    """The regular file that an address names, in the scan's folder or below."""
    try:
        found = (folder / unquote(uri)).resolve()
        inside = found.is_relative_to(folder.resolve()) and found.is_file()
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise FileFormatError(f"refers to {uri[:60]!r}, which is no file beside it; copy it there or export a .glb")
    return found


def _views(tree: dict[str, Any], buffers: list[tuple[int, bytes | None]]) -> list[View]:
    """Length and stride of each buffer view, and its bytes where they are here."""
    out: list[View] = []
    for view in tree.get("bufferViews", ()):
        size, content = buffers[_index(view["buffer"])]
        begin, length = _index(view.get("byteOffset", 0)), _index(view["byteLength"])
        if begin + length > size:
            raise cut_short("bytes of a buffer", begin + length, size)
        held = None if content is None else memoryview(content)[begin : begin + length]
        out.append((length, _index(view.get("byteStride", 0)), held))
    return out


def _accessors(tree: dict[str, Any], views: list[View]) -> list[int]:
    """The count of each accessor; one that reaches beyond its view is refused."""
    counts, total = [], 0
    room = sum(length for length, _, _ in views)
    for accessor in tree.get("accessors", ()):
        count = _index(accessor["count"])
        size = _COMPONENT_BYTES[accessor["componentType"]] * _COMPONENTS[accessor["type"]]
        if "bufferView" in accessor:
            length, stride, _ = views[_index(accessor["bufferView"])]
            needed = (count - 1) * (stride or size) + size if count else 0
            if _index(accessor.get("byteOffset", 0)) + needed > length:
                raise cut_short("bytes of an accessor", needed, length)
        elif count * size > room:
            raise cut_short("values of an accessor without data", count, 0)
        total += count * size
        counts.append(count)
    if total > MAX_ACCESSOR_BYTES:
        raise FileFormatError(f"has accessors of {total:,} bytes in all, more than is read; decimate the mesh")
    return counts


def _check_scene(tree: dict[str, Any], counts: list[int], stored: int) -> None:
    """Hold the nodes, and what they show, against the limits and the number of vertices that the file can hold."""
    nodes = tree.get("nodes", [])
    if len(nodes) > MAX_NODES:
        raise FileFormatError(f"has {len(nodes):,} nodes, more than {MAX_NODES:,}; export the mesh alone")
    _check_depth([[_index(child) for child in node.get("children", ())] for node in nodes])
    sizes = [_mesh_size(mesh, tree, counts) for mesh in tree.get("meshes", ())]
    shown = [sizes[_index(node["mesh"])] for node in nodes if "mesh" in node]
    for k, (what, most) in enumerate(
        (
            ("pieces", MAX_PRIMITIVES),
            ("vertices", min(MAX_SCENE_VERTICES, MAX_REPEATED_VERTICES + stored)),
            ("corners", MAX_SCENE_CORNERS),
        )
    ):
        total = max(sum(size[k] for size in shown), sum(size[k] for size in sizes))
        if total > most:
            raise FileFormatError(f"shows {total:,} {what} in all, more than {most:,}; export the scan alone")


def _mesh_size(mesh: dict[str, Any], tree: dict[str, Any], counts: list[int]) -> tuple[int, int, int]:
    """Pieces, vertices and corners of a mesh."""
    vertices = corners = 0
    for primitive in mesh["primitives"]:
        position = _index(primitive["attributes"]["POSITION"])
        accessor = tree["accessors"][position]
        if "bufferView" not in accessor:
            raise FileFormatError("has a mesh whose positions name no data; export it again")
        vertices += counts[position]
        corners += counts[_index(primitive["indices"])] if "indices" in primitive else counts[position]
    return len(mesh["primitives"]), vertices, corners


def _check_depth(children: list[list[int]]) -> None:
    """Refuse nodes within nodes that go too deep, or around."""
    level = {child for below in children for child in below}
    level = set(range(len(children))) - level if children else set()
    reached = 0
    seen: set[int] = set()
    while level:
        seen |= level
        reached += 1
        if reached > MAX_NODE_DEPTH:
            raise FileFormatError(f"has nodes within nodes, more than {MAX_NODE_DEPTH} deep; export the mesh alone")
        level = {child for node in level for child in children[node]}
    if len(seen) < len(children):
        raise FileFormatError("has nodes that lie within themselves; export it again")


def _check_images(tree: dict[str, Any], views: list[View], folder: Path) -> None:
    """Hold the pixels of all images together against the limit; what is no image is left to the reader."""
    from PIL import Image

    total = 0
    for image in tree.get("images", ()):
        content = views[_index(image["bufferView"])][2] if "bufferView" in image else _data_uri(image["uri"])
        source = _sibling(image["uri"], folder) if content is None and "uri" in image else io.BytesIO(content or b"")
        try:
            with open_image(source) as opened:
                total += opened.width * opened.height
        except (OSError, ValueError, SyntaxError):
            continue
        except Image.DecompressionBombError:
            total += MAX_TEXTURE_PIXELS + 1
        if total > MAX_TEXTURE_PIXELS:
            raise FileFormatError(
                f"has textures of more than {MAX_TEXTURE_PIXELS:,} pixels in all; export it with smaller ones or none"
            )
