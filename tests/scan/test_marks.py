"""Marks on a scan: what they cover, whatever form they come in, and what is refused."""

import json

import numpy as np
import pytest

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import write_mesh
from facecom.io.images import png_bytes
from facecom.scan.mark_snapping import GROWTH_MM, snapped_border
from facecom.scan.mark_sources import marks_json, read_marks, scan_marks
from facecom.scan.marks import Marks, outlined_faces, painted_faces

STEP = 2.0
"""Length of an edge of the sheet, mm."""


@pytest.fixture(scope="module")
def skin(sheet):
    flat = sheet(40, 40, seed=1)
    return flat.with_vertices(flat.vertices * STEP)


def centres(scan):
    return scan.vertices[scan.faces].mean(axis=1)


def disc(scan, radius=15.0):
    """Vertices within a disc in the middle of the sheet."""
    return np.linalg.norm(scan.vertices - [40.0, 40.0, 0.0], axis=1) < radius


def test_paint_covers_what_lies_under_it(skin):
    inside = disc(skin)
    found = painted_faces(skin, Marks(points=skin.vertices[inside]), mm_per_unit=1.0)
    corners = inside[skin.faces].sum(axis=1)
    assert found[corners >= 2].all() and not found[corners == 0].any()


def test_ragged_paint_has_no_holes(skin):
    """One point in five left out, and the others beside their place: the inside is painted all the same."""
    rng = np.random.default_rng(0)
    points = skin.vertices[disc(skin)]
    points = points[rng.random(len(points)) > 0.2] + rng.normal(0, 0.2, 3)
    found = painted_faces(skin, Marks(points=points), mm_per_unit=1.0)
    depth = np.linalg.norm(centres(skin) - [40.0, 40.0, 0.0], axis=1)
    assert found[depth < 11.0].all() and not found[depth > 18.0].any()


@pytest.mark.parametrize("scale", [0.1, 1.0, 25.4])
def test_marks_move_with_the_scan(skin, scale):
    way = Similarity(rotation_from_vector([0.3, 1.0, -2.0]), np.array([100.0, -50.0, 3.0]), 1.0 / scale)
    marks, moved = skin.vertices[disc(skin)], Mesh(way.apply(skin.vertices), skin.faces)
    there = painted_faces(moved, Marks(points=way.apply(marks)), mm_per_unit=scale)
    assert np.array_equal(there, painted_faces(skin, Marks(points=marks), mm_per_unit=1.0))
    snapped = snapped_border(moved, there, mm_per_unit=scale)
    assert np.array_equal(snapped, snapped_border(skin, there, mm_per_unit=1.0))


def test_spheres_mark_what_they_hold(skin):
    found = painted_faces(skin, Marks(spheres=[[40.0, 40.0, 0.0, 15.0]]), mm_per_unit=1.0)
    assert np.array_equal(found, disc(skin)[skin.faces].sum(axis=1) >= 2)


def test_an_outline_marks_its_inside_as_seen_from_the_front(skin):
    """The outline lies 5 mm before the sheet and on a scan that is turned: what counts is the view from the front."""
    pose = Similarity(rotation_from_vector([0.5, 0.2, 0.1]), np.array([1.0, 2.0, 3.0]))
    turned = skin.with_vertices(pose.inverse().apply(skin.vertices))
    square = pose.inverse().apply(np.array([[20, 20, 5], [60, 20, 5], [60, 60, 5], [20, 60, 5]], float))
    found = outlined_faces(turned, (square,), pose)
    assert np.array_equal(found, (np.abs(centres(skin)[:, :2] - 40.0) < 20.0).all(axis=1))


def test_marks_away_from_the_scan_are_refused_with_the_distance(skin):
    with pytest.raises(ValueError, match=r"lie \d+ mm from the scan .* own frame and unit"):
        painted_faces(skin, Marks(points=skin.vertices + [0, 0, 90.0]), mm_per_unit=1.0)
    with pytest.raises(ValueError, match="holds nothing of the scan"):
        painted_faces(skin, Marks(spheres=[[0, 0, 900.0, 5.0]]), mm_per_unit=1.0)


def box_in_sheet(skin):
    """The sheet with a square of 24 mm sunk 6 mm, so that creases bound it."""
    inside = (np.abs(skin.vertices[:, :2] - 40.0) < 13.0).all(axis=1)
    sunk = skin.vertices - 6.0 * inside[:, None] * [0, 0, 1.0]
    return Mesh(sunk, skin.faces), inside


def test_a_mark_snaps_to_a_crease(sheet):
    """Painted 2 mm within a sunk square, the mark ends at its walls; without a crease it does not grow to there."""
    flat = sheet(40, 40)
    sunk, inside = box_in_sheet(flat.with_vertices(flat.vertices * STEP))
    painted = (np.abs(centres(sunk)[:, :2] - 40.0) < 10.5).all(axis=1)
    snapped = snapped_border(sunk, painted, mm_per_unit=1.0)
    floor = inside[sunk.faces].all(axis=1)
    assert snapped[floor].all() and not snapped[~inside[sunk.faces].any(axis=1)].any()


def test_a_mark_snaps_to_a_step_of_colour(sheet):
    flat = sheet(40, 40)
    red = (np.abs(flat.vertices[:, :2] * STEP - 40.0) < 13.0).all(axis=1)
    scan = Mesh(flat.vertices * STEP, flat.faces, colors=np.where(red[:, None], [0.8, 0.1, 0.1], [0.9, 0.7, 0.6]))
    painted = (np.abs(centres(scan)[:, :2] - 40.0) < 10.5).all(axis=1)
    snapped = snapped_border(scan, painted, mm_per_unit=1.0)
    assert snapped[red[scan.faces].all(axis=1)].all() and not snapped[~red[scan.faces].any(axis=1)].any()


def test_snapping_keeps_the_paint_and_stays_near_it(skin):
    painted = painted_faces(skin, Marks(points=skin.vertices[disc(skin)]), mm_per_unit=1.0)
    snapped = snapped_border(skin, painted, mm_per_unit=1.0)
    assert snapped[painted].all()
    added = centres(skin)[snapped & ~painted]
    near = np.linalg.norm(added[:, None] - centres(skin)[painted][None], axis=2).min(axis=1)
    assert (near <= GROWTH_MM).all()
    nothing, everything = np.zeros(len(painted), bool), np.ones(len(painted), bool)
    assert not snapped_border(skin, nothing, mm_per_unit=1.0).any()
    assert snapped_border(skin, everything, mm_per_unit=1.0).all()


@pytest.fixture(scope="module")
def forms(skin, tmp_path_factory):
    """The same disc in every form, with the scan that it belongs to."""
    folder, inside = tmp_path_factory.mktemp("marks"), disc(skin)
    uv = skin.vertices[:, :2] / 80.0
    scan = Mesh(skin.vertices, skin.faces, uv=uv, colors=np.where(inside[:, None], [1.0, 0.0, 0.0], [0.9, 0.7, 0.6]))
    write_mesh(folder / "scan.ply", scan, attributes={"wound": inside.astype(np.uint8)})
    painted, _ = scan.submesh(inside[scan.faces].all(axis=1))
    write_mesh(folder / "painted.ply", painted)
    write_mesh(folder / "cloud.ply", Mesh(scan.vertices[inside], np.zeros((0, 3), int)))
    (folder / "marks.json").write_text(json.dumps({"points": scan.vertices[inside].tolist()}))
    y, x = np.mgrid[:400, :400] / 400.0
    mask = np.hypot(x - 0.5, 1.0 - y - 0.5) < 15.0 / 80.0
    (folder / "mask.png").write_bytes(png_bytes(np.repeat(255 * mask[..., None], 3, axis=2).astype(np.uint8)))
    given = {
        "points": scan.vertices[inside],
        "mask": inside,
        "numbers": inside.astype(float),
        "mesh": painted,
        "mesh file": folder / "painted.ply",
        "cloud file": folder / "cloud.ply",
        "json": str(folder / "marks.json"),
        "attribute": "attribute:wound",
        "colour": "color:#ff0000",
        "image": folder / "mask.png",
        "several": [str(folder / "marks.json"), "attribute:wound"],
    }
    return folder / "scan.ply", scan, given


@pytest.mark.parametrize(
    "form",
    ["points", "mask", "numbers", "mesh", "mesh file", "cloud file", "json", "attribute", "colour", "image", "several"],
)
def test_every_form_of_marks_covers_the_same(forms, form):
    source, scan, given = forms
    found = painted_faces(scan, scan_marks(given[form], scan, source=source), mm_per_unit=1.0)
    true = disc(scan)[scan.faces].sum(axis=1) >= 2
    depth = np.linalg.norm(centres(scan) - [40.0, 40.0, 0.0], axis=1)
    assert np.array_equal(found[np.abs(depth - 15.0) > 2.0], true[np.abs(depth - 15.0) > 2.0])


def test_regions_are_known_by_name(skin):
    assert scan_marks("nose", skin, regions=("nose", "l_ear")).regions == ("nose",)
    with pytest.raises(ValueError, match=r"'elbow' marks nothing: .* a region \(nose, l_ear\)"):
        scan_marks("elbow", skin, regions=("nose", "l_ear"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(7, bool), r"\(N, 3\) points or a mask"),
        ("color:red", "six hexadecimal digits"),
        ("color:00ff00", "has no colours"),
        ("attribute:wound", "no attribute 'wound'; there are: none"),
        (np.full((2, 3), np.nan), "finite"),
        (np.zeros(41 * 41, bool), "marks none of"),
    ],
)
def test_what_marks_nothing_is_refused_in_a_sentence(skin, value, words):
    with pytest.raises(ValueError, match=words):
        scan_marks(value, skin)


def test_marks_are_the_same_after_a_journey_through_a_file(tmp_path):
    marks = Marks(
        points=[[1, 2, 3]], spheres=[[0, 1, 2, 9.5]], outlines=([[0, 0, 0], [1, 0, 0], [0, 1, 0]],), regions=("nose",)
    )
    (tmp_path / "m.json").write_text(marks_json(marks))
    back = read_marks(tmp_path / "m.json")
    assert np.array_equal(back.points, marks.points) and np.array_equal(back.spheres, marks.spheres)
    assert np.array_equal(back.outlines[0], marks.outlines[0]) and back.regions == marks.regions


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"sphere": []}', '{"spheres": [{"center": [0, 0], "radius": 1}]}', "[" * 5000,
     '{"points": [[1, 2, "x"]]}', '{"spheres": [{"center": [0, 0, 0], "radius": -1}]}', '{"points": [[1e999, 0, 0]]}'],
)  # fmt: skip
def test_a_file_without_marks_is_named(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ScanError, match=r"m\.json (is not JSON|does not hold marks)"):
        read_marks(tmp_path / "m.json")
    with pytest.raises(ScanError, match="cannot be read"):
        read_marks(tmp_path / "none.json")
