"""One worker, first in first out."""

import threading

import pytest

from facecom.apps.viewer.session.job_queue import CancelledError, JobQueue, LatestOnlyExecutor


@pytest.fixture
def queue():
    made = JobQueue(4)
    yield made
    made.close()


class BlockingJob:
    """A job that records when it runs and blocks until it may end."""

    def __init__(self, log=None, name=""):
        self.begun, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.positions, self._log, self._name = [], log if log is not None else [], name

    def __call__(self, submitted):
        self._log.append(self._name)
        self.begun.set()
        try:
            assert self.may_end.wait(20)
            submitted.raise_if_cancelled()
        finally:
            self.ended.set()


def test_jobs_run_one_after_the_other_in_the_order_in_which_they_came(queue):
    log = []
    jobs = [BlockingJob(log, k) for k in range(4)]
    for job in jobs:
        queue.submit(job, on_position=job.positions.append)
    assert jobs[0].begun.wait(20)
    for first, second in zip(jobs, jobs[1:], strict=False):
        assert not second.begun.is_set()
        first.may_end.set()
        assert second.begun.wait(20)
    jobs[-1].may_end.set()
    assert jobs[-1].ended.wait(20)
    assert log == [0, 1, 2, 3]
    assert jobs[0].positions == [0]
    assert jobs[3].positions == [3, 2, 1, 0]


def test_several_workers_run_as_many_jobs_at_once():
    queue, log = JobQueue(8, workers=2), []
    jobs = [BlockingJob(log, k) for k in range(4)]
    for job in jobs:
        queue.submit(job, on_position=job.positions.append)
    assert jobs[0].begun.wait(20) and jobs[1].begun.wait(20)
    assert not jobs[2].begun.is_set()
    jobs[1].may_end.set()
    assert jobs[2].begun.wait(20)
    assert not jobs[3].begun.is_set()
    jobs[0].may_end.set()
    assert jobs[3].begun.wait(20)
    for job in jobs[2:]:
        job.may_end.set()
        assert job.ended.wait(20)
    queue.close()
    assert sorted(log) == [0, 1, 2, 3]
    assert jobs[0].positions == jobs[1].positions == [0]
    assert jobs[3].positions == [2, 1, 0]


def test_a_full_queue_refuses(queue):
    jobs = [BlockingJob() for _ in range(4)]
    for job in jobs:
        queue.submit(job)
    with pytest.raises(ValueError, match="in line already"):
        queue.submit(BlockingJob())
    for job in jobs:
        job.may_end.set()


def test_a_cancelled_job_is_skipped_and_makes_room(queue):
    first, second, third, fourth = (BlockingJob() for _ in range(4))
    queue.submit(first)
    assert first.begun.wait(20)
    submitted = queue.submit(second)
    queue.submit(third)
    queue.submit(fourth)
    submitted.cancel()
    queue.submit(BlockingJob())
    first.may_end.set()
    assert third.begun.wait(20)
    assert not second.begun.is_set()
    for job in (third, fourth):
        job.may_end.set()


def test_a_running_job_that_is_cancelled_ends_at_its_next_stage(queue):
    job = BlockingJob()
    submitted = queue.submit(job)
    assert job.begun.wait(20)
    submitted.cancel()
    with pytest.raises(CancelledError):
        submitted.raise_if_cancelled()
    after = BlockingJob()
    queue.submit(after)
    job.may_end.set()
    assert after.begun.wait(20)
    after.may_end.set()


def test_the_queue_goes_on_after_a_job_that_fails(queue, caplog):
    def broken(submitted):
        raise RuntimeError("a bug")

    queue.submit(broken)
    job = BlockingJob()
    queue.submit(job)
    assert job.begun.wait(20)
    job.may_end.set()
    assert "a job of the viewer failed" in caplog.text


def test_a_closed_page_does_not_stop_the_queue(queue, caplog):
    def gone(place):
        raise ConnectionError

    job = BlockingJob()
    queue.submit(job, on_position=gone)
    assert job.begun.wait(20)
    job.may_end.set()


def test_a_closed_queue_refuses():
    queue = JobQueue(2)
    queue.close()
    with pytest.raises(ValueError, match="in line"):
        queue.submit(BlockingJob())


def test_of_many_calls_only_the_latest_is_run():
    latest, done, begun, may_end = LatestOnlyExecutor(), [], threading.Event(), threading.Event()
    thread = threading.Thread(target=latest.submit, args=(lambda: begun.set() or may_end.wait(20),))
    thread.start()
    assert begun.wait(20)
    for k in range(5):
        latest.submit(lambda k=k: done.append(k))
    assert done == []
    may_end.set()
    thread.join(20)
    assert done == [4]
    latest.submit(lambda: done.append("next"))
    assert done == [4, "next"]
