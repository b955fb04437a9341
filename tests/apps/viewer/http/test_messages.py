"""What a browser may say."""

import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import PART, START, MessageFilter


@pytest.fixture
def meter():
    return MessageFilter(Limits(upload_mb=1, uploads=3))


def start(size, parts, name="a"):
    return {"type": START, "transfer_uuid": name, "size_bytes": size, "part_count": parts, "filename": "x.ply"}


def part(index, content, name="a"):
    return {"type": PART, "transfer_uuid": name, "part_index": index, "content": content}


@pytest.mark.parametrize(
    "word", ["ShareUrlRequest", "ShareUrlDisconnect", "RunJavascriptMessage", "GuiButtonHoldMessage", None]
)
def test_words_that_the_page_does_not_need_are_dropped(meter, word):
    assert meter.admit({"type": word}) is None
    assert meter.admit({"type": "ViewerCameraMessage"}) is not None


def test_an_upload_within_its_bounds_goes_through(meter):
    first = start(5, 2)
    assert meter.admit(first) is first
    assert meter.admit(part(0, b"abc"))
    assert meter.open is not None
    assert meter.admit(part(1, b"de"))
    assert meter.open is None


def test_more_than_was_declared_is_dropped(meter):
    meter.admit(start(5, 2))
    assert meter.admit(part(0, b"abcdef")) is None
    assert meter.admit(part(0, b"abc"))
    assert meter.admit(part(0, b"abc")) is None
    assert meter.admit(part(2, b"a")) is None
    assert meter.admit(part(1, b"def")) is None
    assert meter.admit(part(1, b"d", name="b")) is None


def test_a_part_without_a_start_is_dropped(meter):
    assert meter.admit(part(0, b"")) is None


def test_an_upload_that_is_too_large_becomes_one_of_nothing(meter):
    told = meter.admit(start(1_000_001, 4))
    assert told["size_bytes"] == told["part_count"] == 0
    assert meter.admit(part(0, b"x")) is None


def test_uploads_are_counted(meter):
    for k in range(3):
        assert meter.admit(start(1, 1, name=str(k)))["part_count"] == 1
        meter.admit(part(0, b"x", name=str(k)))
    assert meter.admit(start(1, 1, name="more"))["part_count"] == 0


def test_one_upload_at_a_time(meter):
    meter.admit(start(5, 2))
    assert meter.admit(start(5, 2, name="b")) is None
    assert meter.open.transfer == "a"


@pytest.mark.parametrize("bad", [-1, 2.5, "9", None, True])
def test_sizes_are_counts(meter, bad):
    assert meter.admit(start(bad, 1)) is None
    assert meter.admit(start(1, bad)) is None


def test_what_was_declared_bounds_what_is_kept(meter):
    """However the parts come, no more bytes are let through than one upload may have."""
    meter.admit(start(1_000_000, 4096))
    through = sum(meter.admit(part(k, b"x" * 1000)) is not None for k in range(4096))
    assert through == 1000


def test_limits_are_positive():
    with pytest.raises(ValueError, match="sessions"):
        Limits(sessions=0)
