"""Which texture image lies on which face of an OBJ, by its material files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.io.parsed_mesh import FileFormatError, sibling_file
from facecom.io.reading_warnings import warn
from facecom.io.text_lines import text_lines

MAX_MATERIAL_BYTES = 4_000_000
"""Size of a material file at most; real ones have some kilobytes."""
MAX_TILES = 100
"""Texture tiles of one material at most: UDIM numbers ten in a row, and scans have a few rows."""
FIRST_UDIM_TILE, UDIM_TILES_IN_A_ROW = 1001, 10
"""UDIM: the tile at (u, v) is 1001 + u + 10 v."""
_UDIM = "<UDIM>"
_OPTION_WORDS = {
    b"-blendu": 1, b"-blendv": 1, b"-cc": 1, b"-clamp": 1, b"-texres": 1, b"-bm": 1, b"-boost": 1,
    b"-imfchan": 1, b"-type": 1, b"-mm": 2,
}  # fmt: skip
_MOVES = {b"-o": 0.0, b"-s": 1.0, b"-t": 0.0}
"""Options that move the texture, each with one to three numbers, and the number that moves nothing."""

Faces = tuple[Ints, Floats | None]  # the line of each face, (F,), and texture coordinates of its corners, (F, 3, 2)


def face_textures(
    libraries: list[bytes], used: tuple[list[bytes], list[int]], folder: Path, faces: Faces
) -> tuple[tuple[str, ...], Ints | None]:
    """Names of the images, and which of them lies on each face, -1 for none; None where one lies on all.

    Parameters
    ----------
    libraries : what stands behind `mtllib`
    used : what stands behind `usemtl`, and in which lines
    folder : of the scan; no image or material file outside it is looked at
    faces : the line of each face and the texture coordinates of its corners
    """
    materials = _materials(libraries, folder)
    images = dict.fromkeys(name for name in materials.values() if name)
    if not images:
        return (), None
    if len(images) == 1 and all(materials.values()) and not _is_tiled(next(iter(images)), folder):
        return tuple(images), None
    line, corner_uv = faces
    names = list(images)
    number = {material: names.index(name) if name else -1 for material, name in materials.items()}
    default = 0 if len(names) == 1 else -1
    known = np.array([default, *(number.get(word.strip(), default) for word in used[0])], np.int64)
    chosen = known[np.searchsorted(np.array(used[1], np.int64), line)]
    return _with_tiles(names, chosen, corner_uv, folder)


def _materials(libraries: list[bytes], folder: Path) -> dict[bytes, str | None]:
    """The diffuse image of each material, by name, in the order of the material files."""
    out: dict[bytes, str | None] = {}
    for library in dict.fromkeys(libraries):
        whole = sibling_file(folder, library.decode("utf-8", "replace").strip())
        words = [] if whole else [word.decode("utf-8", "replace") for word in library.split()[:MAX_TILES]]
        for found in [whole] if whole else [sibling_file(folder, word) for word in words]:
            if found is not None:
                out.update(_material_file(found))
    return out


def _material_file(path: Path) -> dict[bytes, str | None]:
    """The same of one file; a broken one leaves the scan usable."""
    out: dict[bytes, str | None] = {}
    material = b""
    try:
        if path.stat().st_size > MAX_MATERIAL_BYTES:
            raise FileFormatError(f"is larger than {MAX_MATERIAL_BYTES:,} bytes")
        for line in text_lines(path.read_bytes()):
            word, _, rest = line.strip().partition(b" ")
            if word == b"newmtl":
                material = rest.strip()
                out[material] = None
            elif word.lower() == b"map_kd":
                out[material] = _image_name(rest, path)
    except (OSError, FileFormatError) as error:
        warn(f"the material file {path.name} cannot be read ({error}), so the scan has no texture")
        return {}
    return out


def _image_name(words: bytes, path: Path) -> str | None:
    """The name behind the options of `map_Kd`; None, with a warning, where they move the image over the face."""
    parts = words.split()
    at, moved = 0, False
    while at < len(parts) - 1 and (parts[at] in _OPTION_WORDS or parts[at] in _MOVES):
        option, at = parts[at], at + 1
        if option in _OPTION_WORDS:
            at += _OPTION_WORDS[option]
            continue
        first = at
        while at < min(first + 3, len(parts) - 1) and (value := _number(parts[at])) is not None:
            moved, at = moved or value != _MOVES[option], at + 1
    if at >= len(parts):
        return None
    if moved:
        warn(f"{path.name} moves or scales its texture with -o, -s or -t, which is not read: no colours from it")
        return None
    return words.split(None, at)[-1].strip(b' "').decode("utf-8", "replace")


def _number(word: bytes) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _is_tiled(name: str, folder: Path) -> bool:
    """Whether a name stands for several UDIM tiles: it says so, or it is the first and the next one is there."""
    first = str(FIRST_UDIM_TILE)
    next_ones = (FIRST_UDIM_TILE + 1, FIRST_UDIM_TILE + UDIM_TILES_IN_A_ROW)
    return _UDIM in name or (
        first in name and any(sibling_file(folder, name.replace(first, str(n))) for n in next_ones)
    )


def _with_tiles(names: list[str], chosen: Ints, corner_uv: Floats | None, folder: Path) -> tuple[tuple[str, ...], Ints]:
    """Names and choices with each tile of a tiled image as an image of its own."""
    if corner_uv is None or not len(chosen):
        return tuple(names), chosen
    middle = corner_uv.mean(axis=1)
    cell = np.floor(np.where(np.isfinite(middle), np.clip(middle, 0, MAX_TILES), 0)).astype(np.int64)
    tile = FIRST_UDIM_TILE + np.minimum(cell[:, 0], UDIM_TILES_IN_A_ROW - 1) + UDIM_TILES_IN_A_ROW * cell[:, 1]
    out, result = list(names), chosen.copy()
    for k, name in enumerate(names):
        if not _is_tiled(name, folder):
            continue
        template = name.replace(_UDIM, str(FIRST_UDIM_TILE))
        for number in np.unique(tile[chosen == k])[:MAX_TILES]:
            out.append(template.replace(str(FIRST_UDIM_TILE), str(number)))
            result[(chosen == k) & (tile == number)] = len(out) - 1
        result[result == k] = -1
    return tuple(out), result
