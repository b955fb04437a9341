"""The controls follow the session."""

import numpy as np
import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.scene.panel import NO_LANDMARK, WALL_RANGE_MM, Panel, checked_length_mm
from facecom.apps.viewer.session.marks import Tool
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
    designed = Session().load(UploadedScan("s", scan)).set_result(completion).set_prostheses(("part",), completion)
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
