"""The demo scans are what the script makes from the shipped model, and small."""

from pathlib import Path

import numpy as np
import pytest

from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from training.make_demo import _split, demo_scans

FOLDER = Path(__file__).resolve().parent.parent / "data" / "demo"


@pytest.fixture(scope="module")
def made():
    return demo_scans(LinearGenerator.load())


def test_the_script_makes_the_files_that_lie_there(made):
    """When the model has been trained anew: python -m training.make_demo."""
    assert {p.name for p in FOLDER.iterdir()} == {*made, "README.md"}
    for name, scan in made.items():
        stored = read_scan(FOLDER / name)
        extent = np.ptp(stored.vertices, axis=0).max()
        np.testing.assert_array_equal(stored.faces, scan.faces, err_msg=name)
        np.testing.assert_allclose(stored.vertices, scan.vertices, rtol=0, atol=1e-5 * extent, err_msg=name)


def test_they_are_small():
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) < 6e6


def test_they_differ_in_unit_kind_and_pose(made):
    extents = {name: np.ptp(scan.vertices, axis=0).max() for name, scan in made.items()}
    assert extents["half_points_metres.ply"] < 1 < 100 < extents["nose.ply"]
    assert not len(made["half_points_metres.ply"].faces)


def test_split_edges_leave_no_cracks():
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    middles = {(0, 1): 4, (1, 2): 5, (2, 0): -1, (2, 1): 5, (1, 3): -1, (3, 2): -1}
    middle = np.array([[middles[(f[k], f[(k + 1) % 3])] for k in range(3)] for f in faces.tolist()])
    cut = _split(faces, middle)
    assert len(cut) == 5
    directed = {(f[k], f[(k + 1) % 3]) for f in cut.tolist() for k in range(3)}
    border = {e for e in directed if e[::-1] not in directed}
    assert border == {(0, 4), (4, 1), (1, 3), (3, 2), (2, 0)}
