"""A part goes down to its bed, and is a wall over what no scan shows."""

import numpy as np
import pytest

from facecom.geometry.mesh import joined
from facecom.prosthesis.shell.bed_fill import INTO_GROOVE_MM, SLOPE, BedFill
from facecom.prosthesis.solid.booleans import heightfield_solid, to_solid

FLOOR, WALL, BED, HALF = -20.0, -3.0, -9.0, 14.0


@pytest.fixture(scope="module")
def intaglio():
    """All that lies more than 3 mm behind a level outer face."""
    heights = np.full((31, 31), WALL)
    return to_solid(heightfield_solid(heights, origin=np.full(2, -15.0), spacing=1.0, floor=FLOOR))


@pytest.fixture
def cut(workshop, intaglio):
    """What is cut away behind a wall over a bed, as heights at places: its top, or the floor where there is nothing."""

    def of(bed, tissue=None):
        outer = workshop.plate(HALF)
        kept = BedFill(bed, tissue or bed, outer, floor=FLOOR, spacing=0.4).cut(intaglio)

        def top(x, y, width=0.2):
            column = kept.trim_by_plane((1.0, 0.0, 0.0), x - width).trim_by_plane((-1.0, 0.0, 0.0), -x - width)
            column = column.trim_by_plane((0.0, 1.0, 0.0), y - width).trim_by_plane((0.0, -1.0, 0.0), -y - width)
            return FLOOR if column.is_empty() else column.bounding_box()[5]

        return top

    return of


def holed(workshop, radius):
    """A level bed that lacks a disc around x = 4."""
    bed = workshop.plate(HALF, 0.5, z=BED)
    middle = bed.vertices[bed.faces].mean(1)
    return bed.submesh(np.hypot(middle[:, 0] - 4.0, middle[:, 1]) > radius)[0]


def test_over_a_bed_nothing_is_cut_away_behind_the_wall(workshop, cut):
    top = cut(workshop.plate(HALF, z=BED))
    assert max(top(x, y) for x, y in ((0, 0), (-10, 3), (8, -9))) < BED
    # Along the border it stays a wall: nothing hangs down from it.
    assert top(HALF - 0.7, 0.0) == pytest.approx(WALL, abs=1e-6)


def test_over_a_hole_of_the_bed_the_part_is_a_wall_and_goes_down_to_the_bed_at_a_slope(workshop, cut):
    top = cut(holed(workshop, 3.0))
    assert top(4.0, 0.0) == pytest.approx(WALL, abs=1e-6)
    for away in (2.0, 4.0, 8.0):
        assert top(4.0 - 3.0 - away, 0.0) == pytest.approx(max(WALL - SLOPE * away, BED - INTO_GROOVE_MM), abs=0.9)


def test_a_hole_that_single_rays_miss_is_none(workshop, cut):
    assert cut(holed(workshop, 0.7))(4.0, 0.0) < BED


def test_beside_the_bed_the_part_is_a_wall_over_skin_and_that_is_no_hole(workshop, cut):
    # The bed ends at x = 6; beyond it the skin lies right behind the wall.
    bed, skin = workshop.plate(HALF, 0.5, z=BED), workshop.plate(HALF, 0.5, z=WALL - 0.5)
    bed, skin = (
        mesh.submesh((mesh.vertices[mesh.faces].mean(1)[:, 0] < 6.0) == below)[0]
        for mesh, below in ((bed, True), (skin, False))
    )
    top = cut(bed, joined(bed, skin))
    assert top(10.0, 0.0) == pytest.approx(WALL, abs=1e-6) and top(3.0, 0.0) < BED


def test_a_bed_under_other_tissue_is_not_gone_down_to(workshop, cut):
    bed, bridge = workshop.plate(HALF, z=BED), workshop.plate(4.0, z=BED + 3.0)
    top = cut(bed, joined(bed, bridge))
    assert top(0.0, 0.0) == pytest.approx(WALL, abs=1e-6) and top(12.0, 12.0) < WALL - 2.0


def test_the_part_is_no_blade_in_a_narrow_groove_and_fills_a_wide_one(workshop, cut):
    def grooved(half):
        return workshop.plate(HALF, 0.25, height=lambda x, y: np.where(np.abs(x) < half, BED, WALL - 1.0))

    assert cut(grooved(0.6))(0.0, 0.0) == pytest.approx(WALL - 1.0 - INTO_GROOVE_MM, abs=0.1)
    assert cut(grooved(5.0))(0.0, 0.0) < BED
