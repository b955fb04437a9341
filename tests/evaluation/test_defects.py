import numpy as np
import pytest

from facecom.evaluation.defects import DEFECTS, FACECOM_DEFECTS, RimWaves, defect_mask
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.mesh import Mesh, boundary_loops, face_components
from facecom.geometry.units import MM_PER_UNIT


@pytest.fixture(scope="module")
def face(sheet) -> Mesh:
    """A bowl of the size of a face, nose tip forward, in the face frame."""
    flat = sheet(90, 80)
    x, y = (flat.vertices[:, :2] * 2 - [80, 90]).T
    z = -0.009 * x**2 - 0.0035 * (y - 10) ** 2 - 22 + 25 * np.exp(-(x**2 + (y - 5) ** 2) / 200)
    return flat.with_vertices(np.stack([x, y, z], 1))


def test_the_sixteen_published_kinds_and_our_own_have_names_of_their_own():
    assert len(FACECOM_DEFECTS) == 16
    assert len(set(DEFECTS)) == len(DEFECTS)


@pytest.mark.parametrize("defect", [d for d in DEFECTS if d != "ear"])
def test_every_defect_takes_a_part_of_the_face_and_leaves_a_part(face, defect):
    for seed in range(3):
        share = defect_mask(face.vertices, defect, seed=seed).mean()
        assert 0.01 < share < 0.995, f"{defect} takes {share:.1%}"


def test_the_ear_is_beside_the_face(face):
    assert defect_mask([[75, 20, -110]], "ear", seed=0).all()
    assert not defect_mask(face.vertices[np.abs(face.vertices[:, 0]) < 40], "ear", seed=0).any()


@pytest.mark.parametrize(
    ("defect", "inside", "outside"),
    [
        ("nose", [0, 5, -5], [35, 40, -25]),
        ("orbit", [33, 38, -25], [-33, 38, -25]),
        ("half", [40, 0, -40], [-10, 0, -5]),
        ("lower_third", [0, -40, -20], [0, 20, -5]),
        ("only_chin", [0, 40, -20], [0, -70, -30]),
        ("central_slab", [0, 60, -20], [40, 60, -30]),
        ("eye_band", [-40, 38, -30], [0, -40, -20]),
        ("one_sided", [50, 0, -45], [-50, 0, -45]),
    ],
)
def test_left_and_right_up_and_down_are_the_subjects(defect, inside, outside):
    for seed in range(5):
        assert defect_mask([inside, outside], defect, seed=seed).tolist() == [True, False]


def test_a_defect_is_a_place_not_a_set_of_points(face):
    whole = defect_mask(face.vertices, "scattered", seed=4)
    np.testing.assert_array_equal(defect_mask(face.vertices[::7], "scattered", seed=4), whole[::7])
    assert not np.array_equal(defect_mask(face.vertices, "scattered", seed=5), whole)


def test_waves_move_the_rim_by_their_height(face):
    straight = defect_mask(face.vertices, "half", seed=0, waves=RimWaves(height_mm=0))
    np.testing.assert_array_equal(straight, face.vertices[:, 0] > 2)
    wavy = defect_mask(face.vertices, "half", seed=0, waves=RimWaves(height_mm=1.5))
    moved = np.abs(face.vertices[straight != wavy, 0] - 2)
    assert 0 < moved.max() < 6


def test_an_unknown_defect_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown defect 'nouse'; expected one of .*nose_box"):
        defect_mask(np.zeros((1, 3)), "nouse", seed=0)


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
    with pytest.raises(ValueError, match="unknown unit 'inch'; expected one of mm, cm, m"):
        ScanSettings(unit="inch")
