"""A page's controls change its session, and the page shows that."""

import threading

import numpy as np
import pytest

from facecom.apps.viewer.http import uploads
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import REFUSED
from facecom.apps.viewer.scene import panel as controls
from facecom.apps.viewer.session import design_job, face_jobs, mark_files
from facecom.apps.viewer.session.client_controller import ClientController
from facecom.apps.viewer.session.context import ViewerContext
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_queue import CancelledError, JobQueue
from facecom.apps.viewer.session.job_results import AppliedMarks, DesignedParts, FaceDetection
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import GIVEN_LENGTH, ScanUnit
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.ply import read_ply
from facecom.io.writers import ply_bytes


@pytest.fixture
def queue():
    made = JobQueue(4)
    yield made
    made.close()


@pytest.fixture
def reading():
    made = JobQueue(4, workers=2)
    yield made
    made.close()


@pytest.fixture
def controller(queue, reading, small_model, completion, client, monkeypatch):
    """A controller on a page; detection and completion give what was computed before."""
    missing = completion.template.mesh(1)
    monkeypatch.setattr(face_jobs, "detect_face", lambda *_, **__: FaceDetection(completion.pose, missing))
    monkeypatch.setattr(face_jobs, "complete_session", lambda *_, **__: completion)
    monkeypatch.setattr(face_jobs, "apply_marks", lambda session, **_: applied_marks(session))
    # the tests of the reader start it; here it is one in this process
    monkeypatch.setattr(uploads, "read_isolated_bytes", lambda content, *, name, **_: read_ply_bytes(content))
    made = ClientController(ViewerContext(queue, reading, SharedModel(small_model), Limits(samples=2)))
    made.attach(client)
    return made


def read_ply_bytes(content):
    parsed = read_ply(content)
    return Mesh(parsed.vertices, parsed.faces), ("no colours",)


def applied_marks(session):
    """The triangles of marked vertices, as they are."""
    parts = []
    for marked in (session.marks.left_out, session.marks.doubted):
        chosen = marked[session.scan.faces].any(axis=1)
        parts.append(session.scan.submesh(chosen)[0] if chosen.any() else Mesh(np.zeros((0, 3)), []))
    return AppliedMarks(*parts)


def wait_until_idle(controller):
    """An upload is two jobs, of which the first submits the second before it is over."""
    queues = (controller.context.reading, controller.context.queue)
    for _ in range(6000):
        if not any(queue._jobs for queue in queues):
            return
        threading.Event().wait(0.01)
    raise AssertionError("the jobs never end")


def upload(controller, name, content):
    controller._panel.upload.value = type("File", (), {"name": name, "content": content})
    controller._panel.upload.fire()


@pytest.fixture
def uploaded(controller, scan):
    upload(controller, "my scan.ply", ply_bytes(scan))
    wait_until_idle(controller)
    return controller


@pytest.fixture
def completed(uploaded):
    uploaded._panel.complete.fire()
    wait_until_idle(uploaded)
    return uploaded


def choose(controller, tool):
    controller._panel.pointer.value = tool.value
    controller._panel.pointer.fire()


def nothing_marked(controller):
    marks = controller.session.marks
    return not any(part.any() for part in (marks.missing, marks.doubted, marks.found, marks.kept_open))


def test_an_upload_is_shown_with_what_is_missing(uploaded, client):
    assert client.shown == {"scan", "missing"}
    assert uploaded._panel.marking.visible
    assert uploaded._panel.status.content.startswith("my_scan.ply: done")
    assert not uploaded.empty


def test_a_page_takes_uploads_once_it_listens(controller):
    assert controller._panel.upload.visible and controller._panel.upload.callbacks


def test_an_upload_takes_the_place_of_the_one_that_is_read(controller, scan, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def read(content, *, name, progress, **_):
        if name == "first.ply":
            begun.set()
            with pytest.raises(CancelledError):
                for _ in range(600):
                    progress("read", 0.0)
                    threading.Event().wait(0.1)
            ended.set()
            raise CancelledError
        return read_ply_bytes(content)

    monkeypatch.setattr(uploads, "read_isolated_bytes", read)
    upload(controller, "first.ply", ply_bytes(scan))
    assert begun.wait(20)
    upload(controller, "second.ply", ply_bytes(scan))
    wait_until_idle(controller)
    assert ended.wait(20)
    assert controller.session.name == "second.ply"
    assert controller._panel.status.content.startswith("second.ply: done")


def test_an_upload_that_cannot_be_read_leaves_the_scan_before_it(completed, scan, completion, monkeypatch):
    def die(content, **_):
        raise ScanError("reading b.ply ended the process that did it (SIGSEGV)")

    monkeypatch.setattr(uploads, "read_isolated_bytes", die)
    upload(completed, "b.ply", ply_bytes(scan))
    wait_until_idle(completed)
    assert "SIGSEGV" in completed._panel.status.content
    assert completed.session.name == "my_scan.ply" and completed.session.result is completion


def test_an_upload_that_was_refused_on_its_way_stops_nothing(uploaded, scan):
    may_end = threading.Event()
    uploaded.jobs.submit("completion", lambda progress: may_end.wait(20), lambda value: None)
    upload(uploaded, f"b.ply{REFUSED}busy", b"")
    assert "b.ply came while another file was being sent" in uploaded._panel.status.content
    assert uploaded.jobs.busy
    may_end.set()
    wait_until_idle(uploaded)


def test_a_stroke_marks_the_scan_or_keeps_the_region_open(uploaded, client):
    count = len(uploaded.session.marks.missing)
    touched = np.array([3, 7, 9, count + 5])
    choose(uploaded, Tool.MARK_MISSING)
    uploaded._on_stroke(np.array([3, 7, count + 5]), True)
    marks = uploaded.session.marks
    assert np.flatnonzero(marks.missing).tolist() == [3, 7] and not marks.kept_open.any()
    assert "2 vertices of the scan marked" in uploaded._panel.status.content and "marked" in client.shown
    choose(uploaded, Tool.MARK_DOUBTED)
    uploaded._on_stroke(np.array([7, 9, count + 5]), True)
    marks = uploaded.session.marks
    assert np.flatnonzero(marks.doubted).tolist() == [7, 9] and np.flatnonzero(marks.missing).tolist() == [3]
    assert "1 vertex of the scan marked as missing, 2 as doubted" in uploaded._panel.status.content
    assert "doubted" in client.shown
    choose(uploaded, Tool.KEEP_OPEN)
    uploaded._on_stroke(touched, True)
    assert np.flatnonzero(uploaded.session.marks.kept_open).tolist() == [5]
    choose(uploaded, Tool.UNMARK)
    uploaded._on_stroke(touched, True)
    assert nothing_marked(uploaded)


def test_one_stroke_is_undone_however_many_parts_it_came_in(uploaded, client):
    choose(uploaded, Tool.MARK_MISSING)
    uploaded._on_stroke(np.array([3]), True)
    uploaded._on_stroke(np.array([10]), False)
    uploaded._on_stroke(np.array([10, 11]), False)
    uploaded._on_stroke(np.array([10, 11, 12]), True)
    assert np.flatnonzero(uploaded.session.marks.missing).tolist() == [3, 10, 11, 12]
    uploaded._panel.undo_stroke.fire()
    assert np.flatnonzero(uploaded.session.marks.missing).tolist() == [3]
    assert "1 vertex of the scan" in uploaded._panel.status.content
    uploaded._panel.unmark_all.fire()
    assert nothing_marked(uploaded)
    uploaded._panel.undo_stroke.fire()
    uploaded._panel.undo_stroke.fire()
    assert nothing_marked(uploaded) and not uploaded._panel.undo_stroke.visible
    assert "marked" not in client.shown


def test_what_marks_come_to_is_shown_and_follows_them(uploaded, client):
    choose(uploaded, Tool.MARK_MISSING)
    uploaded._on_stroke(np.array([3]), True)
    wait_until_idle(uploaded)
    first = uploaded.session.applied
    assert "left out" in client.shown and "light purple" in uploaded._panel.legend.content
    uploaded._on_stroke(np.array([300]), False)
    uploaded._on_stroke(np.array([300, 301]), True)
    wait_until_idle(uploaded)
    assert len(uploaded.session.applied.left_out.faces) > len(first.left_out.faces)
    uploaded._panel.unmark_all.fire()
    wait_until_idle(uploaded)
    assert uploaded.session.applied is None and "left out" not in client.shown


def test_what_earlier_marks_come_to_is_never_shown_for_later_ones(uploaded, client, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()

    def slow(session, **_):
        begun.set()
        assert may_end.wait(20)
        return applied_marks(session)

    monkeypatch.setattr(face_jobs, "apply_marks", slow)
    choose(uploaded, Tool.MARK_MISSING)
    uploaded._on_stroke(np.array([3]), True)
    assert begun.wait(20)
    uploaded._on_stroke(np.array([300]), False)  # a stroke that has begun
    may_end.set()
    wait_until_idle(uploaded)
    assert uploaded.session.applied is None and "left out" not in client.shown
    uploaded._on_stroke(np.array([300]), True)
    wait_until_idle(uploaded)
    assert len(uploaded.session.applied.left_out.faces) > 6


def test_marks_that_come_to_nothing_say_why(uploaded, monkeypatch):
    def refuse(session, **_):
        raise ScanError("all of the scan is marked as missing")

    monkeypatch.setattr(face_jobs, "apply_marks", refuse)
    choose(uploaded, Tool.MARK_MISSING)
    uploaded._on_stroke(np.array([3]), True)
    wait_until_idle(uploaded)
    assert "all of the scan is marked" in uploaded._panel.status.content


def test_borders_are_snapped_unless_that_is_switched_off(uploaded):
    assert uploaded.session.scan_marks.snap
    uploaded._panel.snap.value = False
    uploaded._panel.snap.fire()
    assert not uploaded.session.scan_marks.snap


def load_marks(controller, kind, name="marks.json", content=b"{}"):
    controller._panel.mark_kind.value = kind.value
    controller._panel.load_marks.value = type("File", (), {"name": name, "content": content})
    controller._panel.load_marks.fire()
    wait_until_idle(controller)


def test_marks_are_saved_and_loaded_by_kind(uploaded, client, monkeypatch):
    choose(uploaded, Tool.MARK_DOUBTED)
    uploaded._on_stroke(np.array([5, 6]), True)
    uploaded._panel.save_marks.fire()
    assert "nothing is marked as missing" in uploaded._panel.status.content and client.files == []
    uploaded._panel.mark_kind.value = MarkKind.DOUBTED.value
    uploaded._panel.save_marks.fire()
    (name, data), marked = client.files.pop(), uploaded.session.marks.doubted
    assert name == "my_scan_doubted.json" and b'"points"' in data
    monkeypatch.setattr(mark_files, "read_marks_file", lambda *_, **__: marked)
    load_marks(uploaded, MarkKind.MISSING)
    assert np.array_equal(uploaded.session.marks.missing, marked) and not uploaded.session.marks.doubted.any()
    uploaded._panel.undo_stroke.fire()
    assert np.array_equal(uploaded.session.marks.doubted, marked) and not uploaded.session.marks.missing.any()


def test_what_a_word_names_takes_the_place_of_the_kind_chosen(uploaded, monkeypatch):
    asked, marked = [], np.arange(len(uploaded.session.marks.missing)) < 9
    monkeypatch.setattr(mark_files, "read_named_marks", lambda word, *_, **__: asked.append(word) or marked)
    uploaded._panel.mark_kind.value = MarkKind.DOUBTED.value
    uploaded._panel.mark_word.value = "nose"
    uploaded._panel.mark_named.fire()
    wait_until_idle(uploaded)
    assert asked == ["nose"]
    assert np.array_equal(uploaded.session.marks.doubted, marked) and not uploaded.session.marks.missing.any()


def test_a_file_that_is_no_file_of_marks_is_refused(uploaded):
    for name, content, words in (
        ("marks.docx", b"x", "is none of .json"),
        ("marks.json", b"", "is empty; copy or export the marks again"),
        (f"marks.json{REFUSED}busy", b"", "came while another file was being sent"),
    ):
        load_marks(uploaded, MarkKind.MISSING, name, content)
        assert words in uploaded._panel.status.content
    assert nothing_marked(uploaded)


def test_warnings_of_the_reader_are_on_the_page(uploaded):
    assert uploaded._panel.warnings.visible and "no colours" in uploaded._panel.warning_text.content


def test_an_upload_is_read_in_the_unit_that_is_chosen(controller, scan, monkeypatch):
    asked = []
    detect = face_jobs.detect_face
    monkeypatch.setattr(face_jobs, "detect_face", lambda s, **o: asked.append(s.unit) or detect(s, **o))
    controller._panel.unit.value, controller._panel.mm_per_unit.value = GIVEN_LENGTH, 25.4
    upload(controller, "a.ply", ply_bytes(scan))
    wait_until_idle(controller)
    controller._panel.unit.value = "cm"
    controller._panel.unit.fire()
    assert controller._panel.read_again.visible and not controller._panel.mm_per_unit.visible
    controller._panel.read_again.fire()
    wait_until_idle(controller)
    assert asked == [ScanUnit("auto", 25.4), ScanUnit("cm")] and not controller._panel.read_again.visible
    controller._panel.unit.value = "parsec"
    controller._panel.read_again.fire()
    assert "unit must be one of" in controller._panel.status.content


def test_a_part_is_designed_beside_the_server_and_its_files_are_sent(completed, client, completion, monkeypatch):
    parts = DesignedParts((completion.template.mesh(0),), b"zip", ("thin at the border",))
    monkeypatch.setattr(design_job, "design_parts", lambda *_, **__: parts)
    completed._panel.design.fire()
    wait_until_idle(completed)
    assert completed.session.prostheses is parts and "prosthesis 1" in client.shown
    assert "thin at the border" in completed._panel.warning_text.content
    completed._panel.prostheses.fire()
    assert client.files == [("my_scan_prosthesis.zip", b"zip")]


def test_a_result_is_shown_with_its_controls(completed, client, completion):
    assert completed.session.result is completion
    assert client.shown == {"scan", "patch"}
    assert completed._panel.download.visible and "made up" in completed._panel.legend.content


def test_a_layer_that_is_not_there_is_refused_and_the_one_before_stays(completed):
    completed._panel.layer.value = "sigma"
    completed._panel.layer.fire()
    legend = completed._panel.legend.content
    assert "standard deviation" in legend
    completed._panel.layer.value = "detail"
    completed._panel.layer.fire()
    assert "no skin relief" in completed._panel.status.content
    assert completed._panel.layer.value == "sigma" and completed._panel.legend.content == legend


def test_a_layer_that_a_new_result_lacks_is_replaced(completed):
    completed._panel.layer.value = "detail"
    completed.set_session(completed.session)
    assert completed._panel.layer.value == "provenance" and "made up" in completed._panel.legend.content


def test_a_brush_shows_the_scan_and_keeps_the_result(completed, client, completion):
    choose(completed, Tool.MARK_MISSING)
    assert client.shown == {"scan", "missing"}
    completed._on_stroke(np.array([3]), True)
    assert completed.session.result is completion
    assert "made with earlier marks" in completed._panel.status.content
    completed._panel.pointer.value = controls.ROTATE_VIEW
    completed._panel.pointer.fire()
    assert client.shown == {"scan", "patch"}
    assert "made with earlier marks" in completed._panel.legend.content
    completed._panel.undo_stroke.fire()
    assert "earlier marks" not in completed._panel.legend.content


def test_another_face_or_layer_is_shown_instead_of_the_scan_that_was_painted_on(completed, client):
    for act in (
        lambda: (setattr(completed._panel.sample, "value", 1), completed._panel.sample.fire()),
        lambda: (setattr(completed._panel.layer, "value", "plain"), completed._panel.layer.fire()),
        lambda: completed._drag("nose_bridge_4", completed.session.movable_landmarks()["nose_bridge_4"] + [1, 0, 0]),
    ):
        choose(completed, Tool.MARK_MISSING)
        assert client.shown == {"scan", "missing"}
        act()
        assert client.shown == {"scan", "patch"} and completed._panel.pointer.value == controls.ROTATE_VIEW


def test_a_part_outlasts_other_faces(completed, client, completion):
    parts = DesignedParts((completion.template.mesh(0),), b"zip")
    completed.set_session(completed.session.set_prostheses(parts, completion))
    assert "prosthesis 1" in client.shown
    completed._panel.sample.value = 1
    completed._panel.sample.fire()
    assert "prosthesis 1" not in client.shown and completed._panel.prostheses.visible
    assert completed._panel.other_part.visible
    completed._panel.sample.value = 0
    completed._panel.sample.fire()
    assert "prosthesis 1" in client.shown and not completed._panel.other_part.visible


def test_samples_and_dragging_change_the_displayed_face(completed, completion):
    completed._panel.sample.value = 2
    completed._panel.sample.fire()
    assert completed.session.displayed is completed.session.samples[1]
    target = completed.session.movable_landmarks()["nose_bridge_4"] + [2.0, 0.0, 0.0]
    completed._drag("nose_bridge_4", target)
    assert completed.session.displayed is completed.session.refitted and completed._panel.sample.value == 0
    completed._panel.undo_dragging.fire()
    assert completed.session.displayed is completion


def test_a_length_outside_of_its_control_starts_no_design(completed):
    completed._panel.wall.value = 1000
    completed._panel.design.fire()
    assert "from 0.6 to 10 mm" in completed._panel.status.content and not completed.jobs.busy


def test_a_session_moves_to_another_page(completed, client, new_client):
    old_panel = completed._panel
    completed.detach(moved=True)
    assert "moved to another page" in old_panel.status.content
    other = new_client(2)
    completed.attach(other)
    assert other.shown == {"scan", "patch"}
    sent = client.sent
    old_panel.unmark_all.fire()  # an event of the old page that comes late
    assert completed.session.result is not None and client.sent == sent


def test_a_discarded_session_is_empty(completed):
    completed.discard()
    assert completed.empty and completed.session.result is None
