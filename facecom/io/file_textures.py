"""The images that a scan names or holds: found beside it, read within bounds, and laid on its vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats
from facecom.io.parsed_mesh import ParsedMesh, sibling_file
from facecom.io.reading_warnings import warn
from facecom.io.texture_images import MAX_TEXTURE_PIXELS, colors_of_textures, load_image


def single_texture(parsed: ParsedMesh, where: Path) -> tuple[NDArray[np.uint8] | None, Path | None]:
    """The image and its file, where one lies on all faces; a missing or broken image leaves the scan usable."""
    if len(parsed.textures) != 1 or parsed.face_texture is not None:
        return None, None
    (texture,) = parsed.textures
    if isinstance(texture, np.ndarray):
        return texture, None
    found = sibling_file(where.parent, texture)
    if found is None:
        warn(f"{where.name} names the texture {texture}, which is not beside it, so it gives no colours")
        return None, None
    return load_image(found), found


def colors_of_several_textures(parsed: ParsedMesh, where: Path) -> Floats | None:
    """Colours of the vertices under several textures; None, with a warning, where no texture lies on a known place."""
    if parsed.face_texture is None and len(parsed.textures) < 2:
        return None
    corner_uv = parsed.corner_uv
    if corner_uv is None and parsed.uv is not None and len(parsed.faces):
        corner_uv = parsed.uv[parsed.faces]
    if parsed.face_texture is None or corner_uv is None:
        warn(f"{where.name} names several textures but not where each lies, so it has no colours")
        return None
    used = set(np.unique(parsed.face_texture).tolist())
    left = MAX_TEXTURE_PIXELS
    images: list[NDArray[np.uint8] | None] = []
    for k, texture in enumerate(parsed.textures):
        images.append(_image(texture, where, left) if k in used else None)
        left -= 0 if (last := images[-1]) is None else last.shape[0] * last.shape[1]
    if not any(image is not None for image in images):
        warn(f"{where.name} names textures, none of which is there and readable, so it has no colours")
        return None
    return colors_of_textures(images, parsed.faces, parsed.face_texture, corner_uv, len(parsed.vertices))


def _image(texture: str | NDArray[np.uint8], where: Path, pixels: int) -> NDArray[np.uint8] | None:
    if isinstance(texture, np.ndarray):
        return texture
    found = sibling_file(where.parent, texture)
    if found is None:
        warn(f"{where.name} names the texture {texture}, which is not beside it: its faces have no colours")
        return None
    return load_image(found, pixels=pixels)
