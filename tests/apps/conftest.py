"""Tasks for child processes, in a module that they can import as well."""

import importlib
import sys

import pytest

TASKS = """
import logging, os, signal, sys, time

def write(folder, *, progress, text):
    progress("write", 0.25)
    print("this is no report")
    (folder / "out.txt").write_text(text)

def end(folder, *, progress, by):
    os.kill(os.getpid(), by)

def end_by_9(folder, **options):
    os.kill(os.getpid(), 9)

def end_by_11(folder, **options):
    os.kill(os.getpid(), 11)

def hold_the_interpreter(folder, **options):
    # one call into C that never ends, during which no other thread of its process runs
    import re
    re.match("(a+)+$", "a" * 60 + "b")

def sleep(folder, *, progress, **options):
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(60)

def close_and_sleep(folder, *, progress):
    os.closerange(3, 20)
    sleep(folder, progress=progress)

def grow(folder, *, progress):
    import numpy
    held = [numpy.ones(5_000_000) for _ in range(100)]

def refuse(folder, *, progress, kind):
    from facecom import errors
    raise getattr(errors, kind, ValueError)("the reason\\nis here")

def fail(folder, *, progress):
    raise KeyError("a bug")

def lie(folder, *, progress, kind):
    (folder / "error.json").write_text('{"kind": "%s", "text": 5}' % kind)
    os._exit(3)

def warn(folder, *, progress):
    logging.getLogger("facecom.io.files").warning("no colours")

def flood(folder, *, progress):
    while True:
        progress("x" * 1_000_000, 0.5)

def fill(folder, *, progress):
    with open(folder / "large", "wb") as file:
        for _ in range(300):
            file.write(bytes(1_000_000))
"""


@pytest.fixture(scope="session")
def child_tasks(tmp_path_factory):
    """The module of tasks."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "tasks_of_these_tests.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("tasks_of_these_tests")
    sys.path.remove(str(folder))
