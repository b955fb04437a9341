"""Sessions: what follows from what, and what is dropped."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.session.job_results import DesignedParts, FaceDetection
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.apps.viewer.session.session import Session
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity


@pytest.fixture
def loaded(scan):
    return Session().load(UploadedScan("scan.ply", scan))


@pytest.fixture
def finished(loaded, completion):
    return loaded.set_result(completion)


def test_a_scan_is_shown_in_the_middle_and_at_the_size_of_a_head(loaded):
    place = loaded.to_display.apply(loaded.scan.vertices)
    assert np.allclose(0.5 * (place.min(axis=0) + place.max(axis=0)), 0.0, atol=1e-9)
    assert np.ptp(place, axis=0).max() == pytest.approx(250.0)


def test_a_vertex_that_is_not_finite_does_not_move_the_view(scan):
    holey = Mesh(np.vstack([scan.vertices, [np.nan, 0, np.inf]]), scan.faces)
    one, two = (Session().load(UploadedScan("s", m)).to_display.matrix() for m in (scan, holey))
    assert np.array_equal(one, two)


def test_once_the_face_is_found_it_is_shown_upright(loaded, completion, finished):
    pose = Similarity(translation=[1, 2, 3])
    found = loaded.set_detection(FaceDetection(pose, loaded.scan))
    assert found.to_display is pose
    assert finished.to_display is completion.pose


@pytest.fixture
def with_defect(loaded):
    """A session in whose scan the search took some vertices for a defect."""
    found = np.zeros(len(loaded.scan.vertices), bool)
    found[[3, 4, 5]] = True
    return loaded.set_detection(FaceDetection(Similarity(), loaded.scan, found))


def points(session, kind):
    return set(map(tuple, session.marked_points(kind).points))


def test_marks_are_what_complete_is_told(loaded):
    told = loaded.scan_marks
    assert told.find and told.missing.empty and told.doubted.empty and told.snap
    marked = loaded.paint(np.array([0, 7]), Tool.MARK_MISSING).paint(np.array([7, 9]), Tool.MARK_DOUBTED)
    told = marked.set_snap(False).scan_marks
    assert not told.find and not told.snap
    own = loaded.scan.vertices
    assert np.array_equal(told.missing.points, own[[0]]) and np.array_equal(told.doubted.points, own[[7, 9]])
    assert marked.unmark_all().scan_marks.find


def test_what_was_found_is_searched_for_until_somebody_changes_it(with_defect):
    assert with_defect.marks.found.sum() == 3 and with_defect.scan_marks.find
    own = with_defect.scan.vertices
    more = with_defect.paint(np.array([8]), Tool.MARK_MISSING)
    assert points(more, MarkKind.MISSING) == set(map(tuple, own[[3, 4, 5, 8]])) and not more.scan_marks.find
    less = with_defect.paint(np.array([4]), Tool.UNMARK)
    assert points(less, MarkKind.MISSING) == set(map(tuple, own[[3, 5]])) and not less.scan_marks.find
    none = with_defect.paint(np.array([3, 4, 5]), Tool.UNMARK)
    assert not none.scan_marks.find and none.scan_marks.missing.empty  # all of the scan is believed
    doubted = with_defect.paint(np.array([3, 4, 5]), Tool.MARK_DOUBTED)
    assert doubted.scan_marks.missing.empty and len(doubted.scan_marks.doubted.points) == 3
    for changed in (more, less, none, doubted):
        assert changed.undo_stroke().scan_marks.find and changed.unmark_all().scan_marks.find


def test_loaded_marks_take_the_place_of_their_kind(with_defect):
    marked = np.zeros(len(with_defect.scan.vertices), bool)
    marked[[5, 20]] = True
    painted = with_defect.paint(np.array([8]), Tool.MARK_MISSING).paint(np.array([20, 30]), Tool.MARK_DOUBTED)
    missing = painted.replace_marks(MarkKind.MISSING, marked)
    assert np.flatnonzero(missing.marks.left_out).tolist() == [5, 20]
    assert np.flatnonzero(missing.marks.doubted).tolist() == [30]
    doubted = painted.replace_marks(MarkKind.DOUBTED, marked)
    assert np.flatnonzero(doubted.marks.left_out).tolist() == [3, 4, 8]
    assert np.flatnonzero(doubted.marks.doubted).tolist() == [5, 20]
    assert missing.undo_stroke().marks.same_as(painted.marks)


def test_a_vertex_that_is_not_finite_is_no_mark(scan):
    holey = Mesh(np.vstack([scan.vertices, [np.nan, 0, np.inf]]), scan.faces)
    marked = Session().load(UploadedScan("s", holey)).paint(np.array([0, len(scan.vertices)]), Tool.MARK_MISSING)
    assert np.array_equal(marked.scan_marks.missing.points, scan.vertices[[0]])


def test_another_unit_keeps_what_is_painted_and_nothing_that_was_made(with_defect, completion):
    painted = with_defect.paint(np.array([8]), Tool.MARK_DOUBTED).set_result(completion)
    other = painted.read_in(ScanUnit("cm"))
    assert other.unit == ScanUnit("cm") and other.scan is painted.scan and other.name == painted.name
    assert np.flatnonzero(other.marks.doubted).tolist() == [8] and not other.marks.found.any()
    assert (other.result, other.detection) == (None, None)


def test_warnings_are_those_of_reading_and_of_what_is_shown(scan, completion):
    warned = replace(completion, report=replace(completion.report, warnings=("of the result", "of reading")))
    session = Session().load(UploadedScan("s", scan, ("of reading",)))
    assert session.warnings == ("of reading",)
    found = session.set_detection(FaceDetection(Similarity(), scan, warnings=("of the search",)))
    assert found.warnings == ("of reading", "of the search")
    done = found.set_result(warned)
    assert done.warnings == ("of reading", "of the result")
    parts = done.set_prostheses(DesignedParts((), b"", ("of the part",)), warned)
    assert parts.warnings == ("of reading", "of the result", "of the part")


def test_marks_of_the_border_count_for_a_result(finished):
    assert not finished.set_snap(False).outdated  # nothing is marked, so nothing is snapped
    marked = finished.paint(np.array([3]), Tool.MARK_MISSING)
    done = marked.set_result(finished.result)
    assert not done.outdated and done.set_snap(False).outdated


def test_there_must_be_a_scan():
    with pytest.raises(ScanError, match="no scan"):
        Session().required_scan()


def test_marking_keeps_the_result_and_knows_that_it_is_of_other_marks(finished, completion):
    assert not finished.outdated
    after = finished.paint(np.array([3]), Tool.MARK_MISSING)
    assert after.result is completion and after.outdated
    assert not after.undo_stroke().outdated
    assert not after.paint(np.array([3]), Tool.UNMARK).outdated
    assert not after.set_result(completion).outdated


def test_a_new_result_drops_what_was_changed_on_the_one_before(finished, completion):
    name, place = next(iter(finished.movable_landmarks().items()))
    tried = finished.draw_samples(2).select_sample(1).drag_landmark(name, place + [1, 0, 0])
    after = tried.set_result(completion)
    assert (after.refitted, after.samples, after.sample, after.dragged) == (None, (), 0, {})


def test_a_part_is_kept_and_shown_with_the_face_that_it_is_for(finished, completion):
    parts = DesignedParts((completion.template.mesh(0),), b"zip")
    designed = finished.set_prostheses(parts, completion).draw_samples(2)
    assert designed.displayed_prostheses is parts
    other = designed.select_sample(1)
    assert other.prostheses is parts and other.displayed_prostheses is None
    assert other.select_sample(0).displayed_prostheses is parts
    name, place = next(iter(finished.movable_landmarks().items()))
    dragged = designed.drag_landmark(name, place + [1, 0, 0])
    assert dragged.prostheses is parts and dragged.displayed_prostheses is None
    assert dragged.undo_dragging().displayed_prostheses is parts
    assert designed.set_result(replace(completion)).prostheses is parts


def test_the_region_is_shown_where_it_lies_in_the_scan(loaded, completion):
    """The pose of the result is not quite that of the detection."""
    rough = Similarity(translation=[0.0, 2.0, 0.0]) @ completion.pose
    found = loaded.set_detection(FaceDetection(rough, completion.template.mesh(1)))
    for session in (found, found.set_result(completion)):
        shown = session.to_display.inverse().apply(session.displayed_region.vertices)
        assert np.allclose(shown, found.detection.missing_in_scan)
    assert loaded.displayed_region is None


def test_a_new_scan_drops_everything(finished, scan):
    after = finished.load(UploadedScan("other.ply", scan))
    assert after.name == "other.ply"
    assert after.result is None


def test_landmarks_of_the_missing_part_alone_are_offered(finished, completion):
    names = set(finished.movable_landmarks())
    assert "nose_bridge_4" in names
    assert not any(name.startswith(("left_eye", "right_eye", "outer_lip", "left_brow")) for name in names)
    assert Session().movable_landmarks() == {}


def test_a_dragged_landmark_reaches_its_target_and_observed_parts_stay(finished, completion):
    goal = finished.movable_landmarks()["nose_bridge_4"] + [2.0, 0.0, 1.5]
    dragged = finished.drag_landmark("nose_bridge_4", goal)
    assert np.linalg.norm(dragged.movable_landmarks()["nose_bridge_4"] - goal) < 0.5
    assert dragged.displayed is dragged.refitted
    deep = completion.context.mobility < 1e-9
    assert np.array_equal(dragged.displayed.face.vertices[deep], completion.face.vertices[deep])
    assert np.array_equal(dragged.undo_dragging().displayed.face.vertices, completion.face.vertices)


def test_two_landmarks_are_held_at_once(finished):
    names = ["nose_bridge_4", "nose_bridge_3"]
    goals = {name: finished.movable_landmarks()[name] + [1.5, 0.0, 1.0] for name in names}
    both = finished.drag_landmark(names[0], goals[names[0]]).drag_landmark(names[1], goals[names[1]])
    for name in names:
        assert np.linalg.norm(both.movable_landmarks()[name] - goals[name]) < 0.6


def test_observed_and_unknown_landmarks_are_refused(finished):
    with pytest.raises(ValueError, match="observed"):
        finished.drag_landmark("left_exocanthion", np.zeros(3))
    with pytest.raises(ValueError, match="no landmark"):
        finished.drag_landmark("nosetip7", np.zeros(3))
    with pytest.raises(ScanError, match="no result"):
        Session().drag_landmark("nose_tip", np.zeros(3))


def test_samples_differ_and_none_is_the_most_likely(finished, completion):
    drawn = finished.draw_samples(3)
    assert drawn.draw_samples(3) is drawn
    faces = [drawn.select_sample(k).displayed for k in range(4)]
    assert faces[0] is completion
    spread = [np.abs(f.face.vertices - completion.face.vertices).max() for f in faces[1:]]
    assert min(spread) > 0.1
    with pytest.raises(ValueError, match="3 samples"):
        drawn.select_sample(4)


def test_dragging_leaves_the_samples(finished):
    name, place = next(iter(finished.movable_landmarks().items()))
    assert finished.draw_samples(2).select_sample(2).drag_landmark(name, place).sample == 0


def test_skin_relief_of_the_most_likely_face_is_not_that_of_another(finished, completion):
    """It lies where that face was."""
    relief = replace(completion, detail=object())
    done = finished.set_result(relief)
    name, place = next(iter(done.movable_landmarks().items()))
    assert done.displayed.detail is relief.detail
    assert done.drag_landmark(name, place + [1, 0, 0]).displayed.detail is None
    assert done.draw_samples(1).select_sample(1).displayed.detail is None
    assert done.drag_landmark(name, place).undo_dragging().displayed.detail is relief.detail
