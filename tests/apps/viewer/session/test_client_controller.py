"""A page's controls change its session, and the page shows that."""

import threading

import numpy as np
import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene import panel as controls
from facecom.apps.viewer.session import jobs
from facecom.apps.viewer.session.client_controller import ClientController
from facecom.apps.viewer.session.context import ViewerContext
from facecom.apps.viewer.session.job_queue import JobQueue
from facecom.apps.viewer.session.session import FaceDetection
from facecom.io.writers import ply_bytes


@pytest.fixture
def queue():
    made = JobQueue(4)
    yield made
    made.close()


@pytest.fixture
def controller(queue, small_model, completion, client, monkeypatch):
    """A controller on a page; detection and completion give what was computed before."""
    missing = completion.template.mesh(1)
    monkeypatch.setattr(jobs, "find_missing", lambda *_, **__: FaceDetection(completion.pose, missing))
    monkeypatch.setattr(jobs, "complete_session", lambda *_, **__: completion)
    made = ClientController(ViewerContext(queue, small_model, Limits(samples=2)))
    made.attach(client)
    return made


def wait_until_idle(queue):
    done = threading.Event()
    queue.submit(lambda job: done.set())
    assert done.wait(60)


@pytest.fixture
def uploaded(controller, queue, scan):
    controller._panel.upload.value = type("File", (), {"name": "my scan.ply", "content": ply_bytes(scan)})
    controller._panel.upload.fire()
    wait_until_idle(queue)
    return controller


@pytest.fixture
def completed(uploaded, queue):
    uploaded._panel.complete.fire()
    wait_until_idle(queue)
    return uploaded


def test_an_upload_is_shown_with_what_is_missing(uploaded, client):
    assert client.shown == {"scan", "missing"}
    assert uploaded._panel.marking.visible
    assert uploaded._panel.status.content.startswith("my_scan.ply: done")
    assert not uploaded.empty


def test_a_stroke_marks_the_scan_or_keeps_the_region_open(uploaded, client):
    count = len(uploaded.session.marked)
    touched = np.array([3, 7, count + 5])
    uploaded._panel.pointer.value = controls.MARK_MISSING
    uploaded._on_stroke(touched, True)
    assert np.flatnonzero(uploaded.session.marked).tolist() == [3, 7] and not uploaded.session.kept_open.any()
    assert "2 vertices of the scan are marked" in uploaded._panel.status.content and "marked" in client.shown
    uploaded._panel.pointer.value = controls.KEEP_OPEN
    uploaded._on_stroke(touched, True)
    assert np.flatnonzero(uploaded.session.kept_open).tolist() == [5]
    uploaded._panel.pointer.value = controls.UNMARK
    uploaded._on_stroke(touched, True)
    assert not uploaded.session.marked.any() and not uploaded.session.kept_open.any()


def test_a_result_is_shown_with_its_controls(completed, client, completion):
    assert completed.session.result is completion
    assert client.shown == {"scan", "patch"}
    assert completed._panel.download.visible and "made up" in completed._panel.legend.content


def test_a_layer_that_is_not_there_is_refused_when_chosen_and_replaced_else(completed):
    completed._panel.layer.value = "detail"
    completed._panel.layer.fire()
    assert "no skin relief" in completed._panel.status.content
    completed._set_session(completed.session)
    assert completed._panel.layer.value == "provenance"


def test_marking_begins_again_with_the_scan(completed, client):
    completed._panel.pointer.value = controls.MARK_MISSING
    completed._panel.pointer.fire()
    assert completed.session.result is None and client.shown == {"scan", "missing"}
    assert completed._panel.pointer.value == controls.MARK_MISSING


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
    assert "from 0.6 to 10 mm" in completed._panel.status.content and not completed._jobs.busy


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
