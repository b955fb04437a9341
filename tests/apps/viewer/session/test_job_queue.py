"""One worker, first come first served."""

import threading

import pytest

from facecom.apps.viewer.session.job_queue import CancelledError, JobQueue, LatestOnlyExecutor


@pytest.fixture
def line():
    made = JobQueue(4)
    yield made
    made.close()


class Job:
    """A job that tells when it runs and waits until it may end."""

    def __init__(self, log=None, name=""):
        self.begun, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.places, self._log, self._name = [], log if log is not None else [], name

    def __call__(self, ticket):
        self._log.append(self._name)
        self.begun.set()
        try:
            assert self.may_end.wait(20)
            ticket.go_on()
        finally:
            self.ended.set()


def test_jobs_run_one_after_the_other_in_the_order_in_which_they_came(line):
    log = []
    jobs = [Job(log, k) for k in range(4)]
    for job in jobs:
        line.join(job, on_move=job.places.append)
    assert jobs[0].begun.wait(20)
    for first, second in zip(jobs, jobs[1:], strict=False):
        assert not second.begun.is_set()
        first.may_end.set()
        assert second.begun.wait(20)
    jobs[-1].may_end.set()
    assert jobs[-1].ended.wait(20)
    assert log == [0, 1, 2, 3]
    assert jobs[0].places == [0]
    assert jobs[3].places == [3, 2, 1, 0]


def test_a_full_line_refuses(line):
    jobs = [Job() for _ in range(4)]
    for job in jobs:
        line.join(job)
    with pytest.raises(ValueError, match="in line already"):
        line.join(Job())
    for job in jobs:
        job.may_end.set()


def test_who_leaves_is_passed_over_and_makes_room(line):
    first, second, third, fourth = (Job() for _ in range(4))
    line.join(first)
    assert first.begun.wait(20)
    ticket = line.join(second)
    line.join(third)
    line.join(fourth)
    ticket.leave()
    line.join(Job())
    first.may_end.set()
    assert third.begun.wait(20)
    assert not second.begun.is_set()
    for job in (third, fourth):
        job.may_end.set()


def test_a_job_that_nobody_waits_for_ends_at_its_next_stage(line):
    job = Job()
    ticket = line.join(job)
    assert job.begun.wait(20)
    ticket.leave()
    with pytest.raises(CancelledError):
        ticket.go_on()
    after = Job()
    line.join(after)
    job.may_end.set()
    assert after.begun.wait(20)
    after.may_end.set()


def test_the_line_goes_on_after_a_job_that_fails(line, caplog):
    def broken(ticket):
        raise RuntimeError("a bug")

    line.join(broken)
    job = Job()
    line.join(job)
    assert job.begun.wait(20)
    job.may_end.set()
    assert "a job of the viewer failed" in caplog.text


def test_a_page_that_is_gone_does_not_stop_the_line(line, caplog):
    def gone(place):
        raise ConnectionError

    job = Job()
    line.join(job, on_move=gone)
    assert job.begun.wait(20)
    job.may_end.set()


def test_a_closed_line_takes_nobody():
    line = JobQueue(2)
    line.close()
    with pytest.raises(ValueError, match="in line"):
        line.join(Job())


def test_of_many_wishes_the_latest_is_done():
    latest, done, begun, may_end = LatestOnlyExecutor(), [], threading.Event(), threading.Event()
    thread = threading.Thread(target=latest.offer, args=(lambda: begun.set() or may_end.wait(20),))
    thread.start()
    assert begun.wait(20)
    for k in range(5):
        latest.offer(lambda k=k: done.append(k))
    assert done == []
    may_end.set()
    thread.join(20)
    assert done == [4]
    latest.offer(lambda: done.append("next"))
    assert done == [4, "next"]
