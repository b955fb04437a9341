"""The log has a bound."""

import logging

import pytest

from facecom.apps.viewer.http.log_limit import LIMITED_LOGGERS, LogLimit, log_limited


def record(text="dropped %d"):
    return logging.makeLogRecord({"msg": text, "args": (7,)})


def test_records_beyond_the_bound_are_counted_and_told_later():
    now = [0.0]
    limit = LogLimit(max_records=3, period_s=10.0, clock=lambda: now[0])
    assert [limit.filter(record()) for _ in range(1000)] == [True] * 3 + [False] * 997
    now[0] = 10.0
    first, second = record(), record()
    assert limit.filter(first) and limit.filter(second)
    assert first.getMessage() == "dropped 7 (997 messages before it were left out)"
    assert second.getMessage() == "dropped 7"
    now[0] = 25.0
    quiet = record()
    assert limit.filter(quiet) and quiet.getMessage() == "dropped 7"


def test_all_loggers_share_one_bound_while_the_viewer_runs(caplog):
    with log_limited():
        for name in LIMITED_LOGGERS * 1000:
            logging.getLogger(name).error("a client did this")
    assert len(caplog.records) == 30
    logging.getLogger(LIMITED_LOGGERS[0]).error("afterwards")
    assert len(caplog.records) == 31


@pytest.mark.parametrize("name", [name for name in LIMITED_LOGGERS if name.startswith("facecom")])
def test_the_names_are_those_of_modules(name):
    import importlib

    assert importlib.import_module(name)._log.name == name
