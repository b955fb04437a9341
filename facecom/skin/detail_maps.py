"""Detail as images in the template's uv: displacement, normals, provenance, and the files they go to."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, face_cross, unit, vertex_normals
from facecom.provenance import Provenance
from facecom.skin.types import Detail

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DetailMaps:
    """Images of H by W texels; row 0 is v = 1, column 0 is u = 0.

    displacement : (H, W) float32, mm along the normals of the subdivided face, zero where there is no detail;
    normal : (H, W, 3) float32, unit, tangent space (u, v, out); provenance : (H, W) uint8, see
    `Provenance`, 255 off the patch; covered : (H, W) bool.
    """

    displacement: Singles
    normal: Singles
    provenance: NDArray[np.uint8]
    covered: Bools


def bake_maps(detail: Detail, *, size: int = 2048) -> DetailMaps:
    """Draw a detail's displacement, normals and provenance into the uv of its face.

    Parameters
    ----------
    detail : Detail of a face that has a uv
    size : texels a side

    Raises
    ------
    ValueError
        When the face had no uv, or `size` is not positive.
    """
    uv = detail.smooth.uv
    if uv is None:
        raise ValueError("the face has no uv, so its detail cannot be drawn as maps; give add_detail a face with uv")
    if size < 1:
        raise ValueError(f"size must be positive, got {size}")
    faces = detail.smooth.faces
    sheet = _upwards(Mesh(np.c_[uv, np.zeros(len(uv))], faces))
    at = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(at, at[::-1])
    hits = Surface(sheet).cast(np.stack([u, v, np.ones_like(u)], -1), np.array([0.0, 0.0, -1.0]))
    covered = hits.faces >= 0
    corners, weights = sheet.faces[hits.faces[covered]], hits.barycentric[covered]
    height = np.einsum("tk,tk->t", weights, detail.displacement[corners])
    tangent = unit(np.einsum("tk,tkd->td", weights, tangent_normals(detail)[corners]))
    source = detail.provenance[corners[np.arange(len(corners)), weights.argmax(1)]]
    normal = np.broadcast_to(np.array([0, 0, 1], np.float32), (size, size, 3)).copy()
    displacement, provenance = np.zeros((size, size), np.float32), np.full((size, size), 255, np.uint8)
    displacement[covered], normal[covered], provenance[covered] = height, tangent, source
    return DetailMaps(displacement, normal, provenance, covered & (provenance != Provenance.MODEL))


def _upwards(sheet: Mesh) -> Mesh:
    """The flat mesh with every face counter-clockwise, so that rays from above hit front sides."""
    down = face_cross(sheet.vertices, sheet.faces)[:, 2] < 0
    return Mesh(sheet.vertices, np.where(down[:, None], sheet.faces[:, ::-1], sheet.faces))


def tangent_normals(detail: Detail) -> Floats:
    """Normals of the fine mesh in the frame (u direction, v direction, smooth normal) of each vertex, (P, 3)."""
    smooth, uv = detail.smooth, detail.smooth.uv
    if uv is None:
        raise ValueError("the face has no uv, so it has no tangent space")
    corners, place = smooth.vertices[smooth.faces], uv[smooth.faces]
    edge, turn = corners[:, 1:] - corners[:, :1], place[:, 1:] - place[:, :1]
    area = turn[:, 0, 0] * turn[:, 1, 1] - turn[:, 0, 1] * turn[:, 1, 0]
    along = (edge[:, 0] * turn[:, 1, 1:] - edge[:, 1] * turn[:, 0, 1:]) * np.sign(area)[:, None]
    total = np.stack(
        [np.bincount(smooth.faces.ravel(), np.repeat(along[:, k], 3), minlength=len(uv)) for k in range(3)], axis=1
    )
    out = detail.normals
    u = unit(total - np.einsum("pd,pd->p", total, out)[:, None] * out)
    mirrored = np.bincount(smooth.faces.ravel(), np.repeat(area, 3), minlength=len(uv)) < 0
    v = np.cross(out, u) * np.where(mirrored, -1.0, 1.0)[:, None]
    fine = vertex_normals(detail.mesh.vertices, detail.mesh.faces)
    return np.stack([np.einsum("pd,pd->p", fine, axis) for axis in (u, v, out)], axis=1)


def write_exr(path: str | os.PathLike[str], channels: dict[str, Singles]) -> None:
    """Write float32 images as one uncompressed scan-line OpenEXR file.

    Source: OpenEXR File Layout, version 2 (openexr.com).

    Raises
    ------
    ValueError
        When there is no channel or the channels differ in shape.
    """
    shapes = {np.shape(image) for image in channels.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"expected channels of one shape (H, W), got {sorted(shapes)}")
    height, width = next(iter(shapes))
    names = sorted(channels)
    listed = b"".join(name.encode("ascii") + b"\0" + struct.pack("<iiii", 2, 0, 1, 1) for name in names) + b"\0"
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    header = struct.pack("<ii", 20000630, 2) + b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in (
            (b"channels", b"chlist", listed),
            (b"compression", b"compression", b"\0"),
            (b"dataWindow", b"box2i", window),
            (b"displayWindow", b"box2i", window),
            (b"lineOrder", b"lineOrder", b"\0"),
            (b"pixelAspectRatio", b"float", struct.pack("<f", 1.0)),
            (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0.0, 0.0)),
            (b"screenWindowWidth", b"float", struct.pack("<f", 1.0)),
        )
    )
    header += b"\0"
    row = 4 * width * len(names)
    first = len(header) + 8 * height
    lines = np.stack([np.asarray(channels[name], "<f4") for name in names], axis=1)
    with open(path, "wb") as file:
        file.write(header)
        file.write((first + np.arange(height, dtype="<u8") * (row + 8)).tobytes())
        for y, line in enumerate(lines):
            file.write(struct.pack("<ii", y, row) + line.tobytes())


def write_png16(path: str | os.PathLike[str], image: NDArray[np.uint16], *, text: dict[str, str] | None = None) -> None:
    """Write (H, W) or (H, W, 3) 16-bit samples as PNG, with text entries (W3C PNG, second edition).

    Raises
    ------
    ValueError
        On another shape or type.
    """
    if image.dtype != np.uint16 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"expected uint16 of shape (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    kind = 0 if image.ndim == 2 else 2
    rows = image.astype(">u2").reshape(len(image), -1).view(np.uint8)
    packed = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes(), 6)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, kind, 0, 0, 0)))
        for key, value in (text or {}).items():
            file.write(_chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1")))
        file.write(_chunk(b"IDAT", packed) + _chunk(b"IEND", b""))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def quantised(values: Floats) -> tuple[NDArray[np.uint16], float]:
    """16-bit samples of signed lengths, 32768 is zero, and the mm that one step stands for."""
    largest = float(np.abs(values).max(initial=0.0))
    step = max(largest, 1e-6) / 32767.0
    return (np.rint(np.asarray(values, float) / step) + 32768).astype(np.uint16), step


def write_maps(maps: DetailMaps, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write displacement.exr, displacement.png, normal.png and provenance.png into a folder; returns the paths.

    `displacement.png` says in its text entry `mm_per_step` what one of its steps is; 32768 is zero.
    """
    paths = [os.path.join(folder, f"{name}") for name in ("displacement.exr", "displacement.png", "normal.png")]
    write_exr(paths[0], {"Y": maps.displacement})
    samples, step = quantised(maps.displacement.astype(float))
    write_png16(paths[1], samples, text={"mm_per_step": f"{step:.9g}", "zero": "32768"})
    write_png16(paths[2], np.rint((maps.normal * 0.5 + 0.5) * 65535).astype(np.uint16))
    paths.append(os.path.join(folder, "provenance.png"))
    write_png16(paths[3], maps.provenance.astype(np.uint16), text={"values": "see facecom.Provenance"})
    return tuple(paths)
