"""Warnings of readers: typed where they are asked for, logged once elsewhere, and part of every report."""

import logging

import pytest

from facecom.completion.stages import read
from facecom.completion.state import CompletionState
from facecom.io.conversion import as_mesh, mesh_and_warnings
from facecom.io.files import read_scan, read_scan_file
from facecom.io.reading_warnings import collecting, warn

NAMES_AN_IMAGE = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3\n"
SAID = "a.obj names the texture gone.png, which is not beside it, so it gives no colours"


@pytest.fixture
def without_image(written):
    written("a.mtl", "newmtl a\nmap_Kd gone.png\n")
    return written("a.obj", NAMES_AN_IMAGE)


@pytest.mark.parametrize("read", [lambda p: read_scan_file(p).warnings, lambda p: mesh_and_warnings(p)[1]])
def test_warnings_are_values_for_those_who_ask(without_image, read, caplog):
    assert read(without_image) == (SAID,)
    assert not caplog.text


@pytest.mark.parametrize("read", [read_scan, as_mesh])
def test_for_those_who_take_the_mesh_alone_they_are_logged_once(without_image, read, caplog):
    with caplog.at_level(logging.WARNING):
        read(without_image)
    assert caplog.text.count(SAID) == 1


def test_the_first_stage_hands_them_on_to_the_report(without_image):
    """What the state has as warnings is what report.json, report.html and the console show."""
    assert read(CompletionState(source=without_image, warnings=("before",))).warnings == ("before", SAID)


def test_the_columns_that_were_guessed_are_among_them(written):
    rows = "".join(f"{k} {k} {k} {10 + k} {20 + k} {30 + k} {40 + k}\n" for k in range(5))
    assert "taken as an intensity" in mesh_and_warnings(written("a.xyz", rows))[1][0]


def test_collections_within_each_other_are_apart():
    with collecting() as outer:
        with collecting() as inner:
            warn("in")
            warn("in")
        warn("out")
    assert (inner, outer) == (["in"], ["out"])
