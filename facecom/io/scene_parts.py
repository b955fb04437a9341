"""Meshes of a scene as one: each in its place, with the colours and the image that lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints
from facecom.io.parsed_mesh import ParsedMesh, vertex_uv_from_corners


def placed(part: ParsedMesh, linear: Floats, translation: Floats) -> ParsedMesh:
    """A mesh moved by `linear @ p + translation`; where that mirrors it, its triangles are turned to face outwards.

    Examples
    --------
    >>> part = ParsedMesh(np.eye(3), np.array([[0, 1, 2]]))
    >>> placed(part, np.diag([-1.0, 1, 1]), np.zeros(3)).faces.tolist()
    [[2, 1, 0]]
    """
    vertices = part.vertices @ linear.T + translation
    if not np.linalg.det(linear) < 0:
        return replace(part, vertices=vertices)
    corner_uv = None if part.corner_uv is None else part.corner_uv[:, ::-1]
    return replace(part, vertices=vertices, faces=part.faces[:, ::-1], corner_uv=corner_uv)


def concatenated(parts: Sequence[ParsedMesh]) -> ParsedMesh:
    """All parts as one mesh, one after another, with the image of each.

    A part has one image on all its faces, or `face_texture`. What only some parts have is NaN on the others.
    """
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])[:-1]
    return ParsedMesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        uv=_filled([part.uv for part in parts], [(len(part.vertices), 2) for part in parts]),
        corner_uv=_filled([part.corner_uv for part in parts], [(len(part.faces), 3, 2) for part in parts]),
        colors=_filled([part.colors for part in parts], [(len(part.vertices), 3) for part in parts]),
        **_textures(parts),
    )


def _filled(values: list[Floats | None], shapes: list[tuple[int, ...]]) -> Floats | None:
    if all(value is None for value in values):
        return None
    pairs = zip(values, shapes, strict=True)
    return np.concatenate([np.full(shape, np.nan) if value is None else value for value, shape in pairs])


def _key(texture: str | NDArray[np.uint8]) -> object:
    return texture if isinstance(texture, str) else id(texture)


def _textures(parts: Sequence[ParsedMesh]) -> dict[str, Any]:
    """The images of all parts, each once, and which of them lies on each face where it is not one on all."""
    images = {_key(texture): texture for part in parts for texture in part.textures}
    order = {key: number for number, key in enumerate(images)}
    chosen = np.concatenate([_chosen(part, order) for part in parts])
    if len(images) <= 1 and not (chosen < 0).any():
        return {"textures": tuple(images.values())}
    return {"textures": tuple(images.values()), "face_texture": chosen}


def _chosen(part: ParsedMesh, order: dict[object, int]) -> Ints:
    """Which image of the whole lies on each face of a part, -1 for none."""
    numbers = np.array([*(order[_key(texture)] for texture in part.textures), -1], np.int64)
    if part.face_texture is not None:
        return numbers[part.face_texture]
    return np.full(len(part.faces), numbers[0], np.int64)


def with_vertex_uv(mesh: ParsedMesh) -> ParsedMesh:
    """A mesh with texture coordinates of its vertices too, and without those of corners where they tell no more."""
    if mesh.corner_uv is None:
        return mesh
    uv, consistent = vertex_uv_from_corners(mesh.corner_uv, mesh.faces, len(mesh.vertices))
    return replace(mesh, uv=uv, corner_uv=None if consistent else mesh.corner_uv)
