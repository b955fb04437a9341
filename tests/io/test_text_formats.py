"""OFF and STL as other programs write them."""

import numpy as np
import pytest

from facecom.io.files import read_scan, write_mesh
from facecom.io.writers import stl_bytes


def test_text_and_binary_stl_hold_the_same(tmp_path, ball, written):
    rows = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
        + "endloop\nendfacet\n"
        for corners in ball.vertices[ball.faces].tolist()
    )
    text = read_scan(written("text.stl", f"solid face\n{rows}endsolid face\n"))
    write_mesh(tmp_path / "binary.stl", ball)
    binary = read_scan(tmp_path / "binary.stl")
    assert np.array_equal(text.vertices, binary.vertices)
    assert np.array_equal(text.faces, binary.faces)


def test_off_with_comments_colours_and_quads_is_read(written):
    text = "COFF # face\n\n4 1 0\n0 0 0 255 0 0\n1 0 0 0 255 0\n1 1 0 0 0 255\n0 1 0 0 0 0\n4 0 1 2 3 9 9 9\n"
    mesh = read_scan(written("a.off", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.colors[1].tolist() == [0, 1, 0]


@pytest.fixture
def text_stl(ball) -> str:
    """The ball as a text STL."""
    rows = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
        + "endloop\nendfacet\n"
        for corners in ball.vertices[ball.faces].tolist()
    )
    return f"solid face\n{rows}endsolid face\n"


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n  "), lambda t: "\n\n" + t],
    ids=["upper case", "byte order mark", "indented", "blank lines before"],
)
def test_a_text_stl_of_any_spelling_is_read(ball, text_stl, change, written):
    assert np.array_equal(
        read_scan(written("a.stl", change(text_stl))).vertices, read_scan(written("b.stl", text_stl)).vertices
    )


@pytest.mark.parametrize("header", [b"solid Artec facet export", b"solid", b"SOLID facet", b"facet"])
def test_a_binary_stl_is_told_by_its_size_whatever_its_header_says(ball, header, written):
    data = stl_bytes(ball)
    mesh = read_scan(written("a.stl", header.ljust(80) + data[80:]))
    assert np.array_equal(mesh.vertices[mesh.faces], ball.vertices[ball.faces])


@pytest.mark.parametrize("count", [0, 2**32 - 1])
def test_a_count_that_was_never_filled_in_is_told_by_the_size(ball, count, written, refused):
    data = stl_bytes(ball)
    unfilled = data[:80] + count.to_bytes(4, "little") + data[84:]
    assert len(read_scan(written("a.stl", unfilled)).faces) == len(ball.faces)
    assert "cut short" in refused("b.stl", unfilled[:-7])


def test_an_stl_line_that_is_no_corner_is_named(text_stl, refused):
    lines = text_stl.split("\n")
    lines[3] = "vertex 1 2 oops"
    assert "'1 2 oops' in line 4 as a corner" in refused("a.stl", "\n".join(lines))


def test_an_off_line_that_is_no_vertex_is_named(refused):
    assert "'1 0 x' in line 5 as a vertex" in refused("a.off", "OFF # face\n\n3 1 0\n0 0 0\n1 0 x\n0 1 0\n3 0 1 2\n")
