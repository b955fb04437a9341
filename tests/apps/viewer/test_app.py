"""The viewer as a whole, without a browser."""

import http.client
import threading

import pytest

pytest.importorskip("viser", reason="the viewer extra is not installed")

from facecom.apps.viewer import Limits, viewer
from facecom.apps.viewer.app import _host_name
from facecom.apps.viewer.http.uploads import read_upload
from facecom.errors import ScanError


def status_of(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_short_token_is_refused_before_anything_is_served():
    with pytest.raises(ValueError, match="at least 16 characters, got 5"), viewer(port=0, token="short"):
        pass


def test_a_local_viewer_needs_no_token_and_stops_with_its_block(small_model):
    others = set(threading.enumerate())
    with viewer(port=0, model=small_model, limits=Limits(jobs=1)) as running:
        assert running.address == f"http://127.0.0.1:{running.port}/"
        assert status_of(running.port) == 303
        workers = [t for t in threading.enumerate() if t.name == "facecom-jobs" and t not in others]
    with pytest.raises(OSError):
        status_of(running.port)
    assert workers
    for worker in workers:
        worker.join(timeout=30.0)  # it has been told to end, and may still be on its way out
        assert not worker.is_alive()


def test_a_token_that_is_given_is_asked_for(small_model):
    token = "a token of some length"
    with viewer(port=0, model=small_model, token=token.replace(" ", "-")) as running:
        assert running.address.endswith("/?token=a-token-of-some-length")
        assert status_of(running.port) == 401
        assert status_of(running.port, "/?token=a-token-of-some-length") == 303


def test_a_scan_whose_reader_never_ends_freezes_nobody(small_model, child_tasks, monkeypatch):
    """The reader holds its interpreter in one call; in this process nothing else would run."""
    monkeypatch.setattr("facecom.apps.isolation.reading._read", child_tasks.hold_the_interpreter)
    told = []

    def read():
        with pytest.raises(ScanError) as error:
            read_upload("mine.ply", b"ply", limits=Limits(read_seconds=2))
        told.append(str(error.value))

    with viewer(port=0, model=small_model) as running:
        reader = threading.Thread(target=read)
        reader.start()
        answers = 0
        while reader.is_alive():
            answers += status_of(running.port) == 303
        reader.join()
    assert answers > 10
    assert told[0].startswith("reading mine.ply took more than 2 s and was stopped")


@pytest.mark.parametrize(
    ("host", "name"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("face.example", "face.example")]
)
def test_host_names_in_addresses(host, name):
    assert _host_name(host) == name
    assert _host_name("0.0.0.0") not in ("0.0.0.0", "")
