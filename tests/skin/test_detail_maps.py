"""Displacement, normal and provenance maps of a ramp, and the file that holds their scale."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.skin import detail_maps
from facecom.skin.noise_bands import BandReport, band_wavelengths
from facecom.skin.types import Detail


def ramp_detail(height: np.ndarray | None = None, *, uv: bool = True) -> Detail:
    """A square of 10 mm in the uv square, displaced along z by a ramp in x."""
    at = np.linspace(0, 1, 21)
    u, v = (a.ravel() for a in np.meshgrid(at, at))
    corner = np.arange(441).reshape(21, 21)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, 1:].ravel(), corner[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    flat = np.stack([10 * u, 10 * v, 0 * u], 1)
    height = 0.5 * u if height is None else height
    smooth = Mesh(flat, faces, uv=np.stack([u, v], 1) if uv else None)
    nothing = np.zeros(4)
    flags = np.zeros(4, bool)
    return Detail(
        mesh=Mesh(flat + height[:, None] * [0, 0, 1], faces),
        smooth=smooth,
        normals=vertex_normals(flat, faces),
        displacement=height,
        base_offset=0 * height,
        provenance=np.where(u > 0.5, 4, 0),
        bands=BandReport(band_wavelengths(4.5), 0.2, 0.0, nothing, nothing, flags, flags),
        warnings=(),
    )


def test_maps_show_the_ramp_the_right_way_up():
    baked = detail_maps.bake_maps(ramp_detail(), size=40)
    at = (np.arange(40) + 0.5) / 40
    assert baked.covered.all()
    assert np.allclose(baked.displacement, np.broadcast_to(0.5 * at, (40, 40)), atol=1e-5)
    slope = np.array([-0.05, 0.0, 1.0]) / np.hypot(0.05, 1.0)
    assert np.allclose(baked.normal, slope, atol=1e-4)
    assert (baked.provenance[:, 25:] == 4).all() and (baked.provenance[:, :18] == 0).all()
    tall = detail_maps.bake_maps(ramp_detail(np.linspace(0, 1, 21).repeat(21)), size=20)
    assert (np.diff(tall.displacement[:, 5]) < 0).all()


def test_no_uv_no_maps():
    with pytest.raises(ValueError, match="no uv"):
        detail_maps.bake_maps(ramp_detail(uv=False))
    with pytest.raises(ValueError, match="size must be positive"):
        detail_maps.bake_maps(ramp_detail(), size=0)


def test_files_carry_the_scale(tmp_path):
    baked = detail_maps.bake_maps(ramp_detail(), size=16)
    paths = detail_maps.write_maps(baked, tmp_path)
    assert all((tmp_path / name).exists() for name in ("displacement.exr", "displacement.png", "normal.png"))
    assert len(paths) == 4
    data = (tmp_path / "displacement.png").read_bytes()
    where = data.index(b"IHDR")
    assert struct.unpack(">IIBB", data[where + 4 : where + 14]) == (16, 16, 16, 0)
    assert struct.unpack(">I", data[where + 17 : where + 21])[0] == zlib.crc32(data[where : where + 17])
    where = data.index(b"tEXtmm_per_step")
    (length,) = struct.unpack(">I", data[where - 4 : where])
    step = float(data[where + 4 : where + 4 + length].split(b"\0")[1])
    begin = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[begin - 4 : begin])
    rows = np.frombuffer(zlib.decompress(data[begin + 4 : begin + 4 + size]), np.uint8).reshape(16, -1)
    samples = rows[:, 1:].copy().view(">u2").astype(float)
    assert np.allclose((samples - 32768) * step, baked.displacement, atol=1.5 * step)
