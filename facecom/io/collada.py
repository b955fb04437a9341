"""COLLADA (.dae): the meshes of a scene in their places, with colours and the images that lie on them.

Format: COLLADA 1.4 and 1.5, https://www.khronos.org/collada/.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import numpy as np

from facecom.geometry.mesh import Floats
from facecom.io.collada_mesh import Geometry, Ids, read_geometry, target
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh
from facecom.io.reading_warnings import warn
from facecom.io.scene_parts import concatenated, placed, with_vertex_uv
from facecom.io.xml_tree import parse_xml, text_numbers

MAX_NODES, MAX_DEPTH, MAX_PARTS = 20_000, 200, 2_000
"""Nodes and meshes at most, as often as they are shown, and how deep nodes may lie in each other."""
MAX_VERTICES, MAX_TRIANGLES = 8_000_000, 16_000_000
"""Of all meshes, as often as they are shown."""
MAX_STEPS_TO_IMAGE = 6
"""Names that lead from a material to its image: texture, sampler, surface, image."""


class _Shown(NamedTuple):
    """A mesh in its place."""

    geometry: Element
    materials: dict[str, str]  # name in the mesh -> id
    transform: Floats  # (4, 4)


def read_dae(data: bytes) -> ParsedMesh:
    """Parse a COLLADA file: all meshes of its scene with the transforms of their nodes, in the file's order and unit.

    Raises
    ------
    FileFormatError
        When it is no such XML, names what is not there, places a mesh by what is not read, or asks for more than is
        read.
    """
    root = parse_xml(data, what="COLLADA")
    if root.tag != "COLLADA":
        raise FileFormatError("is no COLLADA file; check its extension or export it again")
    ids = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
    shown = _shown(root, ids)
    geometries: dict[int, Geometry] = {}
    parts: list[ParsedMesh] = []
    vertices = triangles = 0
    for one in shown:
        key = id(one.geometry)
        if key not in geometries:
            geometries[key] = read_geometry(one.geometry, ids)
        geometry = geometries[key]
        vertices, triangles = vertices + len(geometry.vertices), triangles + len(geometry.faces)
        if vertices > MAX_VERTICES or triangles > MAX_TRIANGLES:
            raise FileFormatError(f"shows more than {MAX_VERTICES:,} vertices in all; decimate it")
        if len(geometry.vertices):
            parts.append(_part(geometry, one, ids))
    if not parts:
        raise FileFormatError("holds no mesh; export it again")
    return with_vertex_uv(concatenated(parts))


def _part(geometry: Geometry, shown: _Shown, ids: Ids) -> ParsedMesh:
    """One mesh in its place, and the image of each of its materials."""
    names = [_image(ids.get(shown.materials.get(symbol, symbol)), ids) for symbol in geometry.symbols]
    images = list(dict.fromkeys(name for name in names if name))
    numbers = np.array([images.index(name) if name else -1 for name in names], np.int64)
    part = ParsedMesh(
        geometry.vertices, geometry.faces, corner_uv=geometry.corner_uv, colors=geometry.colors,
        textures=tuple(images), face_texture=numbers[geometry.face_symbol] if images else None,
    )  # fmt: skip
    return placed(part, shown.transform[:3, :3], shown.transform[:3, 3])


def _shown(root: Element, ids: Ids) -> list[_Shown]:
    """Every mesh as often as the scene shows it; where there is no scene, each once."""
    named = root.find("scene/instance_visual_scene")
    scene = target(named.get("url", ""), ids) if named is not None else root.find("library_visual_scenes/visual_scene")
    if scene is None:
        return [_Shown(one, {}, np.eye(4)) for one in root.findall("library_geometries/geometry")][:MAX_PARTS]
    out: list[_Shown] = []
    waiting = [(node, np.eye(4), 0) for node in reversed(scene.findall("node"))]
    visited = 0
    while waiting:
        node, above, depth = waiting.pop()
        visited += 1
        if visited > MAX_NODES or depth > MAX_DEPTH or len(out) > MAX_PARTS:
            raise FileFormatError("shows more nodes or meshes than are read; export the scan alone")
        here = above @ _transform(node)
        for instance in [*node.findall("instance_geometry"), *node.findall("instance_controller")]:
            out.append(_instance(instance, here, ids))
        inner = node.findall("node") + [target(one.get("url", ""), ids) for one in node.findall("instance_node")]
        waiting += [(one, here, depth + 1) for one in reversed(inner)]
    return out


def _instance(instance: Element, transform: Floats, ids: Ids) -> _Shown:
    """A mesh that a node shows, by itself or moved by a skeleton."""
    found = target(instance.get("url", ""), ids)
    if instance.tag == "instance_controller":
        warn("a skeleton or a morph moves a mesh of the file; it is read as it is without them")
        mover = next((child for child in found if child.tag in ("skin", "morph")), None)
        if mover is None:
            raise FileFormatError("has a controller without a mesh; it is damaged, export it again")
        found = target(mover.get("source", ""), ids)
        transform = transform @ _matrix(mover.findtext("bind_shape_matrix"))
    bound = instance.findall("bind_material/technique_common/instance_material")
    return _Shown(found, {one.get("symbol", ""): one.get("target", "").lstrip("#") for one in bound}, transform)


def _transform(node: Element) -> Floats:
    """The transform of a node, (4, 4): its steps one after another."""
    out = np.eye(4)
    for step in node:
        if step.tag in ("lookat", "skew"):
            raise FileFormatError(f"places a mesh by {step.tag}, which is not read; apply the transforms and export it")
        if step.tag == "matrix":
            out = out @ _matrix(step.text)
        elif step.tag in ("translate", "scale", "rotate"):
            out = out @ _step(step.tag, text_numbers(step.text or ""))
    return out


def _step(kind: str, values: Floats) -> Floats:
    """A translation, a scale, or a rotation in degrees about an axis."""
    if len(values) != (4 if kind == "rotate" else 3) or not np.isfinite(values).all():
        raise FileFormatError(f"has a step {kind} that is not made of finite numbers; export it again")
    out = np.eye(4)
    if kind == "translate":
        out[:3, 3] = values
    elif kind == "scale":
        out[:3, :3] = np.diag(values)
    elif length := float(np.linalg.norm(values[:3])):
        x, y, z = values[:3] / length
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        angle = np.radians(values[3])
        out[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return out


def _matrix(text: str | None) -> Floats:
    """A matrix row by row; none is that of no transform."""
    if text is None:
        return np.eye(4)
    values = text_numbers(text)
    if len(values) != 16 or not np.isfinite(values).all():
        raise FileFormatError("has a matrix that is not sixteen finite numbers; export it again")
    return values.reshape(4, 4)


def _image(material: Element | None, ids: Ids) -> str | None:
    """The name of the file that gives a material its diffuse colour."""
    effect = None if material is None else material.find("instance_effect")
    common = None if effect is None else target(effect.get("url", ""), ids).find("profile_COMMON")
    used = None if common is None else common.find("technique/*/diffuse/texture")
    if common is None or used is None:
        return None
    parameters = {one.get("sid"): one for one in common.findall("newparam")}
    name = used.get("texture", "")
    for _ in range(MAX_STEPS_TO_IMAGE):
        if name not in parameters:
            break
        inner = parameters[name]
        instance = inner.find("sampler2D/instance_image")
        following = inner.findtext("sampler2D/source") or inner.findtext("surface/init_from") or ""
        name = instance.get("url", "").lstrip("#") if instance is not None else following.strip()
    image = ids.get(name)
    words = None if image is None else image.findtext("init_from/ref") or image.findtext("init_from")
    return PurePosixPath(unquote(words.strip()).replace("\\", "/")).name or None if words else None
