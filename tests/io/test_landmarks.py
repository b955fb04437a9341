"""Landmark files of each kind come back as they were written; what is none is one sentence at once."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecom.errors import ScanError
from facecom.io.landmark_names import LANDMARK_ALIASES, LANDMARK_NAMES
from facecom.io.landmark_writers import write_landmarks
from facecom.io.landmarks import read_landmarks

POINTS = {"nose_tip": [0.5, -1.25, 2.0], "right_eye_1": [-48.0, 31.0, -48.5], "jaw_9": [1e-9, 80.0, -1.0]}
RAS = {name: [-x, -y, z] for name, (x, y, z) in POINTS.items()}
LIST = np.random.default_rng(0).normal(size=(68, 3)).round(3)


def slicer(points, frame, **more):
    controls = [{"label": name, "position": point, **more} for name, point in points.items()]
    return json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": frame, "controlPoints": controls}]})


def fcsv(points, frame):
    head = f"# Markups fiducial file version = 4.11\n# CoordinateSystem = {frame}\n"
    columns = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    rows = [f"{k},{x},{y},{z},0,0,0,1,1,1,0,{name},," for k, (name, (x, y, z)) in enumerate(points.items())]
    return head + columns + "\n".join(rows) + "\n"


def picked(points):
    rows = [f'<point active="1" x="{x}" name="{name}" y="{y}" z="{z}"/>' for name, (x, y, z) in points.items()]
    off = '<point active="0" x="0" y="0" z="0" name="new point"/>'
    return "<!DOCTYPE PickedPoints>\n<PickedPoints>\n" + "\n".join([*rows, off]) + "\n</PickedPoints>\n"


def rows(points, between, end="\n"):
    return "".join(between.join([name, *map(str, point)]) + end for name, point in points.items())


READ = {
    "object.json": json.dumps(POINTS),
    "bom.json": "\ufeff" + json.dumps(POINTS),
    "lps.mrk.json": slicer(POINTS, "LPS"),
    "ras.mrk.json": slicer(RAS, "RAS"),
    "renamed.json": slicer(POINTS, "LPS", positionStatus="defined"),
    "lps.fcsv": fcsv(POINTS, "LPS"),
    "ras.fcsv": fcsv(RAS, "0"),
    "points.pp": picked(POINTS),
    "header.csv": "name,x,y,z\n" + rows(POINTS, ","),
    "turned.csv": "x,y,z,name\n" + "".join(f"{x},{y},{z},{name}\n" for name, (x, y, z) in POINTS.items()),
    "table.csv": "label,r,a,s,defined\n" + rows(RAS, ",", ",1\n"),
    "bare.csv": rows(POINTS, ","),
    "comma.csv": rows(POINTS, ";").replace(".", ","),
    "space.txt": "# by hand\n\n" + rows(POINTS, "  "),
    "spelled.json": json.dumps(dict(zip(("Nose tip", "RIGHT-EYE-1", "Jaw_9"), POINTS.values(), strict=True))),
}


@pytest.mark.parametrize("name", READ)
def test_each_kind_is_read(tmp_path, name):
    (tmp_path / name).write_text(READ[name], encoding="utf-8")
    assert read_landmarks(tmp_path / name) == POINTS


def test_utf_16_is_read(tmp_path):
    (tmp_path / "points.json").write_text(json.dumps(POINTS), encoding="utf-16")
    assert read_landmarks(tmp_path / "points.json") == POINTS


def test_undefined_points_of_slicer_are_left_out(tmp_path):
    (tmp_path / "a.mrk.json").write_text(slicer(POINTS, "LPS", positionStatus="undefined"))
    with pytest.raises(ScanError, match="no landmarks"):
        read_landmarks(tmp_path / "a.mrk.json")


@pytest.mark.parametrize("ending", ["json", "csv", "mrk.json"])
def test_what_is_written_is_read(tmp_path, ending):
    write_landmarks(tmp_path / f"points.{ending}", POINTS)
    assert read_landmarks(tmp_path / f"points.{ending}") == POINTS


def test_lists_of_68_are_in_the_order_of_the_names(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(LIST.tolist()))
    np.save(tmp_path / "a.npy", LIST)
    (tmp_path / "a.txt").write_text("\n".join(" ".join(map(str, row)) for row in LIST))
    for name in ("a.json", "a.npy", "a.txt"):
        found = read_landmarks(tmp_path / name)
        assert list(found) == list(LANDMARK_NAMES)
        np.testing.assert_array_equal(list(found.values()), LIST)


DEEP = "[" * 100_000
REFUSED = {
    "broken.json": ("{", "JSON"),
    "list.json": ("[1, 2]", "68 points"),
    "short.json": ('{"nose_tip": [1, 2]}', "landmarks"),
    "word.json": ('{"nose_tip": "left"}', "name"),
    "words.json": ('{"nose_tip": ["a", "b", "c"]}', "nose_tip"),
    "bool.json": ('{"nose_tip": [true, 1, 2]}', "True"),
    "nan.json": ('{"nose_tip": [NaN, 1, 2]}', "nose_tip that is not finite"),
    "inf.json": ('{"nose_tip": [1, -Infinity, 2]}', "not finite"),
    "large.json": ('{"nose_tip": [1, 1e308, 2]}', "larger than"),
    "huge.json": ('{"nose_tip": [1, 1%s, 2]}' % ("0" * 3000), "not finite"),
    "endless.json": ('{"nose_tip": [1, 1%s, 2]}' % ("0" * 9000), "JSON"),
    "deep.json": (DEEP, "nested"),
    "deep_name.json": ('{"nose_tip": ' + DEEP, "nested"),
    "empty.json": ("{}", "no landmarks"),
    "twice.json": ('{"jaw_9": [1, 2, 3], "jaw_9": [1, 2, 4]}', "twice"),
    "binary.json": (b"\x00\xff\xfe\x80", "not text"),
    "frame.mrk.json": (slicer(POINTS, "XYZ"), "frame"),
    "none.mrk.json": ('{"markups": [1]}', "3D Slicer"),
    "text.mrk.json": (slicer({"jaw_9": ["a", "b", "c"]}, "RAS"), "3D Slicer"),
    "word.csv": ("name,x,y,z\njaw_9,a,1,2", "line 2"),
    "nan.csv": ("jaw_9,nan,1,2", "not finite"),
    "two.csv": ("jaw_9,1,2", "line 1"),
    "field.csv": ("jaw_9,1,2," + "9" * 200_000, "table"),
    "columns.fcsv": ("# columns = id,label\n0,jaw_9", "columns"),
    "word.fcsv": (fcsv({"jaw_9": ["a", 1, 2]}, "LPS"), "line 4"),
    "broken.pp": ("<PickedPoints", "MeshLab"),
    "axis.pp": ('<P><point x="1" y="2" name="jaw_9"/></P>', "'z'"),
    "laughs.pp": ('<!DOCTYPE P [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><P>&c;</P>', "entities"),
    "text.npy": ("hello", "array"),
    "points.docx": ("", ".fcsv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_is_one_sentence_with_its_name(tmp_path, name):
    content, word = REFUSED[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ScanError, match=word) as caught:
        read_landmarks(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_unknown_names_list_the_known_ones(tmp_path):
    (tmp_path / "a.json").write_text('{"tragion": [1, 2, 3]}')
    with pytest.raises(ScanError) as caught:
        read_landmarks(tmp_path / "a.json")
    for name in ("tragion", "jaw_17", "inner_lip_8", *LANDMARK_ALIASES):
        assert name in str(caught.value)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "missing", "large"])
def test_only_regular_files_of_some_size_are_read(tmp_path, kind):
    path = tmp_path / "points.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b" " * 4_000_001)
    with pytest.raises(ScanError, match="cannot be read"):
        read_landmarks(path)


@pytest.mark.parametrize("what", ["objects", "claims more", "shape", "text"])
def test_arrays_that_are_no_points(tmp_path, what):
    array = {"shape": LIST[:5], "objects": np.array([{}, []], object), "text": LIST.astype(str)}.get(what, LIST)
    np.save(tmp_path / "a.npy", array)
    if what == "claims more":
        data = (tmp_path / "a.npy").read_bytes()
        (tmp_path / "a.npy").write_bytes(data.replace(b"(68, 3), }        ", b"(6800000000, 3), }"))
        assert b"6800000000" in (tmp_path / "a.npy").read_bytes()
    with pytest.raises(ScanError, match=r"a\.npy"):
        read_landmarks(tmp_path / "a.npy")


@given(st.sampled_from(sorted(READ)), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.binary(max_size=9))
@settings(max_examples=300)
def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path_factory, name, start, share, put):
    data = READ[name].encode()
    k = int(start * len(data))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data[:k] + put + data[k + int(share * 20) :])
    try:
        found = read_landmarks(path)
    except ScanError as error:
        assert name in str(error) and "\n" not in str(error)
    else:
        assert found and all(np.isfinite(point).all() for point in found.values())
