from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh, boundary_edges, face_components, face_cross
from facecom.scan.cleaning import CleanScan, clean_scan
from facecom.scan.topology import is_oriented_surface


def joined(*meshes: Mesh) -> Mesh:
    start = np.cumsum([0] + [len(m.vertices) for m in meshes])
    faces = [m.faces + s for m, s in zip(meshes, start, strict=False)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))


def moved(mesh: Mesh, *shift: float) -> Mesh:
    return mesh.with_vertices(mesh.vertices + np.array(shift))


def changes(clean: CleanScan) -> dict[str, int]:
    """What the report says was done, but for the sizes."""
    sizes = ("vertices_before", "faces_before", "vertices_after", "faces_after")
    return {name: count for name, count in asdict(clean.report).items() if count and name not in sizes}


def maps_hold(scan: Mesh, clean: CleanScan) -> None:
    """The promises about order, bits and maps that hold for every scan."""
    assert clean.mesh.vertices.tobytes() == scan.vertices[clean.vertex_index].tobytes()
    assert (np.diff(clean.vertex_index) > 0).all() and (np.diff(clean.face_index) > 0).all()
    there = clean.vertex_map >= 0
    assert np.array_equal(clean.mesh.vertices[clean.vertex_map[there]] + 0.0, scan.vertices[there] + 0.0)
    assert np.array_equal(clean.vertex_map[clean.vertex_index], np.arange(len(clean.mesh.vertices)))
    mapped = clean.vertex_map[scan.faces[clean.face_index]]
    assert np.array_equal(np.sort(mapped, axis=1), np.sort(clean.mesh.faces, axis=1))
    sizes = (clean.report.vertices_after, clean.report.faces_after)
    assert sizes == (len(clean.mesh.vertices), len(clean.mesh.faces))


def test_a_clean_scan_stays_as_it_is_to_the_last_bit(icosphere):
    ball = icosphere(3, radius=80.0)
    scan = Mesh(
        ball.vertices, ball.faces, uv=ball.vertices[:, :2], colors=np.abs(ball.vertices) / 80, normals=ball.vertices
    )
    clean = clean_scan(scan)
    assert changes(clean) == {}
    for name in ("vertices", "faces", "uv", "colors", "normals"):
        assert getattr(clean.mesh, name).tobytes() == getattr(scan, name).tobytes()


def test_a_removed_block_that_a_file_still_holds_as_loose_vertices_is_gone(icosphere):
    head = icosphere(4, radius=90.0)
    nose = np.linalg.norm(head.vertices - [0, 0, 90], axis=1) < 25
    scan = Mesh(head.vertices, head.faces[~nose[head.faces].any(axis=1)])
    loose = np.setdiff1d(np.arange(len(head.vertices)), scan.faces)
    clean = clean_scan(scan)
    assert changes(clean) == {"loose_vertices": len(loose)} and len(loose) > 30
    assert not set(map(bytes, clean.mesh.vertices)) & set(map(bytes, scan.vertices[loose]))
    assert np.linalg.norm(clean.mesh.vertices - [0, 0, 90], axis=1).min() > 20
    assert (clean.vertex_map[loose] == -1).all()
    maps_hold(scan, clean)


def test_seams_of_doubled_vertices_are_joined_and_the_doubles_stay_known(sheet):
    flat = sheet(12, 10, seed=1)
    right = flat.vertices[flat.faces].mean(axis=1)[:, 0] > 5
    scan = joined(flat.submesh(~right)[0], flat.submesh(right)[0])
    assert face_components(scan.faces).max() == 1
    clean = clean_scan(scan)
    assert changes(clean) == {"welded_vertices": 13}
    assert face_components(clean.mesh.faces).max() == 0
    assert len(boundary_edges(clean.mesh.faces)) == len(boundary_edges(flat.faces))
    assert (clean.vertex_map >= 0).all()
    maps_hold(scan, clean)


def test_a_triangle_soup_becomes_one_surface(icosphere):
    ball = icosphere(2)
    soup = Mesh(ball.vertices[ball.faces].reshape(-1, 3), np.arange(3 * len(ball.faces)).reshape(-1, 3))
    clean = clean_scan(soup)
    assert len(clean.mesh.vertices) == len(ball.vertices)
    assert len(boundary_edges(clean.mesh.faces)) == 0
    maps_hold(soup, clean)


def test_vertices_that_are_nowhere_go_with_their_faces_alone(sheet):
    flat = sheet(15, 15, seed=2)
    vertices = flat.vertices.copy()
    vertices[100, 1], vertices[140, 2], vertices[60, 0] = np.nan, -np.inf, 1e200
    scan = Mesh(vertices, flat.faces)
    clean = clean_scan(scan)
    gone = np.isin(flat.faces, [60, 100, 140]).any(axis=1)
    assert changes(clean) == {"nonfinite_vertices": 3, "nonfinite_faces": int(gone.sum())}
    assert np.array_equal(clean.face_index, np.flatnonzero(~gone))
    assert clean.vertex_map[[100, 140]].tolist() == [-1, -1]


def test_faces_without_area_and_doubled_faces_go(sheet):
    flat = sheet(10, 10)
    row = [0, 1, 2]  # three vertices in line
    extra = [[5, 5, 6], row, flat.faces[7].tolist(), flat.faces[9][::-1].tolist()]
    clean = clean_scan(Mesh(flat.vertices, np.concatenate([flat.faces, extra])))
    assert changes(clean) == {"degenerate_faces": 2, "duplicate_faces": 2}
    assert np.array_equal(clean.mesh.faces, flat.faces)


def test_small_balls_in_the_air_go_and_pieces_of_a_hundred_faces_stay(icosphere, sheet):
    face = icosphere(4, radius=80.0)
    junk = [moved(icosphere(1, radius=r), 0, 30 * r, 120) for r in (1.0, 2.0, 4.0)]
    piece = moved(sheet(5, 10), 0, 0, -130)
    assert [len(j.faces) for j in junk] == [80] * 3 and len(piece.faces) == 100
    scan = joined(junk[0], face, *junk[1:], piece)
    clean = clean_scan(scan)
    assert changes(clean) == {"floating_components": 3, "floating_faces": 240, "floating_vertices": 126}
    assert np.array_equal(clean.mesh.vertices, np.concatenate([face.vertices, piece.vertices]))
    maps_hold(scan, clean)


def test_a_small_piece_that_is_a_good_part_of_the_area_or_touches_the_rest_stays(icosphere, sheet):
    coarse = joined(icosphere(2, radius=80.0), moved(icosphere(1, radius=60.0), 0, 0, 200))
    assert changes(clean_scan(coarse)) == {}
    flat = sheet(20, 20)
    corner = moved(sheet(1, 1), 20, 20, 0)  # shares one vertex with the sheet
    assert changes(clean_scan(joined(flat, corner))) == {"welded_vertices": 1}


def test_of_a_scan_in_small_pieces_the_largest_stays(icosphere):
    pieces = [moved(icosphere(1, radius=4.0 + (k == 7)), 20.0 * k, 0, 0) for k in range(40)]
    clean = clean_scan(joined(*pieces))
    assert changes(clean)["floating_components"] == 39
    assert np.array_equal(clean.mesh.vertices, pieces[7].vertices)


def test_a_coarse_scan_of_fewer_faces_than_the_limit_is_kept(icosphere):
    assert changes(clean_scan(icosphere(0))) == {}


def test_flaps_on_a_crowded_edge_go_and_the_surface_stays_whole(sheet):
    flat = sheet(10, 10, seed=3)
    edge = flat.faces[50][:2]
    tip = len(flat.vertices)
    tips = [flat.vertices[edge].mean(axis=0) + [0, 0, 30], flat.vertices[edge].mean(axis=0) - [0, 0, 0.1]]
    flaps = [[edge[0], edge[1], tip], [edge[1], edge[0], tip + 1]]
    scan = Mesh(np.concatenate([flat.vertices, tips]), np.concatenate([flaps, flat.faces]))
    clean = clean_scan(scan)
    assert changes(clean) == {"nonmanifold_faces": 2}
    assert np.array_equal(clean.mesh.faces, flat.faces)
    assert np.array_equal(clean.mesh.vertices, flat.vertices)


def test_turning_is_reported_and_nothing_else_changes(icosphere):
    ball = icosphere(2)
    faces = ball.faces.copy()
    faces[5:9] = faces[5:9, ::-1]
    clean = clean_scan(Mesh(ball.vertices, faces))
    assert changes(clean) == {"turned_faces": 4}
    assert np.allclose(face_cross(clean.mesh.vertices, clean.mesh.faces), face_cross(ball.vertices, ball.faces))


def test_faces_stretched_over_a_depth_step_go_where_that_is_asked_for(sheet):
    flat = sheet(20, 20, seed=4)
    vertices = flat.vertices.copy()
    far = flat.vertices[:, 0] > 10
    vertices[far, 2] -= 40.0
    scan = Mesh(vertices, flat.faces)
    across = far[flat.faces].any(axis=1) & ~far[flat.faces].all(axis=1)
    clean = clean_scan(scan, max_stretch=5.0)
    assert changes(clean) == {"stretched_faces": int(across.sum())}
    assert np.array_equal(clean.face_index, np.flatnonzero(~across))
    assert changes(clean_scan(scan)) == {}


def test_a_point_cloud_loses_its_doubles_and_what_is_nowhere():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [np.nan, 0, 0], [1, 0, 0], [2, 0, 0]])
    clean = clean_scan(Mesh(points, []))
    assert changes(clean) == {"nonfinite_vertices": 1, "welded_vertices": 1}
    assert clean.vertex_index.tolist() == [0, 1, 4]
    assert clean.vertex_map.tolist() == [0, 1, -1, 1, 2]


def test_a_scan_without_any_surface_is_refused():
    with pytest.raises(ScanError, match="none of the 2 faces"):
        clean_scan(Mesh(np.zeros((3, 3)), [[0, 1, 2], [0, 0, 1]]))


@given(st.integers(0, 10_000))
def test_whatever_comes_in_a_manifold_comes_out_and_the_maps_hold(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.integers(0, 4, (40, 3)).astype(float)
    vertices[rng.integers(0, 40, 3)] = rng.choice([np.nan, np.inf, -0.0], (3, 3))
    scan = Mesh(vertices, rng.integers(0, 40, (60, 3)))
    try:
        clean = clean_scan(scan)
    except ScanError:
        return
    maps_hold(scan, clean)
    faces = clean.mesh.faces
    assert is_oriented_surface(faces)
    assert np.isfinite(clean.mesh.vertices).all()
    assert len(np.unique(clean.mesh.vertices, axis=0)) == len(clean.mesh.vertices)
    assert np.array_equal(np.unique(faces), np.arange(len(clean.mesh.vertices)))
    assert (np.linalg.norm(face_cross(clean.mesh.vertices, faces), axis=1) > 0).all()
    again = clean_scan(clean.mesh, min_faces=0)
    assert changes(again) == {}


def test_spikes_to_an_invalid_pixel_at_the_origin_are_dropped(icosphere):
    """A depth frame far from the camera, some of whose triangles lead to pixels without depth."""
    ball = icosphere(3)
    front = ball.submesh((ball.vertices[ball.faces][..., 2] < 0.2).all(axis=1))[0]
    vertices = np.concatenate([50.0 * front.vertices + [10.0, -20.0, 600.0], np.zeros((1, 3))])
    origin = len(vertices) - 1
    spikes = np.array([[0, 1, origin], [5, 9, origin], [20, origin, 31]])
    cleaned = clean_scan(Mesh(vertices, np.concatenate([front.faces, spikes])))
    assert cleaned.report.spike_faces == 3
    assert len(cleaned.mesh.faces) == len(front.faces)


def test_a_vertex_of_the_surface_may_lie_at_the_origin(icosphere):
    ball = icosphere(3)
    moved = ball.with_vertices(50.0 * (ball.vertices - ball.vertices[7]))
    assert (moved.vertices == 0).all(axis=1).any()
    assert clean_scan(moved).report.spike_faces == 0
