import numpy as np
import pytest

from facecom.evaluation.defects import DEFECTS, FACECOM_DEFECTS, RimWaves, defect_mask


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
