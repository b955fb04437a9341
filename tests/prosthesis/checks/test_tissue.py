"""The overlap of a part with the tissue of a scan, against solids whose common volume is known."""

from dataclasses import astuple

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import rotation_from_vector
from facecom.prosthesis.checks.tissue import check_tissue
from facecom.prosthesis.solid.booleans import extrude_to_floor, heightfield_solid, to_mesh, to_solid

UP = (0.0, 0.0, 1.0)


def block(half: float, low: float, high: float, *, at=(0.0, 0.0)) -> Mesh:
    """A block of a square, 2 `half` wide, from `low` to `high`."""
    heights = np.full((9, 9), high)
    return heightfield_solid(heights, origin=np.array(at) - half, spacing=half / 4, floor=low)


def waves(x, y):
    return 1.5 * np.sin(0.35 * x) * np.cos(0.28 * y) + 0.02 * (x**2 + y**2) - 1.0


def ball(icosphere, radius: float, centre) -> Mesh:
    mesh = icosphere(4)
    return mesh.with_vertices(mesh.vertices * radius + np.asarray(centre))


@pytest.fixture(scope="module")
def bed(workshop) -> Mesh:
    return workshop.plate(16.0, 0.8, height=waves)


def reference(part: Mesh, bed: Mesh) -> float:
    """The volume that a part and the closed solid under a bed have in common, mm3."""
    return float((to_solid(part) ^ to_solid(extrude_to_floor(bed, floor=-40.0))).volume())


@pytest.mark.parametrize("depth", [2.0, 6.0])
def test_a_part_that_runs_into_a_flat_bed_is_as_deep_and_as_large_as_it_is(workshop, icosphere, depth):
    flat = workshop.plate(16.0, 2.0)
    found = check_tissue(block(5.0, -depth, 4.0), flat, axis=UP)
    assert found.tissue_overlap_deepest_mm == pytest.approx(depth, abs=0.02)
    assert found.tissue_overlap_mm3 == pytest.approx(100.0 * depth, rel=0.01)
    assert found.tissue_overlap_at[2] == pytest.approx(-depth, abs=0.02)
    assert found.withdrawal_free_mm == pytest.approx(depth, abs=0.02)
    assert found.withdrawal_overlap_deepest_mm == pytest.approx(depth - 0.25, abs=0.02)  # lifted by one step
    found = check_tissue(ball(icosphere, 8.0, (0, 0, 8.0 - depth)), flat, axis=UP)
    assert found.tissue_overlap_deepest_mm == pytest.approx(depth, abs=0.05)
    assert found.tissue_overlap_mm3 == pytest.approx(np.pi * depth**2 * (8.0 - depth / 3), rel=0.02)


@pytest.mark.parametrize("depth", [2.0, 6.0])
def test_the_volume_in_a_wavy_bed_is_that_of_solids(bed, icosphere, depth):
    part = ball(icosphere, 7.0, (1.0, -2.0, 7.0 - depth))
    found = check_tissue(part, bed, axis=UP)
    assert found.tissue_overlap_mm3 == pytest.approx(reference(part, bed), rel=0.02)


def test_a_tip_that_no_column_meets_is_as_deep_as_it_is(workshop):
    tip = [[0, 0, -2.0], [0.2, 0, 3], [-0.1, 0.17, 3], [-0.1, -0.17, 3]]
    cone = Mesh(tip, [[0, 2, 1], [0, 3, 2], [0, 1, 3], [1, 2, 3]])
    found = check_tissue(cone, workshop.plate(16.0, 2.0), axis=UP)
    assert found.tissue_overlap_deepest_mm == pytest.approx(2.0, abs=0.02)


def test_a_part_that_lies_on_the_bed_has_nothing_in_common_with_it(bed):
    seat = to_mesh(to_solid(block(6.0, -30.0, 6.0)) - to_solid(extrude_to_floor(bed, floor=-40.0)))
    found = check_tissue(seat, bed, axis=UP)
    assert found.tissue_overlap_mm3 < 0.05 and found.tissue_overlap_deepest_mm < 0.01
    assert found.withdrawal_overlap_mm3 == 0.0
    lifted = seat.with_vertices(seat.vertices + [0, 0, 0.1])
    assert astuple(check_tissue(lifted, bed, axis=UP))[:2] == (0.0, 0.0)


def test_an_undercut_collides_on_the_way_off_and_not_in_the_seat(workshop, icosphere):
    # Skin with a cavity that is narrower at its mouth: a ball rests in it freely and does not come out.
    def place(turn, along):
        polar = np.interp(along, [0, 1], [-0.5 * np.pi, np.arcsin(4 / 6)])
        radius = np.where(along <= 1, 6.0 * np.cos(polar), mouth + 15.0 * (along - 1)) + 0.01
        return radius * np.cos(turn), radius * np.sin(turn), 6.0 * np.sin(polar)

    mouth = np.sqrt(6.0**2 - 4.0**2)
    cavity = workshop.grid_disc(np.linspace(0, 2 * np.pi, 181), np.linspace(0, 2, 161), place)
    found = check_tissue(ball(icosphere, 5.8, (0, 0, 0)), cavity, axis=UP)
    assert found.tissue_overlap_mm3 < 0.1
    # On its way through the mouth it is 5.8 mm wide where there are 4.5.
    solid = to_solid(block(14.0, -30.0, 4.0)) - to_solid(ball(icosphere, 6.0, (0, 0, 0)))
    lifted = to_solid(ball(icosphere, 5.8, (0, 0, found.withdrawal_worst_mm)))
    assert found.withdrawal_overlap_mm3 == pytest.approx((solid ^ lifted).volume(), rel=0.03)
    assert found.withdrawal_overlap_mm3 > 20.0 and 0.4 < found.withdrawal_overlap_deepest_mm < 1.3
    assert 0.0 < found.withdrawal_worst_mm < found.withdrawal_free_mm
    assert found.withdrawal_free_mm <= 4.0 + 5.8 + 0.3
    assert check_tissue(ball(icosphere, 0.98 * mouth, (0, 0, 0)), cavity, axis=UP).withdrawal_overlap_mm3 == 0.0


def test_it_is_the_same_for_finer_turned_and_differently_wound_meshes(workshop, icosphere):
    part = ball(icosphere, 7.0, (1.0, -2.0, 5.0))
    plain = check_tissue(part, workshop.plate(16.0, 0.8, height=waves), axis=UP)
    fine = check_tissue(part, workshop.plate(16.0, 0.2, height=waves), axis=UP)
    bed = workshop.plate(16.0, 0.8, height=waves)
    turn, away = rotation_from_vector([0.4, -1.1, 0.7]), np.array([300.0, -120.0, 900.0])
    posed = check_tissue(
        part.with_vertices(part.vertices @ turn.T + away),
        bed.with_vertices(bed.vertices @ turn.T + away),
        axis=turn[:, 2],
    )
    wound = check_tissue(
        Mesh(part.vertices, part.faces[:, ::-1]), Mesh(bed.vertices, bed.faces[:, ::-1]), axis=(0, 0, 9)
    )
    mixed_faces = bed.faces.copy()
    mixed_faces[::3] = mixed_faces[::3, ::-1]
    mixed = check_tissue(part, Mesh(bed.vertices, mixed_faces), axis=UP)
    for other in (fine, posed, wound, mixed):
        assert other.tissue_overlap_mm3 == pytest.approx(plain.tissue_overlap_mm3, rel=0.02)
        assert other.tissue_overlap_deepest_mm == pytest.approx(plain.tissue_overlap_deepest_mm, abs=0.06)
    assert wound.tissue_overlap_mm3 == pytest.approx(plain.tissue_overlap_mm3, rel=1e-9)
    there = (np.array(posed.tissue_overlap_at) - away) @ turn
    assert np.linalg.norm(there - plain.tissue_overlap_at) < 0.5


def test_behind_an_ear_scanned_on_both_sides_is_no_tissue(workshop):
    head, ear = workshop.plate(16.0, 2.0, z=-12.0), block(6.0, -1.5, 1.5)
    both = Mesh(
        np.concatenate([head.vertices, ear.vertices]), np.concatenate([head.faces, ear.faces + len(head.vertices)])
    )
    behind = check_tissue(block(4.0, -9.0, -4.0), both, axis=UP)
    assert behind.tissue_overlap_mm3 == 0.0
    assert behind.withdrawal_overlap_mm3 == pytest.approx(64.0 * 3.0, rel=0.02)  # the ear is in its way
    through = check_tissue(block(4.0, -5.0, 5.0), both, axis=UP)
    assert through.tissue_overlap_mm3 == pytest.approx(64.0 * 3.0, rel=0.02)
    assert through.tissue_overlap_deepest_mm == pytest.approx(1.5, abs=0.1)


def test_behind_an_ear_without_a_back_the_closest_surface_decides(workshop):
    head, front = workshop.plate(16.0, 2.0, z=-12.0), workshop.plate(6.0, 1.0)
    both = Mesh(
        np.concatenate([head.vertices, front.vertices]), np.concatenate([head.faces, front.faces + len(head.vertices)])
    )
    found = check_tissue(block(2.0, -11.0, 4.0), both, axis=UP)
    assert found.tissue_overlap_mm3 == pytest.approx(16.0 * 6.0, rel=0.15)  # half way down to the head


def test_through_a_hole_nothing_is_known_and_at_its_rim_the_tissue_ends(workshop):
    skin = workshop.plate(20.0, 1.0)
    hole = (np.abs(skin.vertices[skin.faces][:, :, :2]) <= 8.0).all((1, 2))
    scan, _ = skin.submesh(~hole)
    back = workshop.plate(20.0, 2.0, z=-150.0)
    head = Mesh(
        np.concatenate([scan.vertices, back.vertices]),
        np.concatenate([scan.faces, back.faces[:, ::-1] + len(scan.vertices)]),
    )
    for surface in (scan, head):  # also where the inside of the back of the head is seen through it
        assert check_tissue(block(7.5, -20.0, 2.0), surface, axis=UP).tissue_overlap_mm3 == 0.0
        found = check_tissue(block(8.5, -20.0, 2.0), surface, axis=UP)
        assert found.tissue_overlap_mm3 == pytest.approx(20.0 * (17.0**2 - 16.0**2), rel=0.05)
        assert found.tissue_overlap_deepest_mm == pytest.approx(np.hypot(0.5, 0.5), abs=0.1)


def test_noise_and_gaps_of_the_scanner_hardly_matter(workshop):
    rng = np.random.default_rng(3)
    bed = workshop.plate(16.0, 0.5)
    rough = bed.with_vertices(bed.vertices + rng.normal(0, 0.1, bed.vertices.shape))
    torn, _ = rough.submesh(rng.random(len(rough.faces)) > 0.02)
    found = check_tissue(block(5.0, -6.0, 4.0), torn, axis=UP)
    assert found.tissue_overlap_mm3 == pytest.approx(600.0, rel=0.05)
    assert found.tissue_overlap_deepest_mm == pytest.approx(6.0, abs=0.3)
    assert check_tissue(block(5.0, 0.6, 4.0), torn, axis=UP).tissue_overlap_mm3 == 0.0


def test_beside_the_scan_there_is_nothing(workshop):
    far = block(5.0, -6.0, 4.0, at=(200.0, 0.0))
    found = check_tissue(far, workshop.plate(), axis=UP)
    assert (found.tissue_overlap_mm3, found.withdrawal_overlap_mm3, found.tissue_overlap_at) == (0.0, 0.0, None)


def test_what_cannot_be_checked_is_refused(workshop):
    bed, part = workshop.plate(), block(3.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="the part is not closed"):
        check_tissue(workshop.plate(4.0, z=1.0), bed, axis=UP)
    with pytest.raises(ValueError, match="need faces"):
        check_tissue(part, Mesh(bed.vertices, np.zeros((0, 3), int)), axis=UP)
    for axis in ((0, 0, 0), (0, 1), (np.nan, 0, 1)):
        with pytest.raises(ValueError, match="three numbers"):
            check_tissue(part, bed, axis=axis)
