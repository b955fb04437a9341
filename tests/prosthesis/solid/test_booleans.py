"""Closed solids of surfaces and height fields."""

import numpy as np
import pytest
import trimesh

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.solid.booleans import heightfield_solid, to_solid


def test_solids_of_height_fields_are_closed_and_hold_what_lies_under_them():
    heights = np.array([[1.0, 2.0, np.nan], [1.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    solid = heightfield_solid(heights, origin=np.zeros(2), spacing=1.0, floor=-1.0)
    checked = trimesh.Trimesh(solid.vertices, solid.faces, process=False)
    assert checked.is_watertight and checked.volume == pytest.approx(to_solid(solid).volume())
    flat = heightfield_solid(np.ones((3, 4)), origin=np.zeros(2), spacing=2.0, floor=-1.0)
    assert to_solid(flat).volume() == pytest.approx(2 * 3 * 4 * 2.0)
    with pytest.raises(ValueError, match="no closed solid"):
        to_solid(Mesh(solid.vertices, solid.faces[1:]))
