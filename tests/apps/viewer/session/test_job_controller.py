"""The jobs of one client and what its page is told of them."""

import threading

import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.session.job_controller import SERVER_ERROR, JobController, plain_text
from facecom.apps.viewer.session.job_queue import JobQueue
from facecom.errors import ScanError


@pytest.fixture
def queue():
    made = JobQueue(2)
    yield made
    made.close()


@pytest.fixture
def panel(client):
    return Panel.create(client.gui, Limits())


@pytest.fixture
def controller(queue, panel):
    made = JobController(queue, threading.RLock())
    made.attach(panel)
    return made


def wait_until_idle(queue):
    """Jobs run in order: when another one has run, those before it are over."""
    done = threading.Event()
    queue.submit(lambda job: done.set())
    assert done.wait(20)


def test_a_result_is_applied_and_told(controller, queue, panel):
    applied, stages = [], []

    def work(progress):
        progress("fit", 0.5)
        stages.append((panel.status.content, panel.progress.value))
        return 42

    controller.submit("completion", work, applied.append)
    wait_until_idle(queue)
    assert applied == [42] and stages == [("completion: fit", 50.0)]
    assert panel.status.content.startswith("completion: done in")
    assert not controller.busy and not panel.stop.visible and not panel.progress.visible


def test_one_job_at_a_time(controller):
    may_end = threading.Event()
    controller.submit("first", lambda progress: may_end.wait(20), lambda value: None)
    with pytest.raises(ValueError, match="one thing at a time"):
        controller.submit("second", lambda progress: None, lambda value: None)
    may_end.set()


def test_the_result_of_a_cancelled_job_is_not_applied(controller, queue, panel):
    begun, may_end, applied = threading.Event(), threading.Event(), []

    def work(progress):
        begun.set()
        assert may_end.wait(20)
        return 1

    controller.submit("completion", work, applied.append)
    assert begun.wait(20)
    controller.cancel()
    assert not controller.busy
    controller.show_message("stopped")
    may_end.set()
    wait_until_idle(queue)
    assert applied == [] and panel.status.content == "stopped"


@pytest.mark.parametrize(
    ("error", "words"),
    [(ScanError("not a <face>"), "**not a  face**"), (RuntimeError("secret path"), f"**{plain_text(SERVER_ERROR)}**")],
)
def test_errors_are_told_and_bugs_keep_their_details(controller, queue, panel, error, words):
    def work(progress):
        raise error

    controller.submit("completion", work, lambda value: None)
    wait_until_idle(queue)
    assert panel.status.content == words
    assert not controller.busy


def test_a_new_page_is_told_what_was_told_last(controller, queue, new_client):
    begun, may_end = threading.Event(), threading.Event()

    def work(progress):
        progress("fit", 0.25)
        begun.set()
        assert may_end.wait(20)

    controller.submit("completion", work, lambda value: None)
    assert begun.wait(20)
    controller.detach()
    other = Panel.create(new_client(2).gui, Limits())
    controller.attach(other)
    assert other.status.content == "completion: fit" and other.progress.value == 25.0 and other.stop.visible
    may_end.set()
    wait_until_idle(queue)
    assert other.status.content.startswith("completion: done")


def test_handlers_show_errors_and_log_bugs(controller, panel, caplog):
    def refuse():
        raise ValueError("too long")

    def fail():
        raise RuntimeError("a bug")

    controller.event_handler(refuse)(None)
    assert panel.status.content == "**too long**" and not caplog.records
    controller.event_handler(fail)(None)
    assert "the viewer failed" in caplog.text and "a bug" not in panel.status.content
