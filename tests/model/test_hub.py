"""Folders are taken as they are; what only the Hub has says what is missing where it cannot be reached."""

import sys

import pytest

from facecom.errors import CheckpointError, MissingDependency
from facecom.model.hub import SNAPSHOT_OPTIONS, _WithoutHub, snapshot


def test_a_folder_is_its_own_snapshot(tmp_path):
    assert snapshot(str(tmp_path), {"revision": "x"}) == tmp_path


def test_only_known_options_are_handed_on_and_errors_are_one_sentence(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def download(name, **options):
        asked.update(options)
        raise OSError("no\n  network")

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match=r"me/faces: neither a folder .* \(no network\)"):
        snapshot("me/faces", {"revision": "abc", "token": None, "device": "cpu"})
    assert set(asked) == {"revision", "token"} <= set(SNAPSHOT_OPTIONS)


def test_without_the_package_the_hub_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (_WithoutHub().push_to_hub, _WithoutHub().save_pretrained, _WithoutHub.from_pretrained):
        with pytest.raises(MissingDependency, match=r"facecom\[train\]"):
            call("me/faces")
