"""The part is what lies under its outer face, less the solid behind its intaglio and the tissue."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.prosthesis.shell.carving import carve, near_self_intersections
from facecom.prosthesis.solid.booleans import extrude_to_floor, to_mesh, to_solid


def _block(mesh: Mesh, depth: float):
    """All that lies deeper under a surface than a length."""
    return to_solid(extrude_to_floor(mesh.with_vertices(mesh.vertices - [0.0, 0.0, depth]), floor=-20.0))


def _empty():
    return to_solid(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def test_a_wall_of_some_depth_is_left(workshop):
    dome = workshop.plate(height=lambda x, y: 2.0 - 0.02 * (x**2 + y**2))
    carved = carve(dome, intaglio=_block(dome, 3.0), tissue=_empty(), floor=-15.0, least_mm=0.3)
    assert carved.part.volume() == pytest.approx(16.0 * 16.0 * 3.0) and carved.warnings == ()
    with_tissue = carve(dome, intaglio=_block(dome, 3.0), tissue=_block(dome, 1.0), floor=-15.0, least_mm=0.3)
    assert with_tissue.part.volume() == pytest.approx(16.0 * 16.0)
    assert with_tissue.block.volume() == pytest.approx(carved.block.volume())


def test_nothing_left_is_refused(workshop):
    plate = workshop.plate()
    with pytest.raises(ValueError, match="nothing is left of the part"):
        carve(plate, intaglio=_empty(), tissue=_block(plate, -1.0), floor=-15.0, least_mm=0.3)


def test_pieces_that_hang_on_nothing_are_left_out_with_a_warning(workshop):
    plate = workshop.plate()
    # A ridge of tissue through the plate leaves 5 mm of it on one side and 9 mm on the other.
    ridge = Mesh([[2, -9, 1], [4, -9, 1], [4, 9, 1], [2, 9, 1]], [[0, 1, 2], [0, 2, 3]])
    carved = carve(plate, intaglio=_block(plate, 1.0), tissue=_block(ridge, 0.0), floor=-15.0, least_mm=0.3)
    (warning,) = carved.warnings
    assert warning.startswith("64 mm3 of the part hung on nothing")
    assert carved.part.volume() == pytest.approx(10.0 * 16.0)
    assert to_mesh(carved.part).vertices[:, 0].max() <= 2.0 + 1e-9


def test_self_intersections_are_looked_for_near_the_outer_face(workshop):
    plate = workshop.plate()
    assert not near_self_intersections(plate, plate).any()
    ticks = np.array([-1.0, 0.0, 1.0])
    blade = workshop.grid_disc(ticks, ticks, lambda u, v: (u + 0.13, np.full_like(u, 0.3), v + 0.2))
    faces = np.concatenate([plate.faces, blade.faces + len(plate.vertices)])
    both = Mesh(np.concatenate([plate.vertices, blade.vertices]), faces)
    near = near_self_intersections(both, plate)
    assert near.any() and np.abs(plate.vertices[near]).max() < 3.0


def test_a_thin_sheet_of_the_part_in_a_slot_of_the_tissue_is_cut_off(workshop):
    plate = workshop.plate(3.0)
    # Two banks of tissue, 0.15 mm apart, under a wall of 1 mm.
    corners = [[-4, -4, -1], [4, -4, -1], [4, 4, -1], [-4, 4, -1]]
    banks = [Mesh(np.add(corners, [x, 0, 0]), [[0, 1, 2], [0, 2, 3]]) for x in (-3.925, 4.225)]
    tissue = _block(banks[0], 0.0) + _block(banks[1], 0.0) + _block(plate, 3.0)
    narrow, wide = (carve(plate, intaglio=_empty(), tissue=tissue, floor=-15.0, least_mm=least) for least in (0.1, 0.3))
    below = [carved.part.trim_by_plane((0.0, 0.0, -1.0), 1.4).volume() for carved in (narrow, wide)]
    assert below[0] == pytest.approx(0.15 * 6.0 * 1.6) and below[1] < 0.02
    assert len(narrow.thin) == 0 and len(wide.thin) == 0
