"""The check of a part as its file holds it, and the bounds that it may break."""

import json

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan, write_bytes
from facecom.prosthesis import CheckBounds, check_part
from facecom.prosthesis.checks.part_check import as_written, is_watertight, signed_volume
from facecom.prosthesis.output.three_mf import three_mf_bytes
from facecom.prosthesis.solid.booleans import heightfield_solid

UP = (0.0, 0.0, 1.0)


def block(low: float, high: float, half: float = 5.0) -> Mesh:
    return heightfield_solid(np.full((9, 9), high), origin=np.full(2, -half), spacing=half / 4, floor=low)


def test_watertight_means_closed_and_outwards(icosphere):
    ball = icosphere(1)
    assert is_watertight(ball) and signed_volume(ball) > 0
    assert not is_watertight(Mesh(ball.vertices, ball.faces[:, ::-1]))
    assert not is_watertight(Mesh(ball.vertices, ball.faces[1:]))
    flipped = ball.faces.copy()
    flipped[0] = flipped[0, ::-1]
    assert not is_watertight(Mesh(ball.vertices, flipped))
    assert not is_watertight(Mesh(ball.vertices, np.concatenate([ball.faces, ball.faces])))


def test_what_float32_closes_up_is_not_watertight_once_it_is_read_again(icosphere):
    ball = icosphere(4, radius=5.0)
    assert is_watertight(as_written(ball))
    # So far away, numbers of a float32 are 0.5 mm apart: small triangles fall in on themselves.
    far = ball.with_vertices(ball.vertices + 6e6)
    assert is_watertight(far) and not is_watertight(as_written(far))


def test_the_files_of_a_part_hold_the_same_corners(icosphere, tmp_path):
    part = icosphere(3, radius=7.0)
    part = part.with_vertices(part.vertices + [123.456789, -1500.123456, 0.00123])
    write_bytes(tmp_path / "part.3mf", three_mf_bytes(part, title="part"))
    read = read_scan(tmp_path / "part.3mf")
    assert np.array_equal(read.vertices.astype(np.float32), part.vertices.astype(np.float32))
    assert is_watertight(read)


def test_each_broken_bound_is_a_sentence(workshop):
    bed = workshop.plate(9.0)
    sound = check_part(block(0.05, 2.0), bed, axis=UP, edge_mm=0.3)
    assert sound.broken == () and sound.watertight and sound.self_intersections == 0
    assert sound.volume_mm3 == pytest.approx(195.0) and sound.thinnest_mm == pytest.approx(1.95, abs=0.01)
    deep = check_part(block(-1.0, 2.0), bed, axis=UP, edge_mm=0.3).broken
    assert len(deep) == 2 and "runs into the tissue: 100." in deep[0] and "on its way off" in deep[1]
    assert check_part(block(-1.0, 2.0), bed, axis=UP, edge_mm=0.3, bounds=CheckBounds(200, 2)).broken == ()
    assert "less than the edge of 2.5 mm" in check_part(block(0.05, 2.0), bed, axis=UP, edge_mm=2.5).broken[0]
    shallow = check_part(block(-0.2, 2.0), bed, axis=UP, edge_mm=0.3, bounds=CheckBounds(1000.0, 0.1)).broken
    assert "0.20 mm deep, where 1000 mm3 and 0.1 mm are allowed" in shallow[0]


def test_a_part_in_pieces_through_each_other_intersects_itself(workshop):
    one, other = block(0.1, 4.0), block(1.0, 6.0, half=2.0)
    both = Mesh(
        np.concatenate([one.vertices, other.vertices + [4.1, 0.3, 0.2]]),
        np.concatenate([one.faces, other.faces + len(one.vertices)]),
    )
    found = check_part(both, workshop.plate(9.0), axis=UP, edge_mm=0.3)
    assert found.self_intersections > 0 and any("intersects itself" in text for text in found.broken)


def test_the_figures_are_plain_values_side_by_side(workshop):
    found = json.loads(json.dumps(check_part(block(-1.0, 2.0), workshop.plate(9.0), axis=UP, edge_mm=0.3).to_dict()))
    assert found["tissue_overlap_mm3"] == pytest.approx(100.0, rel=0.01)
    wanted = {"tissue_overlap_deepest_mm", "withdrawal_overlap_mm3", "thinnest_mm", "self_intersections", "watertight"}
    assert wanted <= set(found) and "tissue" not in found


def test_bounds_are_not_negative():
    with pytest.raises(ValueError, match="overlap_mm3 must be a number that is not negative"):
        CheckBounds(overlap_mm3=-1.0)
