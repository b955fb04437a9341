"""What a browser may say."""

import pytest

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import UPLOAD_PART, UPLOAD_START, MessageFilter
from facecom.apps.viewer.http.uploads import check_upload
from facecom.errors import ScanError


@pytest.fixture
def message_filter():
    return MessageFilter(Limits(upload_mb=1, uploads=3))


def start(size, parts, name="a"):
    return {"type": UPLOAD_START, "transfer_uuid": name, "size_bytes": size, "part_count": parts, "filename": "x.ply"}


def part(index, content, name="a"):
    return {"type": UPLOAD_PART, "transfer_uuid": name, "part_index": index, "content": content}


@pytest.mark.parametrize(
    "word", ["ShareUrlRequest", "ShareUrlDisconnect", "RunJavascriptMessage", "GuiButtonHoldMessage", None]
)
def test_words_that_the_page_does_not_need_are_dropped(message_filter, word):
    assert message_filter.admit({"type": word}) is None
    assert message_filter.admit({"type": "ViewerCameraMessage"}) is not None


def test_an_upload_within_its_bounds_goes_through(message_filter):
    first = start(5, 2)
    assert message_filter.admit(first) is first
    assert message_filter.admit(part(0, b"abc"))
    assert message_filter.upload is not None
    assert message_filter.admit(part(1, b"de"))
    assert message_filter.upload is None


def test_more_than_was_declared_is_dropped(message_filter):
    message_filter.admit(start(5, 2))
    assert message_filter.admit(part(0, b"abcdef")) is None
    assert message_filter.admit(part(0, b"abc"))
    assert message_filter.admit(part(0, b"abc")) is None
    assert message_filter.admit(part(2, b"a")) is None
    assert message_filter.admit(part(1, b"def")) is None
    assert message_filter.admit(part(1, b"d", name="b")) is None


def test_a_part_without_a_start_is_dropped(message_filter):
    assert message_filter.admit(part(0, b"")) is None


def test_an_upload_that_is_too_large_becomes_one_of_nothing(message_filter):
    told = message_filter.admit(start(1_000_001, 4))
    assert told["size_bytes"] == told["part_count"] == 0
    assert message_filter.admit(part(0, b"x")) is None


def test_uploads_are_counted(message_filter):
    for k in range(3):
        assert message_filter.admit(start(1, 1, name=str(k)))["part_count"] == 1
        message_filter.admit(part(0, b"x", name=str(k)))
    assert message_filter.admit(start(1, 1, name="more"))["part_count"] == 0


def test_one_upload_at_a_time(message_filter):
    message_filter.admit(start(5, 2))
    told = message_filter.admit(start(5, 2, name="b"))
    assert told["size_bytes"] == told["part_count"] == 0
    assert message_filter.admit(part(0, b"x", name="b")) is None
    assert message_filter.upload.transfer_id == "a"
    assert message_filter.admit(part(0, b"abc"))


def test_every_refusal_reaches_the_page_as_a_sentence(message_filter):
    large = message_filter.admit(start(1_000_001, 4))
    message_filter.admit(start(5, 2))
    busy = message_filter.admit(start(5, 2, name="b"))
    many = message_filter.admit(start(5, 2, name="c"))
    for message, words in ((large, "larger than a file may be"), (busy, "another file was being sent"), (many, "more")):
        with pytest.raises(ScanError, match=rf"^x.ply .*{words}"):
            check_upload(message["filename"], b"", limits=message_filter.limits)


@pytest.mark.parametrize("bad", [-1, 2.5, "9", None, True])
def test_sizes_are_counts(message_filter, bad):
    assert message_filter.admit(start(bad, 1)) is None
    assert message_filter.admit(start(1, bad)) is None


def test_what_was_declared_bounds_what_is_kept(message_filter):
    """However the parts come, no more bytes are let through than one upload may have."""
    message_filter.admit(start(1_000_000, 4096))
    through = sum(message_filter.admit(part(k, b"x" * 1000)) is not None for k in range(4096))
    assert through == 1000
