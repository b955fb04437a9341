"""The tissue along the scan's borders, triangle by triangle."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.shell import rim_tissue
from facecom.prosthesis.shell.rim_tissue import columns_under, rim_tissue_solid
from facecom.prosthesis.solid.booleans import heightfield_solid, to_solid


def holed(workshop, step: float) -> Mesh:
    """A plate with a square hole, 10 mm wide."""
    skin = workshop.plate(14.0, step)
    return skin.submesh(~(np.abs(skin.vertices[skin.faces][:, :, :2]) <= 5.0 + 1e-9).all((1, 2)))[0]


@pytest.mark.parametrize("most", [3000, 200])
def test_the_tissue_reaches_the_scans_border_and_no_farther_than_the_clearance(workshop, most, monkeypatch):
    monkeypatch.setattr(rim_tissue, "MOST_COLUMNS", most)
    scan = holed(workshop, 0.5)
    solid = rim_tissue_solid(scan, workshop.plate(8.0), floor=-10.0, clearance_mm=0.1)

    def inside(half, width):
        ring = [to_solid(heightfield_solid(np.full((9, 9), -1.0), origin=np.full(2, -k), spacing=k / 4, floor=-3.0))
                for k in (half, half + width)]  # fmt: skip
        ring = ring[1] - ring[0]
        return float((ring ^ solid).volume() / ring.volume())

    slack = 0.0 if most == 3000 else 0.5  # joined corners reach half a cell into the hole
    assert inside(4.6 - slack, 0.28) == 0.0 and inside(5.0 + slack, 0.6) == pytest.approx(1.0, abs=1e-6)


def test_folded_triangles_are_one_solid():
    rng = np.random.default_rng(2)
    corners = rng.uniform(-2, 2, (60, 1, 3)) * [1, 1, 0.1] + rng.normal(0, 0.6, (60, 3, 3))
    solid = columns_under(corners, floor=-6.0, around_mm=0.1)
    assert solid.status().name == "NoError" and solid.volume() > 0
    for corner in corners[:10]:
        under = columns_under(corner[None], floor=-6.0, around_mm=0.05)
        assert (under - solid).volume() < 1e-6


def test_far_from_the_border_flat_skin_is_left_to_the_height_field(workshop):
    assert rim_tissue_solid(workshop.plate(14.0), workshop.plate(4.0), floor=-5.0, clearance_mm=0.1).is_empty()
