"""Sessions wait for their page to come back, a while, and not too many of them."""

import threading
from types import SimpleNamespace

import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.session.session_store import SessionStore


class RecordedSession:
    """A session that records what happens to it."""

    def __init__(self):
        self.pages, self.discarded, self.empty = [], threading.Event(), False

    def attach(self, client):
        self.pages.append(client.client_id)

    def detach(self, *, moved=False):
        self.pages.append("moved" if moved else "detached")

    def discard(self):
        self.discarded.set()


def page(number):
    return SimpleNamespace(client_id=number)


@pytest.fixture
def store():
    made = SessionStore(RecordedSession, Limits(stored_sessions=2))
    yield made
    made.close()


def test_a_reconnected_page_gets_its_session(store):
    first = store.connect("a", page(1))
    store.disconnect(1)
    assert not first.discarded.is_set()
    assert store.connect("a", page(2)) is first
    assert first.pages == [1, "detached", 2]


def test_another_key_is_another_session_and_without_a_key_it_is_discarded(store):
    first = store.connect("a", page(1))
    assert store.connect("b", page(2)) is not first
    nobody = store.connect(None, page(3))
    store.disconnect(3)
    assert nobody.discarded.is_set()
    assert store.connect(None, page(4)) is not nobody


def test_a_second_page_of_the_same_session_takes_it_over(store):
    """And the end of the first, noticed late, takes nothing from the second."""
    first = store.connect("a", page(1))
    assert store.connect("a", page(2)) is first
    store.disconnect(1)
    assert first.pages == [1, "moved", 2]
    store.disconnect(2)
    assert store.connect("a", page(3)) is first


def test_an_empty_session_is_not_stored(store):
    first = store.connect("a", page(1))
    first.empty = True
    store.disconnect(1)
    assert first.discarded.is_set()
    assert store.connect("a", page(2)) is not first


def test_no_more_are_stored_than_allowed_and_the_oldest_is_discarded(store):
    sessions = [store.connect(str(k), page(k)) for k in range(3)]
    for k in range(3):
        store.disconnect(k)
    assert [v.discarded.is_set() for v in sessions] == [True, False, False]


def test_a_stored_session_expires():
    store = SessionStore(RecordedSession, SimpleNamespace(stored_sessions=2, keep_minutes=0.001))
    first = store.connect("a", page(1))
    store.disconnect(1)
    assert first.discarded.wait(20)
    assert store.connect("a", page(2)) is not first
    store.close()


def test_a_session_reconnected_in_time_does_not_expire():
    store = SessionStore(RecordedSession, SimpleNamespace(stored_sessions=2, keep_minutes=0.005))
    first = store.connect("a", page(1))
    store.disconnect(1)
    store.connect("a", page(2))
    assert not first.discarded.wait(0.6)
    store.close()


def test_closing_discards_all_sessions():
    store = SessionStore(RecordedSession, Limits())
    here, away = store.connect("a", page(1)), store.connect("b", page(2))
    store.disconnect(2)
    store.close()
    assert here.discarded.is_set()
    assert away.discarded.is_set()
    assert not any(isinstance(t, threading.Timer) and t.is_alive() and not t.daemon for t in threading.enumerate())
