"""The shipped template keeps what its description promises, and a damaged one is refused."""

import json
import shutil

import numpy as np
import pytest
from shapely import Polygon

from facecom.errors import CheckpointError
from facecom.geometry.mesh import boundary_loops, face_components, face_normals, unique_edges
from facecom.geometry.subdivision import split_faces
from facecom.model.template import LANDMARK_ALIASES, LANDMARK_NAMES, LEVEL_COUNT, Template

OTHER_SIDE = {"l_eye": "r_eye", "l_brow": "r_brow", "l_ear": "r_ear"}
MIRRORED_POINTS = {  # iBUG numbers from 1, each range facing the one beside it
    "jaw": (range(1, 18), range(17, 0, -1)),
    "brow": (range(18, 23), range(27, 22, -1)),
    "bridge": (range(28, 32), range(28, 32)),
    "base": (range(32, 37), range(36, 31, -1)),
    "eye": (range(37, 43), (46, 45, 44, 43, 48, 47)),
    "outer lip": (range(49, 61), (55, 54, 53, 52, 51, 50, 49, 60, 59, 58, 57, 56)),
    "inner lip": (range(61, 69), (65, 64, 63, 62, 61, 68, 67, 66)),
}


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.fixture(scope="module")
def saved(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    template.save(folder)
    return folder


@pytest.fixture(params=range(LEVEL_COUNT))
def level(request):
    return request.param


def sorted_faces(faces):
    rows = np.sort(faces, axis=1)
    return rows[np.lexsort(rows.T)]


def smallest_angles(mesh):
    corners = mesh.vertices[mesh.faces]
    angles = []
    for k in range(3):
        a, b = corners[:, k - 1] - corners[:, k], corners[:, k - 2] - corners[:, k]
        angles.append(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(1))))
    return np.min(angles, axis=0)


def signed_uv_areas(uv, faces):
    a, b, c = (uv[faces[:, k]] for k in range(3))
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def test_vertices_mirror_exactly(template):
    flipped = template.vertices[template.mirror] * [-1, 1, 1]
    assert (template.vertices == flipped).all()
    assert (template.mirror[template.mirror] == np.arange(len(template.mirror))).all()


def test_midline_is_at_zero_and_nothing_else(template):
    middle = template.mirror == np.arange(len(template.mirror))
    assert (template.vertices[middle, 0] == 0).all()
    assert (template.vertices[~middle, 0] != 0).all()


def test_faces_mirror_with_turned_orientation(template, level):
    faces = template.faces[level]
    assert (sorted_faces(template.mirror[faces]) == sorted_faces(faces)).all()
    image = template.mirror[faces][:, ::-1]

    def from_smallest(rows):
        first = np.argmin(rows, axis=1)[:, None]
        turned = np.take_along_axis(rows, (first + np.arange(3)) % 3, axis=1)
        return turned[np.lexsort(turned.T)]

    assert (from_smallest(image) == from_smallest(faces)).all()


@pytest.mark.parametrize("coarse", range(LEVEL_COUNT - 1))
def test_levels_nest_exactly(template, coarse):
    finer, _ = split_faces(template.faces[coarse], template.counts[coarse])
    assert (finer == template.faces[coarse + 1]).all()


def test_counts_are_those_of_the_design(template):
    assert np.allclose(template.counts, (800, 3000, 12_000, 48_000), rtol=0.1)


def test_each_level_is_a_disc(template, level):
    faces, count = template.faces[level], template.counts[level]
    edges, _, used = unique_edges(faces)
    assert used.max() == 2
    assert len(boundary_loops(faces)) == 1
    assert len(np.unique(faces)) == count
    assert face_components(faces).max() == 0
    assert count - len(edges) + len(faces) == 1


def test_orientation_is_consistent_and_outward(template, level):
    faces = template.faces[level]
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed @ [template.counts[level], 1])) == len(directed)
    mesh = template.mesh(level)
    tip = (mesh.faces == template.landmark_index("nose_tip")).any(1)
    if tip.any():
        assert (face_normals(mesh)[tip, 2] > 0).all()


def test_fine_vertices_lie_on_a_smooth_surface_not_on_flat_midpoints(template):
    flat = template.prolong(template.mesh(1).vertices, from_level=1, to_level=2)
    distance = np.linalg.norm(flat - template.mesh(2).vertices, axis=1)[template.counts[1] :]
    assert np.median(distance) > 0.05


def test_triangles_are_near_equilateral(template, level):
    angles = smallest_angles(template.mesh(level))
    assert np.percentile(angles, 1) > (25 if level == 0 else 30)
    assert np.median(angles) > 45


def test_density_is_graded(template):
    mesh = template.mesh(2)
    edges, _, _ = unique_edges(mesh.faces)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)

    def median(name):
        inside = template.region_mask(name, 2)[edges].all(1)
        return np.median(length[inside])

    for name in ("nose", "l_eye", "r_eye", "u_lip", "l_lip"):
        assert 1.0 < median(name) < 1.7
    assert median("scalp") > 3.5
    assert median("neck") > 3.0


def test_extent_holds_forehead_ears_and_neck(template):
    vertices = template.vertices
    assert vertices[:, 1].max() > 115
    assert vertices[:, 1].min() < -105
    for name in ("l_ear", "r_ear"):
        behind = vertices[template.region_mask(name), 2].min()
        assert vertices[:, 2].min() < behind


@pytest.mark.parametrize("name", ["l_ear", "r_ear", "nose", "eyelids", "u_lip"])
def test_folded_parts_do_not_cut_themselves(template, name):
    o3d = pytest.importorskip("open3d")
    mesh = template.mesh(2)
    faces = mesh.faces[template.region_mask(name, 2)[mesh.faces].any(1)]
    soup = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.copy()), o3d.utility.Vector3iVector(faces.copy())
    )
    assert not soup.is_self_intersecting()


def test_uv_is_injective_and_symmetric(template, level):
    mesh = template.mesh(level)
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    assert np.allclose(template.uv[template.mirror], [1, 0] + template.uv * [-1, 1], atol=1e-12)
    if level == LEVEL_COUNT - 1:
        assert signed_uv_areas(mesh.uv, mesh.faces).min() > 0
        outline = Polygon(mesh.uv[boundary_loops(mesh.faces)[0]])
        # positive areas and a simple border make a piecewise linear map of a disc one to one
        assert outline.is_valid
        assert np.isclose(outline.area, signed_uv_areas(mesh.uv, mesh.faces).sum(), rtol=1e-9)


def test_face_centre_gets_more_of_the_uv_square(template):
    mesh = template.mesh()
    share = signed_uv_areas(mesh.uv, mesh.faces)
    corners = mesh.vertices[mesh.faces]
    solid = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)

    def density(name):
        inside = template.region_mask(name)[mesh.faces].all(1)
        return share[inside].sum() / solid[inside].sum()

    assert density("u_lip") > 1.3 * density("neck")


def test_regions_exist_on_both_sides(template, level):
    for name in template.region_names:
        mask = template.region_mask(name, level)
        assert mask.any(), name
        image = template.mirror[: len(mask)][np.flatnonzero(mask)]
        other = OTHER_SIDE.get(name, {v: k for k, v in OTHER_SIDE.items()}.get(name, name))
        assert template.region_mask(other, level)[image].all(), name


def test_sides_are_the_subjects(template):
    for left, right in OTHER_SIDE.items():
        assert (template.vertices[template.region_mask(left), 0] > 0).all()
        assert (template.vertices[template.region_mask(right), 0] < 0).all()


def test_masks_are_symmetric_and_not_empty(template):
    assert set(template.masks) >= {"scalp", "eyelids", "nostrils"}
    for name, mask in template.masks.items():
        assert mask.any(), name
        assert (mask == mask[template.mirror]).all(), name


@pytest.mark.parametrize(
    "name", ["skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "l_lip", "neck"]
)
def test_parsed_regions_are_one_piece_or_nearly(template, name):
    faces = template.faces[3][template.region_mask(name)[template.faces[3]].all(1)]
    labels = face_components(faces)
    assert np.bincount(labels).max() > 0.97 * len(labels)


def test_landmarks_are_on_coarse_levels_and_distinct(template):
    assert tuple(template.landmarks) == LANDMARK_NAMES
    index = np.array(list(template.landmarks.values()))
    assert index.max() < template.counts[2]
    assert len(np.unique(index)) == len(index)


def test_landmarks_mirror_in_pairs(template):
    index = np.array(list(template.landmarks.values()))
    for ours, others in MIRRORED_POINTS.values():
        for a, b in zip(ours, others, strict=True):
            assert template.mirror[index[a - 1]] == index[b - 1]


def test_landmarks_sit_where_their_names_say(template):
    at = {name: template.vertices[template.landmark_index(name)] for name in LANDMARK_ALIASES}
    assert np.abs(at["nose_tip"]).max() < 1e-9
    assert at["nasion"][1] > at["nose_tip"][1] > at["subnasale"][1] > at["stomion"][1] > at["menton"][1]
    assert at["left_exocanthion"][0] > at["left_endocanthion"][0] > 0
    assert at["right_exocanthion"][0] < at["right_endocanthion"][0] < 0
    assert at["left_cheilion"][0] > 0 > at["right_cheilion"][0]
    assert 80 < np.linalg.norm(at["left_exocanthion"] - at["right_exocanthion"]) < 100


def test_eyes_bulge_and_lips_meet(template):
    mesh = template.mesh()
    for name in ("l_eye", "r_eye"):
        patch = mesh.vertices[template.region_mask(name)]
        centre = patch[np.argmin(np.linalg.norm(patch[:, :2] - patch[:, :2].mean(0), axis=1))]
        assert centre[2] > patch[:, 2].mean() + 0.5
    touching = template.region_mask("mouth")
    upper, lower = template.region_mask("u_lip"), template.region_mask("l_lip")
    beside = touching[mesh.faces].any(1)
    assert upper[mesh.faces[beside]].any()
    assert lower[mesh.faces[beside]].any()
    both = upper[mesh.faces].any(1) & lower[mesh.faces].any(1)
    between_corners = np.abs(mesh.vertices[mesh.faces, 0]).max(1) < np.abs(mesh.vertices[touching, 0]).max()
    assert not (both & between_corners).any()


@pytest.mark.parametrize("scheme", ["midpoint", "loop"])
def test_prolongation_keeps_constants(template, scheme):
    values = template.prolong(np.full((template.counts[0], 2), 3.0), from_level=0, to_level=2, scheme=scheme)
    assert values.shape == (template.counts[2], 2)
    assert np.allclose(values, 3.0)


def test_midpoint_prolongation_keeps_coarse_values(template):
    values = np.random.default_rng(0).normal(size=template.counts[1])
    assert (template.prolong(values, from_level=1, to_level=3)[: len(values)] == values).all()


def test_unknown_names_are_answered_with_known_ones(template):
    with pytest.raises(ValueError, match="nose_tip"):
        template.landmark_index("nose_tipp")
    with pytest.raises(ValueError, match="l_eye"):
        template.region_mask("left eye")
    with pytest.raises(ValueError, match="levels 0 to 3"):
        template.mesh(4)
    with pytest.raises(ValueError, match="coarser"):
        template.prolong(np.zeros(template.counts[2]), from_level=2, to_level=1)
    with pytest.raises(ValueError, match="rows"):
        template.prolong(np.zeros(3), from_level=0, to_level=1)
    with pytest.raises(ValueError, match="midpoint"):
        template.prolong(np.zeros(3), from_level=0, to_level=1, scheme="cubic")


def test_values_are_read_only_and_the_shipped_template_is_read_once(template):
    assert Template.load() is template
    with pytest.raises(ValueError, match="read-only"):
        template.vertices[0] = 0


def test_saving_and_loading_gives_the_same_bytes(template, tmp_path):
    template.save(tmp_path / "a")
    again = Template.load(tmp_path / "a")
    again.save(tmp_path / "b")
    for name in ("template.npz", "template.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (again.vertices == template.vertices).all()
    assert dict(again.landmarks) == dict(template.landmarks)


def damage_missing(folder):
    (folder / "template.npz").unlink()


def damage_truncated(folder):
    path = folder / "template.npz"
    path.write_bytes(path.read_bytes()[:-1000])


def damage_flipped(folder):
    path = folder / "template.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def damage_json(folder):
    (folder / "template.json").write_text("{")


def damage_kind(folder):
    rewrite(folder, format="something else")


def damage_version(folder):
    rewrite(folder, version=99)


def damage_landmarks(folder):
    rewrite(folder, landmark_names=["one"])


def rewrite(folder, **changes):
    path = folder / "template.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "file", "reason"),
    [
        (damage_missing, "template.npz", "No such file"),
        (damage_truncated, "template.npz", "truncated"),
        (damage_flipped, "template.npz", "damaged"),
        (damage_json, "template.json", "JSON"),
        (damage_kind, "template.json", "its format"),
        (damage_version, "template.json", "version 99"),
        (damage_landmarks, "template.npz", "does not fit its description"),
    ],
)
def test_a_damaged_template_is_refused_with_file_and_reason(saved, tmp_path, damage, file, reason):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=reason) as error:
        Template.load(tmp_path)
    assert file in str(error.value)


def test_inconsistent_arrays_are_refused(template):
    parts = {name: getattr(template, name) for name in template.__dataclass_fields__}
    with pytest.raises(ValueError, match="mirror"):
        Template(**(parts | {"mirror": template.mirror[:-1]}))
    with pytest.raises(ValueError, match="levels"):
        Template(**(parts | {"faces": template.faces[:2]}))
