"""PCD clouds of every encoding and type, and damaged ones that are refused before anything is allocated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.io.files import read_scan
from facecom.io.parsed_mesh import FileFormatError
from facecom.io.pcd import lzf_decompress

POINTS = np.random.default_rng(0).normal(scale=60, size=(50, 3)).astype(np.float32).astype(np.float64)
COLORS = np.random.default_rng(1).integers(0, 256, (50, 3))
PACKED = (COLORS @ np.array([65536, 256, 1])).astype("<u4")


def literal_lzf(data: bytes) -> bytes:
    """Data as LZF writes what it cannot compress."""
    return b"".join(bytes([len(data[k : k + 32]) - 1]) + data[k : k + 32] for k in range(0, len(data), 32))


def pcd(columns: dict[str, np.ndarray], encoding: str, *, points: object = None, counts: str | None = None) -> bytes:
    """A PCD file of columns (N,) by the names of their fields."""
    arrays = list(columns.values())
    number = len(arrays[0])
    kinds = [array.dtype.str.lstrip("<|") for array in arrays]
    head = f"# .PCD v0.7\nVERSION 0.7\nFIELDS {' '.join(columns)}\nSIZE {' '.join(k[1] for k in kinds)}\n"
    head += f"TYPE {' '.join(k[0].upper() for k in kinds)}\nCOUNT {counts or ' '.join('1' for _ in kinds)}\n"
    head += f"WIDTH {number}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
    head += f"POINTS {number if points is None else points}\nDATA {encoding}\n"
    if encoding == "ascii":
        return (
            head + "".join(" ".join(map(repr, row)) + "\n" for row in zip(*(a.tolist() for a in arrays), strict=True))
        ).encode()
    if encoding == "binary":
        record = np.empty(number, [(f"f{k}", a.dtype) for k, a in enumerate(arrays)])
        for k, array in enumerate(arrays):
            record[f"f{k}"] = array
        return head.encode() + record.tobytes()
    plain = b"".join(array.tobytes() for array in arrays)
    packed = literal_lzf(plain)
    return head.encode() + len(packed).to_bytes(4, "little") + len(plain).to_bytes(4, "little") + packed


def xyz(kind: str) -> dict[str, np.ndarray]:
    return {name: POINTS[:, k].astype(kind) for k, name in enumerate("xyz")}


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("kind", ["<f4", "<f8", "<i2", "<i4"])
def test_points_of_any_type_come_back_from_every_encoding(encoding, kind, written):
    assert np.array_equal(read_scan(written("a.pcd", pcd(xyz(kind), encoding))).vertices, POINTS.astype(kind))


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("kind", ["<f4", "<u4"])
def test_packed_colours_and_normals_come_back(encoding, kind, written):
    normals = {f"normal_{name}": np.full(50, 0.6 if name == "x" else 0.0, "<f4") for name in "xyz"}
    columns = xyz("<f4") | normals | {"rgb": PACKED.view(kind)}
    mesh = read_scan(written("a.pcd", pcd(columns, encoding)))
    assert np.allclose(mesh.colors, COLORS / 255)
    assert np.allclose(mesh.normals, [0.6, 0, 0])


def test_what_open3d_reads_is_the_same(tmp_path):
    import open3d as o3d

    for encoding in ("ascii", "binary", "binary_compressed"):
        path = tmp_path / f"{encoding}.pcd"
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(POINTS))
        cloud.colors = o3d.utility.Vector3dVector(COLORS / 255)
        o3d.io.write_point_cloud(str(path), cloud, write_ascii=encoding == "ascii", compressed="comp" in encoding)
        mesh = read_scan(path)
        assert np.allclose(mesh.vertices, POINTS, atol=1e-4)
        assert np.allclose(mesh.colors, COLORS / 255)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_a_truncated_pcd_is_refused(encoding, refused):
    data = pcd(xyz("<f4"), encoding)
    assert "cut short" in refused("a.pcd", data[: len(data) // 2 + 100])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("COUNT 1", "COUNT -1"), "declares -1 values for 'x'"),
        (("COUNT 1 1 1", "COUNT 1 1 999999999999999999999"), "values for 'z' in each point"),
        (("SIZE 4", "SIZE 999999999999999999999"), "999999999999999999999 bytes"),
        (("POINTS 50", "POINTS -3"), "declares -3 points"),
        (("POINTS 50", "POINTS 999999999999999999999"), "declares 999,999,999,999,999,999,999 points"),
        (("TYPE F", "TYPE X"), "of kind 'X'"),
        (("DATA ", "DATA `"), "unknown kind"),
        (("FIELDS x y z", "FIELDS x y w"), "without x, y and z"),
        (("FIELDS x y z", "FIELDS x y"), "no complete PCD header"),
        (("WIDTH 50", "WIDTH -50"), "declares 50 points; it is damaged"),
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_a_header_that_cannot_be_is_named(change, reason, encoding, refused):
    data = pcd(xyz("<f4"), encoding)
    assert change[0].encode() in data
    sentence = refused("a.pcd", data.replace(change[0].encode(), change[1].encode(), 1))
    assert reason in sentence or "data cannot hold" in sentence


def test_a_compressed_body_that_claims_more_than_it_can_hold_is_refused(refused):
    data = pcd(xyz("<f4"), "binary_compressed", points=90_000_000)
    at = data.index(b"binary_compressed\n") + 18
    data = data[: at + 4] + (1_080_000_000).to_bytes(4, "little") + data[at + 8 :]
    assert "cannot hold" in refused("a.pcd", data)


@given(st.binary(max_size=300))
def test_lzf_literals_come_back(data):
    assert lzf_decompress(literal_lzf(data), len(data)) == data


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x00a\xe0\x05\x00", b"a" * 15),  # a run longer than its distance
        (b"\x02abc\x20\x02", b"abcabc"),
        (b"\x01ab\x60\x01", b"abababa"),
    ],
)
def test_lzf_copies_from_what_it_wrote(packed, plain):
    assert lzf_decompress(packed, len(plain)) == plain


@given(st.binary(max_size=200), st.integers(0, 400))
def test_lzf_of_any_bytes_ends_within_its_size_or_is_refused(data, size):
    try:
        assert len(lzf_decompress(data, size)) == size
    except FileFormatError as error:
        assert "unpack to" in str(error)
