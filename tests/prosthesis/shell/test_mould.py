"""The mould fits the part, and its halves come apart."""

import numpy as np
import pytest
import trimesh

from facecom.geometry.closest_points import Surface
from facecom.prosthesis.shell.mould import MouldSettings, build_mould
from facecom.prosthesis.solid.booleans import to_mesh


def test_mould_and_part_fit_without_overlap_and_leave_no_gap(built):
    mould = build_mould(built.shell, settings=MouldSettings())
    part = built.shell.solid
    for solid in (mould.face, mould.back):
        mesh = to_mesh(solid)
        checked = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        assert checked.is_watertight and checked.volume == pytest.approx(solid.volume(), rel=1e-9)
    for first, second in ((mould.face, mould.back), (mould.face, part), (mould.back, part)):
        assert (first ^ second).volume() < 1e-3
    shown = built.shell.outer.mesh.vertices
    assert Surface(to_mesh(mould.face)).closest(shown).distance.max() < 1e-3
    assert len(mould.vents) >= 1
    # The channels reach the part: a rod's middle is empty all the way down.
    down = Surface(to_mesh(mould.back)).cast(mould.sprue[None] + [0, 0, 0.1], [[0.0, 0.0, -1.0]])
    assert not np.isfinite(down.depth).any()


def test_the_face_half_comes_off_along_the_axis_where_nothing_hangs_over(workshop):
    built = workshop.build(workshop.skin(5, spacing=2.5, half=24.0, radius=9.0), axis="front", grid_mm=1.0)
    mould = build_mould(built.shell, settings=MouldSettings())
    for up in (0.2, 1.0, 5.0):
        assert (mould.face.translate([0.0, 0.0, up]) ^ built.shell.solid).volume() < 1e-3
