"""Landmarks of another unit, frame or side are named; those that fit pass, on missing parts too."""

import numpy as np
import pytest

from facecom.completion import CompletionSettings, complete
from facecom.completion.alignment import prepare_scan
from facecom.completion.landmark_check import _other_side, check_landmarks, checked_landmarks
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.io.landmark_names import LANDMARK_NAMES
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import Template

SEVEN = ("right_eye_1", "left_eye_4", "right_eye_4", "left_eye_1", "outer_lip_1", "outer_lip_7", "jaw_9")
THREE = ("right_exocanthion", "left_exocanthion", "gnathion")
HALF = ("nasion", "left_eye_1", "left_eye_4", "left_cheilion", "gnathion")


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.fixture(scope="module", params=[(1, "nose", False), (3, "ear", False), (4, "mouth", True)], ids=str)
def case(request, template):
    """A scan in the face frame with a part missing, and all of its landmarks, each 2 mm off."""
    seed, part, half = request.param
    mesh = LinearGenerator.load().sample(seed, level=2)
    keep = mesh.vertices[mesh.faces][..., 2] > -75.0
    if half:
        keep &= mesh.vertices[mesh.faces][..., 0] > -12.0
    front = mesh.submesh(keep.all(1))[0]
    cut = partial_scan(front, part, seed=seed, settings=ScanSettings(max_angle=0.0))
    scan = prepare_scan(cut.scan, unit="mm", settings=CompletionSettings())
    off = np.random.default_rng(seed).normal(scale=1.2, size=(68, 3))
    places = cut.pose.apply(np.array([mesh.vertices[template.landmarks[name]] for name in LANDMARK_NAMES]) + off)
    return scan, dict(zip(LANDMARK_NAMES, places, strict=True)), half


def of(case, template, names):
    scan, places, half = case
    if half and names == THREE:
        names = HALF[2:]
    full = [next(n for n, k in template.landmarks.items() if k == template.landmark_index(name)) for name in names]
    return scan, {name: places[known] for name, known in zip(names, full, strict=True)}


@pytest.mark.parametrize("names", [SEVEN, THREE, HALF, LANDMARK_NAMES, ("nose_tip",), ("nasion", "nose_tip")], ids=len)
def test_landmarks_that_fit_pass(case, template, names):
    scan, points = of(case, template, names)
    check_landmarks(points, scan, template)


@pytest.mark.parametrize("names", [SEVEN, THREE, LANDMARK_NAMES], ids=len)
def test_ras_for_lps_is_named(case, template, names):
    scan, points = of(case, template, names)
    with pytest.raises(ValueError, match="RAS for LPS"):
        check_landmarks({name: point * [-1, -1, 1] for name, point in points.items()}, scan, template)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (0.001, "in metres for a scan in millimetres"),
        (1000.0, "in millimetres for a scan in metres"),
        (0.1, "in centimetres for a scan in millimetres"),
        (1 / 25.4, "in inches for a scan in millimetres"),
    ],
)
def test_another_unit_is_named(case, template, factor, words):
    scan, points = of(case, template, SEVEN)
    with pytest.raises(ValueError, match=words):
        check_landmarks({name: point * factor for name, point in points.items()}, scan, template)


@pytest.mark.parametrize("names", [SEVEN, THREE], ids=len)
@pytest.mark.parametrize("way", ["word", "side"])
def test_swapped_sides_are_named(case, template, names, way):
    scan, points = of(case, template, SEVEN if case[2] else names)
    words = {"right": "left", "left": "right"}

    def swap(name):
        side, _, rest = name.partition("_")
        return f"{words.get(side, side)}_{rest}" if rest else name

    swapped = {swap(n) if way == "word" else _other_side(n): point for n, point in points.items()}
    with pytest.raises(ValueError, match="left and right swapped"):
        check_landmarks(swapped, scan, template)


def test_one_landmark_far_off_is_named_with_its_distance(case, template):
    scan, points = of(case, template, ("nose_tip",))
    with pytest.raises(ValueError, match=r"nose_tip \d{3} mm"):
        check_landmarks({"nose_tip": points["nose_tip"] + [0.0, 300.0, 200.0]}, scan, template)


def test_the_other_side_is_the_template_s_mirror(template):
    for name, vertex in template.landmarks.items():
        assert template.landmarks[_other_side(name)] == template.mirror[vertex]


@pytest.mark.parametrize(
    ("landmarks", "word"),
    [
        ({"tragion": [0, 0, 0]}, "known are jaw_1 to jaw_17"),
        ({"jaw_9": [0, 0]}, "three finite numbers"),
        ({"jaw_9": [0, 0, np.inf]}, "three finite numbers"),
        ({"jaw_9": "abc"}, "three finite numbers"),
        ({"jaw_9": [0, 0, 10**400]}, "three finite numbers"),
    ],
)
def test_what_is_no_landmark_is_refused_before_the_scan_is_read(landmarks, word):
    with pytest.raises(ValueError, match=word):
        checked_landmarks(landmarks)
    with pytest.raises(ValueError, match=word):
        complete("there is no such file.ply", landmarks=landmarks)
