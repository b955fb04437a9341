import json

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.guidance import guide as module
from facecom.guidance.diffusers_pipeline import PipelineSettings
from facecom.guidance.guide import GuidanceSettings, guide
from facecom.guidance.inpainting import DepthInpainter
from facecom.guidance.parsing import FACE_NAMES, FaceParser
from facecom.guidance.rendering import render

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from facecom.guidance.inpainter_network import CHANNELS, OUTPUTS, READINGS  # noqa: E402


class Still(torch.nn.Module):
    """Answers with the fitted face and a sigma of one scale, whatever it is shown."""

    def forward(self, batch, _):
        return type("Answer", (), {"sample": torch.zeros(1, OUTPUTS, *batch.shape[2:])})


class Nearer(torch.nn.Module):
    """Answers with a surface a millimetre in front of the fitted face."""

    def forward(self, batch, _):
        sample = torch.zeros(1, OUTPUTS, *batch.shape[2:])
        sample[:, 0] = -0.5
        return type("Answer", (), {"sample": sample})


class Skin(torch.nn.Module):
    """Calls all dark pixels background and the rest skin."""

    def forward(self, batch):
        logits = torch.zeros(1, 1 + len(FACE_NAMES), *batch.shape[2:])
        logits[:, 1] = torch.where(batch.mean(1) > -0.98, 9.0, -9.0)
        return type("Answer", (), {"logits": logits})


@pytest.fixture
def networks(monkeypatch):
    inpainter = DepthInpainter(Still(), size=24, scale_mm=2.0, readout=np.zeros(READINGS))
    parser = FaceParser(Skin(), ("background", *FACE_NAMES), size=24)
    monkeypatch.setattr(DepthInpainter, "from_pretrained", lambda: inpainter)
    monkeypatch.setattr(FaceParser, "from_pretrained", lambda: parser)


@pytest.fixture(scope="module")
def ball(icosphere) -> Mesh:
    return icosphere(3, radius=60.0).with_vertices(icosphere(3, radius=60.0).vertices + [0, 5, -40])


@pytest.fixture(scope="module")
def damaged(ball) -> Mesh:
    away = np.linalg.norm(ball.vertices[ball.faces].mean(1) - [0, 5, 20], axis=1)
    return ball.submesh(away > 25)[0]


def test_a_hole_gives_observations_in_the_hole(ball, damaged, networks):
    found = guide(damaged, ball, settings=GuidanceSettings(both_sides=False))
    assert {view.name for view in found.views} == {"front", "left", "right", "below"}
    assert not found.warnings
    assert len(found.observations.points) > 50
    assert (np.linalg.norm(found.observations.points - [0, 5, 20], axis=1) < 35).all()
    assert np.abs(np.linalg.norm(found.observations.points - [0, 5, -40], axis=1) - 60).max() < 1.5
    assert 0.5 < found.seen_share["skin"] <= 1
    assert found.seconds > 0


def test_each_picture_is_taken_once_and_the_parser_has_its_own_size(ball, damaged, networks, monkeypatch):
    taken = []

    def count(mesh, camera, **options):
        taken.append((camera.width, tuple(np.round(camera.axes[2], 3))))
        return render(mesh, camera, **options)

    monkeypatch.setattr(module, "render", count)
    monkeypatch.setattr(FaceParser, "from_pretrained", lambda: FaceParser(Skin(), ("background", *FACE_NAMES), size=30))
    found = guide(damaged, ball)
    assert len([width for width, _ in taken if width == 24]) == 2 * 4
    assert len([width for width, _ in taken if width == 30]) == 4
    assert all(view.parse.labels.shape == (30, 30) for view in found.views)


def test_clutter_that_the_parser_sees_is_filled_in(ball, damaged, networks, monkeypatch):
    """Where the picture is dark the parser sees background."""
    dark = Mesh(damaged.vertices, damaged.faces, colors=np.repeat((damaged.vertices[:, [1]] < 20).astype(float), 3, 1))
    kept, dropped = (
        guide(dark, ball, settings=GuidanceSettings(views=("front",), drop_clutter=drop, least_confidence=0.05))
        .views[0]
        .filled.mask
        for drop in (False, True)
    )
    assert dropped.sum() > kept.sum() + 20
    assert (dropped | ~kept).all()


def test_only_what_the_other_side_shows_is_believed_and_elsewhere_the_face_is_held(ball, networks, monkeypatch):
    """The hole reaches over the middle: of its left half the right side shows the mirror image, of the rest neither."""
    nearer = DepthInpainter(Nearer(), size=24, scale_mm=2.0, readout=np.zeros(READINGS))
    monkeypatch.setattr(DepthInpainter, "from_pretrained", lambda: nearer)
    middle = ball.vertices[ball.faces].mean(1)
    scan = ball.submesh(np.linalg.norm(middle - [12, 5, 15], axis=1) > 30)[0]
    careful, all_of_it = (
        guide(scan, ball, settings=GuidanceSettings(views=("front",), both_sides=both)) for both in (True, False)
    )
    believed, every = careful.views[0].believed, all_of_it.views[0].believed
    assert (every == all_of_it.views[0].filled.mask).all()
    assert 0 < believed.sum() < every.sum() and (every | ~believed).all()
    assert not (believed & believed[:, ::-1]).any()
    seen = careful.observations
    at = np.einsum("nk,nkd->nd", seen.barycentric, ball.vertices[seen.corners])
    forward = np.einsum("nd,nd->n", seen.points - at, seen.normals)
    assert np.isclose(forward, 1.0, atol=0.01).sum() == believed.sum()
    assert np.isclose(forward, 0.0, atol=1e-5).sum() == (every & ~believed).sum()
    assert len(all_of_it.observations.points) == len(seen.points)


def bumpy(ball, heights) -> Mesh:
    """The ball with a bump at either side of the middle."""
    at, push = ball.vertices, 0.0
    for side, height in zip((1, -1), heights, strict=True):
        push = push + height * np.exp(-np.sum((at - [25.0 * side, 5, 15]) ** 2, axis=1) / (2 * 15.0**2))
    away = at - [0, 5, -40]
    return ball.with_vertices(at + push[:, None] * away / np.linalg.norm(away, axis=1, keepdims=True))


@pytest.mark.parametrize(("heights", "trusted"), [((2.0, 2.0), True), ((2.0, -2.0), False), ((2.0, 0.0), False)])
def test_one_side_is_filled_in_from_the_other_where_both_are_alike(ball, networks, heights, trusted):
    scan = bumpy(ball, heights)
    hole = scan.submesh(np.linalg.norm(scan.vertices[scan.faces].mean(1) - [22, -25, 5], axis=1) > 22)[0]
    found = guide(hole, ball)
    assert found.views and any(view.believed.any() for view in found.views) == trusted
    assert (found.observations is not None) == trusted
    assert [line for line in found.warnings if "the sides of this face are alike to" in line] == list(found.warnings)
    assert len(found.warnings) == (not trusted)
    assert guide(hole, ball, settings=GuidanceSettings(both_sides=False)).observations is not None


def test_half_a_face_says_nothing_of_where_its_middle_is(ball, networks):
    half = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 0] > -2)[0]
    found = guide(half, ball)
    assert found.observations is None
    assert "both sides are seen of" in found.warnings[-1]


def test_a_whole_scan_needs_no_guidance(ball, networks):
    found = guide(ball, ball)
    assert found.observations is None and not found.views


def test_where_the_face_proper_ends_nothing_is_filled(ball, damaged, networks):
    assert guide(damaged, ball, proper=np.zeros(len(ball.vertices), bool)).observations is None


def test_views_that_show_nothing_are_warned_of_and_all_of_them_are_an_error(ball, damaged, networks):
    half = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 0] > 45)[0]
    found = guide(half, ball)
    assert any("view right" in line and "nothing of the mesh" in line for line in found.warnings)
    with pytest.raises(ValueError, match="no view can guide the fit; view below: the view shows nothing"):
        guide(damaged.with_vertices(damaged.vertices + [900, 0, 0]), ball)


def test_unknown_sources_and_missing_weights_are_named(ball, damaged, networks, tmp_path):
    with pytest.raises(ValueError, match="owner/name@commit.*'magic'"):
        guide(damaged, ball, source="magic")
    pytest.importorskip("diffusers")
    with pytest.raises(CheckpointError, match="pipeline .* cannot be had"):
        guide(damaged, ball, source=PipelineSettings(source=str(tmp_path)))


def test_a_pipeline_fills_the_views(ball, damaged, networks, monkeypatch):
    """One that blurs: the normals near the hole go on into it."""
    from PIL import ImageFilter

    def blur(**options):
        return type("Answer", (), {"images": [options["image"].filter(ImageFilter.GaussianBlur(3))]})

    monkeypatch.setattr(module, "load_pipeline", lambda settings: blur)
    source = PipelineSettings(source="blur", size=64, sigma_mm=3.0)
    found = guide(damaged, ball, source=source, settings=GuidanceSettings(views=("front",), parse=False))
    assert len(found.views) == 1
    assert len(found.observations.points) > 20
    assert found.seen_share == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image.resize((8, 8)), "pipeline odd returned a picture of"),
        (lambda image: image.point(lambda value: 0), "pipeline odd changed the kept pixels"),
    ],
)
def test_a_pipeline_that_returns_something_else_ends_in_an_error_that_names_it(
    ball, damaged, monkeypatch, change, words
):
    def odd(**options):
        return type("Answer", (), {"images": [change(options["image"])]})

    monkeypatch.setattr(module, "load_pipeline", lambda settings: odd)
    with pytest.raises(ValueError, match=words):
        guide(damaged, ball, source=PipelineSettings(source="odd", size=64), settings=GuidanceSettings(parse=False))


def test_real_networks_of_few_weights_work_through(ball, damaged, tmp_path, monkeypatch, small_unet):
    small_unet(12, channels=(4 * CHANNELS, 4 * OUTPUTS)).save_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(
        json.dumps({"size": 24, "scale_mm": 2.0, "pack": 2, "sigma_scale": 1.0, "readout": [0.0] * READINGS})
    )
    inpainter = DepthInpainter.from_pretrained(tmp_path)
    monkeypatch.setattr(DepthInpainter, "from_pretrained", lambda: inpainter)
    found = guide(damaged, ball, settings=GuidanceSettings(parse=False, both_sides=False))
    assert np.isfinite(found.observations.points).all()
