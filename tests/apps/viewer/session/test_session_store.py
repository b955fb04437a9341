"""Sessions wait for their page to come back, a while, and not too many of them."""

import threading
from types import SimpleNamespace

import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.session.session_store import SessionStore


class Someone:
    """A visitor who notes what happens."""

    def __init__(self):
        self.pages, self.left, self.empty = [], threading.Event(), False

    def open(self, client):
        self.pages.append(client.client_id)

    def shut(self, *, moved=False):
        self.pages.append("moved" if moved else "shut")

    def leave(self):
        self.left.set()


def page(number):
    return SimpleNamespace(client_id=number)


@pytest.fixture
def room():
    made = SessionStore(Someone, Limits(kept=2))
    yield made
    made.close()


def test_who_comes_back_finds_everything(room):
    first = room.enter("a", page(1))
    room.gone(1)
    assert not first.left.is_set()
    assert room.enter("a", page(2)) is first
    assert first.pages == [1, "shut", 2]


def test_another_key_is_another_visitor_and_no_key_is_forgotten(room):
    first = room.enter("a", page(1))
    assert room.enter("b", page(2)) is not first
    nobody = room.enter(None, page(3))
    room.gone(3)
    assert nobody.left.is_set()
    assert room.enter(None, page(4)) is not nobody


def test_a_second_page_of_the_same_session_takes_it_over(room):
    """And the end of the first, noticed late, takes nothing from the second."""
    first = room.enter("a", page(1))
    assert room.enter("a", page(2)) is first
    room.gone(1)
    assert first.pages == [1, "moved", 2]
    room.gone(2)
    assert room.enter("a", page(3)) is first


def test_a_session_with_nothing_in_it_is_not_kept(room):
    first = room.enter("a", page(1))
    first.empty = True
    room.gone(1)
    assert first.left.is_set()
    assert room.enter("a", page(2)) is not first


def test_no_more_wait_than_allowed_and_the_longest_away_goes_first(room):
    visitors = [room.enter(str(k), page(k)) for k in range(3)]
    for k in range(3):
        room.gone(k)
    assert [v.left.is_set() for v in visitors] == [True, False, False]


def test_after_a_while_it_is_forgotten():
    room = SessionStore(Someone, SimpleNamespace(kept=2, keep_minutes=0.001))
    first = room.enter("a", page(1))
    room.gone(1)
    assert first.left.wait(20)
    assert room.enter("a", page(2)) is not first
    room.close()


def test_whoever_is_back_in_time_is_not_forgotten_later():
    room = SessionStore(Someone, SimpleNamespace(kept=2, keep_minutes=0.005))
    first = room.enter("a", page(1))
    room.gone(1)
    room.enter("a", page(2))
    assert not first.left.wait(0.6)
    room.close()


def test_in_the_end_everybody_leaves():
    room = SessionStore(Someone, Limits())
    here, away = room.enter("a", page(1)), room.enter("b", page(2))
    room.gone(2)
    room.close()
    assert here.left.is_set()
    assert away.left.is_set()
    assert not any(isinstance(t, threading.Timer) and t.is_alive() and not t.daemon for t in threading.enumerate())
