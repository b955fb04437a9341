"""3MF archives: placed meshes in the order of the file, and bombs that are refused."""

import io
import time
import zipfile

import numpy as np
import pytest

from facecom.io import archives
from facecom.io.files import read_scan

POINTS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]])
CORNERS = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
SPACE = 'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"'


def mesh_object(key: int) -> str:
    vertices = "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in POINTS)
    triangles = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in CORNERS)
    mesh = f"<mesh><vertices>{vertices}</vertices><triangles>{triangles}</triangles></mesh>"
    return f'<object id="{key}" type="model">{mesh}</object>'


def model(resources: str, build: str) -> str:
    inside = f"<resources>{resources}</resources><build>{build}</build>"
    return f'<?xml version="1.0"?><model unit="millimeter" {SPACE}>{inside}</model>'


SELF = '<object id="1"><components><component objectid="1"/></components></object>'


def archive(text: str | bytes, name: str = "3D/3dmodel.model", *, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr(name, text)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["3D/3dmodel.model", "/3D/3DModel.model", "parts/face.model"])
def test_a_mesh_keeps_its_order(name, written):
    mesh = read_scan(written("a.3mf", archive(model(mesh_object(1), '<item objectid="1"/>'), name)))
    assert np.array_equal(mesh.vertices, POINTS)
    assert np.array_equal(mesh.faces, CORNERS)


def test_items_and_components_are_placed(written):
    turn = "0 1 0 -1 0 0 0 0 1 10 0 0"
    group = f'<object id="2"><components><component objectid="1" transform="{turn}"/></components></object>'
    build = '<item objectid="1"/><item objectid="2" transform="2 0 0 0 2 0 0 0 2 0 0 5"/>'
    mesh = read_scan(written("a.3mf", archive(model(mesh_object(1) + group, build))))
    turned = np.stack([-POINTS[:, 1] + 10, POINTS[:, 0], POINTS[:, 2]], axis=1)
    assert np.allclose(mesh.vertices, np.concatenate([POINTS, 2 * turned + [0, 0, 5]]))
    assert np.array_equal(mesh.faces, np.concatenate([CORNERS, CORNERS + 4]))


def test_a_mirroring_transform_keeps_triangles_outwards(written):
    build = '<item objectid="1" transform="-1 0 0 0 1 0 0 0 1 0 0 0"/>'
    mesh = read_scan(written("a.3mf", archive(model(mesh_object(1), build))))
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    assert np.einsum("nd,nd->n", a, np.cross(b, c)).sum() > 0


@pytest.mark.parametrize(
    ("resources", "build", "reason"),
    [
        (
            SELF,
            '<item objectid="1"/>',
            "more objects",
        ),
        (mesh_object(1), '<item objectid="1"/>' * 2001, "more objects"),
        (mesh_object(1), '<item objectid="7"/>', "not there"),
        (mesh_object(1), '<item objectid="1" transform="1 0 0"/>', "twelve numbers"),
        (mesh_object(1).replace('v1="2"', 'v1="4"'), '<item objectid="1"/>', "not there"),
        (mesh_object(1).replace('v1="2"', 'v1="-1"'), '<item objectid="1"/>', "not there"),
        (mesh_object(1).replace('x="1.0"', 'x="one"'), '<item objectid="1"/>', "no readable 3D model"),
        (mesh_object(1).replace("</mesh>", ""), '<item objectid="1"/>', "no readable 3D model"),
        (mesh_object(1), '<item objectid="1" xmlns:p="urn:p" p:path="/3D/other.model"/>', "several files"),
        ("", "", "no mesh"),
    ],
)
def test_a_model_that_cannot_be_is_named(resources, build, reason, refused):
    assert reason in refused("a.3mf", archive(model(resources, build)))


def test_objects_that_multiply_in_each_other_are_refused(refused):
    tens = [f'<component objectid="{k}"/>' * 10 for k in range(1, 11)]
    double = "".join(f'<object id="{k}"><components>{ten}</components></object>' for k, ten in enumerate(tens, 2))
    begin = time.process_time()
    assert "more objects" in refused("a.3mf", archive(model(mesh_object(1) + double, '<item objectid="11"/>')))
    assert time.process_time() - begin < 2


def test_archives_that_unpack_to_more_than_is_read_are_refused(monkeypatch, refused):
    monkeypatch.setattr(archives, "MAX_MODEL_BYTES", 100_000)
    bomb = archive(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert "unpacks to more than 100,000 bytes" in refused("a.3mf", bomb)


def test_an_archive_grows_no_more_than_a_hundredfold(refused):
    bomb = archive(b" " * 5_000_000)
    begin = time.process_time()
    assert f"unpacks to more than {100 * len(bomb):,} bytes" in refused("a.3mf", bomb)
    assert time.process_time() - begin < 2


def test_entities_are_refused(refused):
    text = '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + model(mesh_object(1), "")[21:]
    assert "document type" in refused("a.3mf", archive(text))


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_damaged_archive_is_refused(share, refused):
    data = archive(model(mesh_object(1), '<item objectid="1"/>'))
    refused("a.3mf", data[: int(share * len(data))])
    middle = data.index(b"3dmodel.model") + 40
    refused("b.3mf", data[:middle] + bytes(8) + data[middle + 8 :])


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_within_any_packing_is_refused(packing, refused):
    data = archive(model(mesh_object(1), '<item objectid="1"/>'), packing=packing)
    begin = data.index(b"3dmodel.model") + len("3dmodel.model")
    for place in range(begin + 9, begin + 100):  # behind the properties that LZMA begins with
        refused("a.3mf", data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
