"""The bytes that are written."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh
from facecom.io.files import WRITABLE, read_scan, read_scan_file, write_mesh


def test_positions_that_float32_cannot_hold_are_stored_in_float64_unless_told_otherwise(tmp_path, ball):
    fine = Mesh(ball.vertices + 1e-9, ball.faces)
    write_mesh(tmp_path / "exact.ply", fine)
    write_mesh(tmp_path / "short.ply", fine, exact=False)
    assert read_scan_file(tmp_path / "exact.ply").precision == "float64"
    assert read_scan_file(tmp_path / "short.ply").precision == "float32"
    assert np.array_equal(read_scan(tmp_path / "short.ply").vertices, fine.vertices.astype(np.float32))


def test_further_numbers_of_each_vertex_come_back_in_their_type(tmp_path, ball):
    provenance = (np.arange(len(ball.vertices)) % 3).astype(np.uint8)
    sigma = np.linspace(0, 2, len(ball.vertices), dtype=np.float32)
    write_mesh(tmp_path / "ball.ply", ball, attributes={"provenance": provenance, "sigma_mm": sigma})
    found = read_scan_file(tmp_path / "ball.ply").attributes
    assert set(found) == {"provenance", "sigma_mm"}
    assert found["provenance"].dtype == np.uint8 and np.array_equal(found["provenance"], provenance)
    assert found["sigma_mm"].dtype == np.float32 and np.array_equal(found["sigma_mm"], sigma)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"sigma": np.zeros(3)}, "expected"),
        ({"x": np.zeros(162)}, "cannot name"),
        ({"two words": np.zeros(162)}, "cannot name"),
        ({"big": np.zeros(162, np.int64)}, "int64"),
    ],
)
def test_attributes_that_ply_cannot_hold_are_refused(tmp_path, ball, attributes, message):
    with pytest.raises(ValueError, match=message):
        write_mesh(tmp_path / "ball.ply", ball, attributes=attributes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", WRITABLE)
def test_the_same_mesh_gives_the_same_bytes(tmp_path, ball, extension):
    for name in ("a", "b"):
        write_mesh(tmp_path / f"{name}{extension}", ball)
    assert (tmp_path / f"a{extension}").read_bytes() == (tmp_path / f"b{extension}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2
