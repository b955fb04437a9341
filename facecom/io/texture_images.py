"""Texture images: loading within bounds, and their colours at places and on vertices."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints
from facecom.io.reading_warnings import warn

if TYPE_CHECKING:
    import PIL.Image

UNKNOWN_GREY = 0.5
"""Colour of a vertex that no texture coordinate belongs to."""
MAX_TEXTURE_PIXELS = 2 * 8192 * 8192
"""Pixels of all textures of a scan together; each costs up to seven bytes while it is read."""


def load_image(path: Path, *, pixels: int = MAX_TEXTURE_PIXELS) -> NDArray[np.uint8] | None:
    """The colours (H, W, 3) of an image file; None, with a warning, where it is broken or has too many pixels."""
    return image_array(path, name=path.name, pixels=pixels)


def image_array(source: Path | IO[bytes], *, name: str, pixels: int) -> NDArray[np.uint8] | None:
    """The colours (H, W, 3) of an image; None, with a warning, where it is broken or has too many pixels."""
    from PIL import Image

    try:
        with open_image(source) as image:
            if image.width * image.height > pixels:
                warn(f"the texture {name} has {image.width} x {image.height} pixels, too many to be read")
                return None
            return np.asarray(image.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        warn(f"the texture {name} cannot be read ({error}), so it gives no colours")
        return None


def open_image(source: Path | IO[bytes]) -> PIL.Image.Image:
    """An image whose size is known and whose pixels are not read; it is for the caller to judge its size."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source)


def sample_texture(image: NDArray[np.uint8], uv: Floats) -> Floats:
    """Colours (N, 3) in 0..1 at places (N, 2) of an image (H, W, 3), u to the right, v up, repeated beyond 0..1."""
    known = np.asarray(np.isfinite(uv).all(axis=1), bool)
    beyond = (uv < 0) | (uv > 1)
    place = np.where(known[:, None], np.where(beyond, uv % 1.0, uv), 0.0)
    size = np.array(image.shape[:2])
    row = np.rint((1.0 - place[:, 1]) * (size[0] - 1)).astype(np.int64)
    column = np.rint(place[:, 0] * (size[1] - 1)).astype(np.int64)
    return np.where(known[:, None], image[row, column, :3] / 255.0, np.nan)


def mean_vertex_colors(corners: Ints, sampled: Floats, count: int) -> Floats:
    """Colours (count, 3) of vertices, each the mean of what its corners (N,) sampled, (N, 3); grey where none did."""
    known = np.isfinite(sampled).all(1)
    number = np.bincount(corners[known], minlength=count)
    total = [np.bincount(corners[known], sampled[known, k], minlength=len(number)) for k in range(3)]
    return np.where(number > 0, np.array(total) / np.maximum(number, 1), UNKNOWN_GREY).T


def colors_of_textures(
    images: Sequence[NDArray[np.uint8] | None], faces: Ints, face_texture: Ints, corner_uv: Floats, count: int
) -> Floats:
    """Colours (count, 3) of vertices under several textures.

    Parameters
    ----------
    images : the textures; None for one that could not be read
    faces : (F, 3)
    face_texture : (F,) which image lies on each face, -1 for none
    corner_uv : (F, 3, 2)
    count : number of vertices
    """
    middle = corner_uv.mean(axis=1, keepdims=True)
    corner_uv = corner_uv - np.floor(np.where(np.isfinite(middle), middle, 0.0))  # tiles lie side by side
    sampled = np.full((len(faces), 3, 3), np.nan)
    for k, image in enumerate(images):
        here = face_texture == k
        if image is not None and here.any():
            sampled[here] = sample_texture(image, corner_uv[here].reshape(-1, 2)).reshape(-1, 3, 3)
    return mean_vertex_colors(faces.ravel(), sampled.reshape(-1, 3), count)
