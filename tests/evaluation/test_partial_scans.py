"""Partial scans: what is left of a face, its pose and unit, noise and clutter."""

import numpy as np
import pytest

from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.mesh import boundary_loops, face_components
from facecom.geometry.units import MM_PER_UNIT


def test_the_scan_is_the_face_moved_without_what_the_defect_took(face):
    made = partial_scan(face, "nose", seed=3, settings=ScanSettings(noise_mm=0.0))
    np.testing.assert_allclose(made.pose.inverse().apply(made.scan.vertices), face.vertices[made.vertex], atol=1e-9)
    assert len(made.scan.faces) == (~made.removed).sum()
    assert np.unique(made.scan.faces).tolist() == list(range(len(made.scan.vertices)))
    assert len(boundary_loops(made.scan.faces)) >= 2
    assert made.pose.scale == 1.0
    assert np.trace(made.pose.rotation) >= 1 + 2 * np.cos(np.radians(20)) - 1e-9


@pytest.mark.parametrize("unit", ["mm", "cm", "m"])
def test_the_unit_changes_nothing_but_the_numbers(face, unit):
    here = partial_scan(face, "cheek", seed=1, settings=ScanSettings(unit=unit, clutter=2)).scan
    plain = partial_scan(face, "cheek", seed=1, settings=ScanSettings(clutter=2)).scan
    np.testing.assert_allclose(here.vertices * MM_PER_UNIT[unit], plain.vertices, atol=1e-9)
    np.testing.assert_array_equal(here.faces, plain.faces)


def test_noise_has_its_size_and_clutter_floats(face):
    settings = ScanSettings(noise_mm=0.2, clutter=4)
    made = partial_scan(face, "nose", seed=0, settings=settings)
    of_face = made.vertex >= 0
    noise = made.pose.inverse().apply(made.scan.vertices)[of_face] - face.vertices[made.vertex[of_face]]
    assert noise.std() == pytest.approx(0.2, rel=0.05)
    assert (~of_face).sum() == 4 * 6
    assert len(np.unique(face_components(made.scan.faces))) == 1 + 4


def test_key_points_are_a_point_set_of_the_size_of_a_landmark_set(face):
    made = partial_scan(face, "keypoints", seed=0, settings=ScanSettings(clutter=3))
    assert len(made.scan.faces) == 0
    assert 40 <= len(made.scan.vertices) <= 90
    assert made.removed.all()


def test_the_seed_decides_everything(face):
    first, again = (partial_scan(face, "holes", seed=8, settings=ScanSettings(clutter=1)) for _ in range(2))
    np.testing.assert_array_equal(first.scan.vertices, again.scan.vertices)
    np.testing.assert_array_equal(first.pose.matrix(), again.pose.matrix())


def test_what_cannot_be_scanned_is_refused(face):
    with pytest.raises(ValueError, match="whole face"):
        partial_scan(face.with_vertices(face.vertices + [500, 0, 0]), "half", seed=0)
    with pytest.raises(ValueError, match="unknown unit 'furlong'; expected one of mm, cm, m, inch"):
        ScanSettings(unit="furlong")
