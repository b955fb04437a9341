"""The controls follow the session."""

import numpy as np
import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.scene.panel import NO_LANDMARK, WALL_RANGE_MM, Panel, checked_length_mm
from facecom.apps.viewer.session.job_results import DesignedParts
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import GIVEN_LENGTH, UNIT_WORDS, ScanUnit
from facecom.apps.viewer.session.session import Session

FOLDERS = ("marking", "result", "variants", "prosthesis", "download")


@pytest.fixture
def panel(client):
    return Panel.create(client.gui, Limits(samples=3))


def visible(panel):
    return [name for name in FOLDERS if getattr(panel, name).visible]


def test_controls_appear_with_what_they_act_on(panel, scan, completion):
    assert visible(panel) == []
    loaded = Session().load(UploadedScan("s", scan))
    panel.update(loaded)
    assert visible(panel) == ["marking"]
    panel.update(loaded.set_result(completion))
    assert visible(panel) == list(FOLDERS)
    assert not panel.prostheses.visible
    panel.update(loaded)
    assert visible(panel) == ["marking"]


def test_the_last_stroke_can_be_undone_where_there_is_one(panel, scan):
    loaded = Session().load(UploadedScan("s", scan))
    panel.update(loaded)
    assert not panel.undo_stroke.visible
    marked = loaded.paint(np.array([0]), Tool.MARK_MISSING)
    panel.update(marked)
    assert panel.undo_stroke.visible
    panel.update(marked.undo_stroke())
    assert not panel.undo_stroke.visible


def test_a_part_for_another_face_is_said_to_be_one(panel, scan, completion):
    designed = Session().load(UploadedScan("s", scan)).set_result(completion)
    designed = designed.set_prostheses(DesignedParts((), b"zip"), completion)
    panel.update(designed)
    assert panel.prostheses.visible and not panel.other_part.visible
    panel.update(designed.draw_samples(1).select_sample(1))
    assert panel.prostheses.visible and panel.other_part.visible


def test_nothing_is_uploaded_before_the_page_listens(panel):
    """A controller shows the button once it is connected."""
    assert not panel.upload.visible


def test_landmarks_of_the_missing_part_are_offered(panel, scan, completion):
    session = Session().load(UploadedScan("s", scan)).set_result(completion)
    panel.update(session)
    assert panel.landmark.options == (NO_LANDMARK, *session.movable_landmarks())
    panel.landmark.value = "nose_bridge_4"
    panel.update(session)
    assert panel.landmark.value == "nose_bridge_4"
    panel.update(Session())
    assert panel.landmark.value == NO_LANDMARK


def test_a_disabled_panel_says_why_and_offers_nothing(panel, scan, completion):
    panel.update(Session().load(UploadedScan("s", scan)).set_result(completion))
    panel.disable("This work has moved.")
    assert visible(panel) == [] and not panel.upload.visible
    assert panel.status.content == "**This work has moved.**"


@pytest.mark.parametrize("value", ["3", None, 0.5, 10.5, float("nan"), [3]])
def test_lengths_outside_of_their_control_are_refused(value):
    with pytest.raises(ValueError, match="from 0.6 to 10 mm"):
        checked_length_mm(value, WALL_RANGE_MM)
    assert checked_length_mm(3, WALL_RANGE_MM) == 3.0


def test_the_words_for_units_are_those_of_the_command_line(panel, scan):
    assert (*sorted(UNIT_WORDS[:-1]), "mm per unit") == ("auto", "cm", "free", "inch", "m", "mm", GIVEN_LENGTH)
    panel.unit.value = "cm"
    assert panel.chosen_unit == ScanUnit("cm")
    panel.unit.value, panel.mm_per_unit.value = GIVEN_LENGTH, 25.4
    assert panel.chosen_unit == ScanUnit("auto", 25.4)


@pytest.mark.parametrize(("word", "length"), [("mile", 1.0), (None, 1.0), (GIVEN_LENGTH, 0.0), (GIVEN_LENGTH, "2")])
def test_a_unit_that_is_none_is_refused(panel, word, length):
    panel.unit.value, panel.mm_per_unit.value = word, length
    with pytest.raises(ValueError, match="unit"):
        _ = panel.chosen_unit


def test_a_scan_is_read_again_once_another_unit_is_chosen(panel, scan):
    loaded = Session().load(UploadedScan("s", scan), ScanUnit("auto", 2.0))
    panel.restore(loaded)
    panel.update(loaded)
    assert panel.unit.value == GIVEN_LENGTH and panel.mm_per_unit.visible and not panel.read_again.visible
    panel.mm_per_unit.value = 3.0
    panel.show_unit(loaded)
    assert panel.read_again.visible
    panel.unit.value = "mm"
    panel.show_unit(loaded)
    assert panel.read_again.visible and not panel.mm_per_unit.visible
    panel.show_unit(Session())
    assert not panel.read_again.visible


def test_warnings_are_shown_without_markup(panel, scan):
    panel.update(Session().load(UploadedScan("s", scan, ("no <b>colours</b>", "a {guess} (--unit)"))))
    assert panel.warnings.visible and panel.warning_text.content.count("- ") == 2
    assert "<" not in panel.warning_text.content and "{" not in panel.warning_text.content
    assert "(unit)" in panel.warning_text.content
    panel.update(Session())
    assert not panel.warnings.visible


def test_marks_of_the_kind_that_is_chosen_can_be_saved(panel, scan):
    marked = Session().load(UploadedScan("s", scan)).paint(np.array([0]), Tool.MARK_DOUBTED)
    panel.update(marked)
    assert not panel.save_marks.visible
    panel.mark_kind.value = MarkKind.DOUBTED.value
    panel.update(marked)
    assert panel.save_marks.visible
