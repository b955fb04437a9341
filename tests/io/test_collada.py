"""COLLADA: meshes in their places with colours and images; what is damaged or not read is one sentence."""

import numpy as np
import pytest
from PIL import Image

from facecom.io import collada, xml_tree
from facecom.io.conversion import mesh_and_warnings
from facecom.io.files import read_scan, read_scan_file

SOURCE = (
    '<source id="{name}"><float_array id="{name}-a" count="{size}">{numbers}</float_array><technique_common>'
    '<accessor source="#{name}-a" count="{count}" stride="{stride}">{params}</accessor></technique_common></source>'
)
SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]]
UV = [[0, 0], [1, 0], [1, 1], [0, 1]]
TRIANGLES = '<triangles material="skin" count="2">{inputs}<p>0 0 1 1 2 2 0 0 2 2 3 3</p></triangles>'
INPUTS = '<input semantic="VERTEX" source="#vertices" offset="0"/><input semantic="TEXCOORD" source="#uv" offset="1"/>'
BOUND = (
    '<bind_material><technique_common><instance_material symbol="skin" target="#material"/></technique_common>'
    "</bind_material>"
)
NODE = '<node>{steps}<instance_geometry url="#face">{bound}</instance_geometry></node>'


def source(name, rows, params="XYZ"):
    rows = np.asarray(rows, float)
    return SOURCE.format(
        name=name, size=rows.size, numbers=" ".join(map(str, rows.ravel())), count=len(rows), stride=rows.shape[1],
        params="".join(f'<param name="{p}" type="float"/>' for p in params[: rows.shape[1]]),
    )  # fmt: skip


def dae(primitives=None, *, nodes=None, more="", of_vertices="", inputs=INPUTS, images=""):
    """A file of one geometry, shown by the nodes."""
    primitives = (TRIANGLES if primitives is None else primitives).format(inputs=inputs)
    nodes = NODE.format(steps="", bound=BOUND) if nodes is None else nodes
    return (
        '<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">'
        f'<asset><unit meter="0.001" name="millimeter"/><up_axis>Z_UP</up_axis></asset>{images}<library_geometries>'
        f'<geometry id="face"><mesh>{source("places", SQUARE)}{source("uv", UV, "ST")}{more}<vertices id="vertices">'
        f'<input semantic="POSITION" source="#places"/>{of_vertices}</vertices>{primitives}</mesh></geometry>'
        f'</library_geometries><library_visual_scenes><visual_scene id="scene">{nodes}</visual_scene>'
        '</library_visual_scenes><scene><instance_visual_scene url="#scene"/></scene></COLLADA>'
    )


def material(name="material", file="my%20skin.png"):
    return (
        f'<library_images><image id="{name}-image"><init_from>./textures/{file}</init_from></image></library_images>'
        f'<library_effects><effect id="{name}-effect"><profile_COMMON><newparam sid="surface"><surface type="2D">'
        f"<init_from>{name}-image</init_from></surface></newparam><newparam sid='sampler'><sampler2D>"
        "<source>surface</source></sampler2D></newparam><technique sid='common'><phong><diffuse>"
        "<texture texture='sampler' texcoord='UV'/></diffuse></phong></technique></profile_COMMON></effect>"
        f'</library_effects><library_materials><material id="{name}"><instance_effect url="#{name}-effect"/></material>'
        "</library_materials>"
    )


def test_points_keep_order_number_and_unit(written):
    found = read_scan_file(written("a.dae", dae()))
    assert found.mesh.vertices.tolist() == SQUARE
    assert found.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert found.mesh.uv[:4].tolist() == UV


@pytest.mark.parametrize(
    "primitives",
    [
        '<polylist count="2">{inputs}<vcount>4 3</vcount><p>0 0 1 1 2 2 3 3 0 0 1 1 4 2</p></polylist>',
        '<polygons count="2">{inputs}<p>0 0 1 1 2 2 3 3</p><p>0 0 1 1 4 2</p></polygons>',
        "<trifans>{inputs}<p>0 0 1 1 2 2 3 3</p></trifans><triangles>{inputs}<p>0 0 1 1 4 2</p></triangles>",
    ],
)
def test_polygons_of_every_spelling_become_the_same_triangles(written, primitives):
    found = read_scan(written("a.dae", dae(primitives)))
    assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]


def test_a_strip_keeps_its_triangles_facing_one_way(written):
    strip = "<tristrips>{inputs}<p>0 0 1 1 3 3 2 2</p></tristrips>"
    faces = read_scan(written("a.dae", dae(strip))).faces
    corners = np.array(SQUARE, float)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()


def test_nodes_move_what_they_show_step_by_step(written):
    inner = NODE.format(steps="<scale>1 2 -1</scale>", bound="")
    steps = "<translate>10 0 0</translate><rotate>0 0 1 90</rotate>"
    found = read_scan(written("a.dae", dae(nodes=f"<node>{steps}{inner}</node>" + NODE.format(steps="", bound=""))))
    x, y, z = np.array(SQUARE, float).T
    np.testing.assert_allclose(found.vertices[:5], np.stack([10 - 2 * y, x, -z], axis=1), atol=1e-12)
    np.testing.assert_allclose(found.vertices[5:], SQUARE)
    assert found.faces.tolist() == [[2, 1, 0], [3, 2, 0], [5, 6, 7], [5, 7, 8]]  # mirrored: turned to face outwards


def test_a_matrix_and_a_library_of_nodes(written):
    library = f'<library_nodes><node id="n">{NODE.format(steps="", bound="")}</node></library_nodes>'
    nodes = '<node><matrix>0 -1 0 5 1 0 0 6 0 0 1 7 0 0 0 1</matrix><instance_node url="#n"/></node>'
    found = read_scan(written("a.dae", dae(nodes=nodes, images=library)))
    np.testing.assert_allclose(found.vertices[1], [5, 7, 7])


def test_colours_of_vertices_and_of_corners(written):
    colors = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0.5, 0.5, 0.5]]
    of_vertices = '<input semantic="COLOR" source="#colors"/>'
    found = read_scan(written("a.dae", dae(more=source("colors", colors, "RGB"), of_vertices=of_vertices)))
    np.testing.assert_allclose(found.colors[:4], colors[:4])
    inputs = INPUTS + '<input semantic="COLOR" source="#colors" offset="1" set="0"/>'
    again = read_scan(written("b.dae", dae(more=source("colors", colors, "RGB"), inputs=inputs)))
    np.testing.assert_allclose(again.colors[:4], colors[:4])


def test_the_image_of_the_material_gives_colours(written, tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :] = (255, 0, 0)  # the upper half, v > 0.5
    Image.fromarray(pixels).save(tmp_path / "my skin.png")
    path = written("a.dae", dae(images=material()))
    mesh, said = mesh_and_warnings(path)
    assert said == ()
    assert mesh.colors[:4, 0].tolist() == [0, 0, 1, 1]


def test_an_image_that_is_not_there_is_a_warning(written):
    mesh, said = mesh_and_warnings(written("a.dae", dae(images=material())))
    assert mesh.colors is None
    assert any("my skin.png" in text for text in said)


def test_two_materials_lie_each_on_its_own_faces(written, tmp_path):
    for name, color in (("one.png", (255, 0, 0)), ("two.png", (0, 0, 255))):
        Image.fromarray(np.full((4, 4, 3), color, np.uint8)).save(tmp_path / name)
    primitives = (
        '<triangles material="skin">{inputs}<p>0 0 1 1 4 2</p></triangles>'
        '<triangles material="other">{inputs}<p>2 2 3 3 2 2</p></triangles>'
    )
    both = BOUND.replace("</technique_common>", '<instance_material symbol="other" target="#b"/></technique_common>')
    images = material(file="one.png") + material("b", "two.png")
    mesh, said = mesh_and_warnings(
        written("a.dae", dae(primitives, images=images, nodes=NODE.format(steps="", bound=both)))
    )
    assert said == ()
    np.testing.assert_array_equal(mesh.colors[:4], [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("2 2 3 3</p>", "2 2 3</p>", "within a corner"),
        ("2 2 3 3</p>", "2 2 7 3</p>", "name what is not there"),
        ("2 2 3 3</p>", "2 2 -3 3</p>", "name what is not there"),
        ("2 2 3 3</p>", "2 2 1.5 3</p>", "whole numbers"),
        ("2 2 3 3</p>", "2 2 three 3</p>", "damaged"),
        ('count="5" stride', 'count="6" stride', "cut short"),
        ('count="5" stride', 'count="99999999999" stride', "cut short"),
        ('source="#places"', 'source="#nowhere"', "not there"),
        ('url="#face"', 'url="other.dae#face"', "another file"),
        ('url="#face"', 'url="#places"', "no mesh"),
        ("<instance_geometry", "<lookat/><instance_geometry", "lookat"),
        ("<COLLADA", "<!DOCTYPE a [<!ENTITY b 'c'>]><COLLADA", "document type"),
        ("</COLLADA>", "", "no XML of COLLADA"),
    ],
)
def test_what_does_not_fit_is_refused(refused, before, after, said):
    assert before in dae()
    assert said in refused("a.dae", dae().replace(before, after, 1))


def test_nodes_that_show_each_other_come_to_an_end(refused):
    library = "".join(
        f'<library_nodes><node id="n{k}"><instance_node url="#n{k + 1}"/><instance_node url="#n{k + 1}"/></node>'
        "</library_nodes>"
        for k in range(60)
    )
    last = '<library_nodes><node id="n60"><instance_node url="#n0"/></node></library_nodes>'
    nodes = '<node><instance_node url="#n0"/></node>'
    assert "more nodes or meshes" in refused("a.dae", dae(nodes=nodes, images=library + last))


def test_meshes_that_are_shown_often_are_bounded(refused, monkeypatch):
    monkeypatch.setattr(collada, "MAX_VERTICES", 12)
    assert "vertices in all" in refused("a.dae", dae(nodes=3 * NODE.format(steps="", bound="")))


def test_elements_and_their_depth_are_bounded(refused, monkeypatch):
    assert "more elements" in refused("deep.dae", "<a>" * 300)
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 30)
    assert "more elements" in refused("many.dae", dae())


def test_numbers_are_the_same_however_they_are_parted(monkeypatch):
    text = " 1 2.25\n-3e2\t" * 50
    whole = xml_tree.text_numbers(text)
    monkeypatch.setattr(xml_tree, "NUMBERS_AT_ONCE", 7)
    assert np.array_equal(xml_tree.text_numbers(text), whole)
    assert len(whole) == 150
