import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import rotation_from_vector
from facecom.scan.units import (
    MM_PER_UNIT,
    TYPICAL_SIZE_MM,
    check_unit,
    guess_unit,
    resolve_unit,
    scan_size,
    unclear_unit,
)


@pytest.fixture(scope="module")
def head(icosphere) -> Mesh:
    """An ellipsoid 160 by 220 by 180 mm."""
    ball = icosphere(3)
    return ball.with_vertices(ball.vertices * [80.0, 110.0, 90.0])


@pytest.mark.parametrize("unit", ["mm", "cm", "m"])
@pytest.mark.parametrize("share", [0.55, 1.0, 2.0])
def test_a_mask_a_head_and_a_head_with_shoulders_tell_their_unit(head, unit, share):
    guess = resolve_unit(head.with_vertices(head.vertices * share / MM_PER_UNIT[unit]))
    assert (guess.unit, guess.scale_to_mm, guess.clear, guess.given) == (unit, MM_PER_UNIT[unit], True, False)
    assert 0.85 * 220 * share < guess.size_mm <= 220 * share


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_size_hardly_depends_on_the_pose(vector):
    cloud = np.random.default_rng(0).normal(size=(300, 3)) * [30, 60, 20]
    size = scan_size(Mesh(cloud, []))
    assert scan_size(Mesh(cloud @ rotation_from_vector(vector).T + 500.0, [])) == pytest.approx(size, rel=0.05)


def test_far_flakes_loose_and_infinite_vertices_do_not_change_the_unit(head):
    head = head.with_vertices(head.vertices @ rotation_from_vector([0, 0, np.pi / 4]).T)
    size = scan_size(head)
    flake = np.array([[9e4, 0, 0], [9e4, 1, 0], [9e4, 0, 1], [1e7, 1e7, 1e7], [np.nan, 0, 0], [1e250, np.inf, 0]])
    count = len(head.vertices)
    faces = np.concatenate([head.faces, [[count, count + 1, count + 2], [0, 1, count + 4]]])
    dirty = Mesh(np.concatenate([head.vertices, flake]), faces)
    assert scan_size(dirty) == pytest.approx(size, rel=0.05)
    assert guess_unit(dirty).unit == "mm"


def test_a_size_that_two_units_explain_is_refused_with_both_and_their_sizes(head):
    small = head.with_vertices(head.vertices * 0.35)
    guess = guess_unit(small)
    assert not guess.clear
    assert [c.unit for c in guess.candidates] == ["mm", "cm"]
    with pytest.raises(ScanError) as caught:
        resolve_unit(small)
    for candidate in guess.candidates:
        assert candidate.size_mm == pytest.approx(scan_size(small) * MM_PER_UNIT[candidate.unit])
        assert f"--unit {candidate.unit} if it is {candidate.size_mm:,.0f} mm" in str(caught.value)
    assert str(caught.value) == unclear_unit(guess)
    assert resolve_unit(small, "mm").scale_to_mm == 1.0


@pytest.mark.parametrize(("unit", "share", "clear"), [("mm", 3.2, True), ("m", 3.2, True), ("cm", 3.2, False)])
def test_a_bust_is_clear_where_no_other_unit_explains_its_size(head, unit, share, clear):
    """700 mm in cm are the numbers of a piece of a face of 70 mm."""
    guess = guess_unit(head.with_vertices(head.vertices * share / MM_PER_UNIT[unit]))
    assert (guess.unit in (unit, "mm"), guess.clear) == (True, clear)


def test_a_face_a_thousand_times_too_large_is_refused_with_its_size(head):
    meters_as_mm = head.with_vertices(head.vertices * 1000)
    with pytest.raises(ScanError, match=r"is 2\d\d,\d\d\d mm in size when read in mm"):
        resolve_unit(meters_as_mm, "mm")
    with pytest.raises(ScanError, match="--unit mm if it is 2.. mm"):
        resolve_unit(head, "m")
    with pytest.raises(ScanError, match="not clear"):
        resolve_unit(meters_as_mm, "auto")


def test_a_given_unit_that_fits_is_believed(head):
    guess = resolve_unit(head, "mm")
    assert guess.given and guess.clear and guess.scale_to_mm == 1.0


def test_an_unknown_unit_lists_the_known(head):
    with pytest.raises(ValueError, match="mm, cm, m, inch, free, auto, got 'furlong'"):
        resolve_unit(head, "furlong")


@pytest.mark.parametrize(
    "scan", [Mesh(np.zeros((5, 3)), []), Mesh(np.zeros((3, 3)), [[0, 1, 2]]), Mesh(np.full((4, 3), np.nan), [])]
)
def test_a_scan_without_extent_is_refused(scan):
    with pytest.raises(ScanError):
        guess_unit(scan)


def test_inches_are_a_candidate_where_cm_are_guessed_and_a_guess_where_nothing_else_is_possible(head):
    as_cm = guess_unit(head.with_vertices(head.vertices / MM_PER_UNIT["inch"]))
    assert (as_cm.unit, [c.unit for c in as_cm.others]) == ("cm", ["inch"])
    assert as_cm.others[0].size_mm == pytest.approx(scan_size(head))
    mask = guess_unit(head.with_vertices(head.vertices * 0.55 / MM_PER_UNIT["inch"]))
    assert (mask.unit, mask.clear, mask.others) == ("inch", True, ())
    assert guess_unit(head).others == ()


def test_a_given_unit_leaves_no_others(head):
    inches = resolve_unit(head.with_vertices(head.vertices / 25.4), "inch")
    assert (inches.unit, inches.scale_to_mm, inches.given, inches.others) == ("inch", 25.4, True, ())
    assert resolve_unit(head.with_vertices(head.vertices / 25.4), "cm").others == ()


@given(st.floats(-6, 6))
def test_a_free_scan_is_read_as_a_typical_head_whatever_its_numbers(head, power):
    guess = resolve_unit(head.with_vertices(head.vertices * 10**power), "free")
    assert guess.unit == "free"
    assert guess.scale_to_mm * scan_size(head) * 10**power == pytest.approx(TYPICAL_SIZE_MM)


def test_a_length_in_place_of_a_unit(head):
    custom = resolve_unit(head.with_vertices(head.vertices / 3.7), mm_per_unit=3.7)
    assert (custom.unit, custom.scale_to_mm) == ("custom", 3.7)
    assert custom.size_mm == pytest.approx(scan_size(head))
    with pytest.raises(ScanError, match="when read with 100 mm per unit"):
        resolve_unit(head, mm_per_unit=100.0)


@pytest.mark.parametrize(
    ("unit", "length", "why"),
    [("mm", 1.0, "not both"), ("free", 2.0, "not both"), ("auto", 0.0, "positive"), ("auto", np.nan, "positive")],
)
def test_a_unit_and_a_length_exclude_each_other(unit, length, why):
    with pytest.raises(ValueError, match=why):
        check_unit(unit, length)


def test_a_size_that_no_unit_explains_names_cropping_and_the_free_scale(head):
    with pytest.raises(ScanError, match=r"cut away what is not the head.*--mm-per-unit.*--unit free"):
        resolve_unit(head.with_vertices(head.vertices * 12.0))


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_a_scene_of_a_person_before_a_wall_tells_its_unit(head, unit):
    scene = head.with_vertices(head.vertices * 7.0 / MM_PER_UNIT[unit])
    assert 1300 < scan_size(scene) * MM_PER_UNIT[unit] < 1900
    guess = resolve_unit(scene)
    assert (guess.unit, guess.clear) == (unit, True)
    assert resolve_unit(scene, unit).unit == unit
