import json
from dataclasses import replace

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Mesh
from facecom.guidance import guide as module
from facecom.guidance.diffusers_pipeline import PipelineSettings, check_source
from facecom.guidance.guide import guide
from facecom.guidance.inpainting import DepthInpainter, InpaintedView
from facecom.guidance.parsing import FACE_NAMES, FaceParser, ParsedImage
from facecom.guidance.rendering import render
from facecom.guidance.settings import GuidanceSettings

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from facecom.guidance.inpainter_network import FEATURE_COUNT, INPUT_CHANNELS, OUTPUT_CHANNELS  # noqa: E402


class Still(torch.nn.Module):
    """Answers with the fitted face and a sigma of one scale, whatever it is shown."""

    def forward(self, batch, _):
        return type("Answer", (), {"sample": torch.zeros(1, OUTPUT_CHANNELS, *batch.shape[2:])})


class Nearer(torch.nn.Module):
    """Answers with a surface a millimetre in front of the fitted face."""

    def forward(self, batch, _):
        sample = torch.zeros(1, OUTPUT_CHANNELS, *batch.shape[2:])
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
    inpainter = DepthInpainter(Still(), size=24, scale_mm=2.0, readout=np.zeros(FEATURE_COUNT))
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
    found = guide(damaged, ball, settings=GuidanceSettings(mirrored_only=False))
    assert {view.name for view in found.views} == {"front", "left", "right", "below"}
    assert not found.warnings
    assert len(found.observations.points) > 50
    assert (np.linalg.norm(found.observations.points - [0, 5, 20], axis=1) < 35).all()
    assert np.abs(np.linalg.norm(found.observations.points - [0, 5, -40], axis=1) - 60).max() < 1.5
    assert 0.5 < found.observed_share["skin"] <= 1
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
        guide(dark, ball, settings=GuidanceSettings(views=("front",), drop_clutter=drop, min_confidence=0.05))
        .views[0]
        .inpainted.mask
        for drop in (False, True)
    )
    assert dropped.sum() > kept.sum() + 20
    assert (dropped | ~kept).all()


def test_only_what_the_other_side_shows_is_believed_and_elsewhere_the_face_is_held(ball, networks, monkeypatch):
    """The hole reaches over the middle: of its left half the right side shows the mirror image, of the rest neither."""
    nearer = DepthInpainter(Nearer(), size=24, scale_mm=2.0, readout=np.zeros(FEATURE_COUNT))
    monkeypatch.setattr(DepthInpainter, "from_pretrained", lambda: nearer)
    middle = ball.vertices[ball.faces].mean(1)
    scan = ball.submesh(np.linalg.norm(middle - [12, 5, 15], axis=1) > 30)[0]
    careful, all_of_it = (
        guide(scan, ball, settings=GuidanceSettings(views=("front",), mirrored_only=both)) for both in (True, False)
    )
    trusted, every = careful.views[0].trusted, all_of_it.views[0].trusted
    assert (every == all_of_it.views[0].inpainted.mask).all()
    assert 0 < trusted.sum() < every.sum() and (every | ~trusted).all()
    assert not (trusted & trusted[:, ::-1]).any()
    seen = careful.observations
    at = np.einsum("nk,nkd->nd", seen.barycentric, ball.vertices[seen.corners])
    forward = np.einsum("nd,nd->n", seen.points - at, seen.normals)
    assert np.isclose(forward, 1.0, atol=0.01).sum() == trusted.sum()
    assert np.isclose(forward, 0.0, atol=1e-5).sum() == (every & ~trusted).sum()
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
    assert found.views and any(view.trusted.any() for view in found.views) == trusted
    assert (found.observations is not None) == trusted
    assert [line for line in found.warnings if "the sides of this face are alike to" in line] == list(found.warnings)
    assert len(found.warnings) == (not trusted)
    assert guide(hole, ball, settings=GuidanceSettings(mirrored_only=False)).observations is not None


def test_half_a_face_says_nothing_of_where_its_middle_is(ball, networks):
    half = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 0] > -2)[0]
    found = guide(half, ball)
    assert found.observations is None
    assert "both sides are seen of" in found.warnings[-1]


def test_a_whole_scan_needs_no_guidance(ball, networks):
    found = guide(ball, ball)
    assert found.observations is None and not found.views


def test_where_the_face_proper_ends_nothing_is_filled(ball, damaged, networks):
    assert guide(damaged, ball, face_mask=np.zeros(len(ball.vertices), bool)).observations is None


def test_views_that_show_nothing_are_warned_of_and_all_of_them_are_an_error(ball, damaged, networks):
    half = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 0] > 45)[0]
    found = guide(half, ball)
    assert any("view right" in line and "nothing of the mesh" in line for line in found.warnings)
    with pytest.raises(ValueError, match="no view can guide the fit; view below: the view shows nothing"):
        guide(damaged.with_vertices(damaged.vertices + [900, 0, 0]), ball)


@pytest.mark.slow
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
    assert found.observed_share == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image.resize((8, 8)), "pipeline odd returned an image of"),
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
    small_unet(12, channels=(4 * INPUT_CHANNELS, 4 * OUTPUT_CHANNELS)).save_pretrained(tmp_path)
    (tmp_path / "inpainter.json").write_text(
        json.dumps({"size": 24, "scale_mm": 2.0, "pack": 2, "sigma_scale": 1.0, "readout": [0.0] * FEATURE_COUNT})
    )
    inpainter = DepthInpainter.from_pretrained(tmp_path)
    monkeypatch.setattr(DepthInpainter, "from_pretrained", lambda: inpainter)
    found = guide(damaged, ball, settings=GuidanceSettings(parse=False, mirrored_only=False))
    assert np.isfinite(found.observations.points).all()


class OwnParser:
    """Calls the upper half of what shows a forehead, the rest chin."""

    size = 20

    def parse(self, image):
        shown = image.max(axis=2) > 0
        labels = np.where(shown, 1 + (np.arange(20)[:, None] >= 10), 0)
        return ParsedImage(labels, np.ones(labels.shape), ("background", "forehead", "chin"))


class OwnInpainter:
    """Fills every hole three millimetres in front of the fitted face."""

    size = 32

    def fill(self, scan, face, mask, *, other=None):
        depth = np.where(mask, face.depth - 3.0, scan.depth)
        normals = np.where(mask[..., None], face.normals, scan.normals)
        return InpaintedView(depth, normals, np.where(mask, 1.5, 0.0), mask)


def forbid(monkeypatch):
    def loaded(*_):
        raise AssertionError("the shipped network was loaded")

    for network in (DepthInpainter, FaceParser):
        monkeypatch.setattr(network, "from_pretrained", loaded)


def test_a_parser_and_an_inpainter_of_ones_own_take_the_shipped_ones_place(ball, damaged, monkeypatch):
    forbid(monkeypatch)
    settings = GuidanceSettings(parser=OwnParser(), inpainter=OwnInpainter(), sigma_scale=1.0, views=("front",))
    check_source(settings)
    found = guide(damaged, ball, settings=settings)
    view = found.views[0]
    assert view.scan.mask.shape == (32, 32) and view.parse.labels.shape == (20, 20)
    assert set(found.observed_share) == {"forehead", "chin"}
    np.testing.assert_array_equal(view.trusted, view.inpainted.mask)  # all of them, mirrored or not
    seen = found.observations
    at = np.einsum("nk,nkd->nd", seen.barycentric, ball.vertices[seen.corners])
    np.testing.assert_allclose((seen.points - at)[:, 2], 3.0, atol=1e-6)
    assert len(seen.points) > 20


@pytest.mark.slow
def test_either_may_be_ones_own_alone(ball, damaged, networks):
    parsed = guide(damaged, ball, settings=GuidanceSettings(parser=OwnParser(), mirrored_only=False))
    assert set(parsed.observed_share) == {"forehead", "chin"} and parsed.views[0].scan.mask.shape == (24, 24)
    filled = guide(damaged, ball, settings=GuidanceSettings(inpainter=OwnInpainter()))
    assert "skin" in filled.observed_share and filled.views[0].scan.mask.shape == (32, 32)


def test_the_own_parser_is_not_asked_where_none_is_wanted(ball, damaged, monkeypatch):
    forbid(monkeypatch)
    settings = GuidanceSettings(parse=False, parser=OwnParser(), inpainter=OwnInpainter())
    assert guide(damaged, ball, settings=settings).observed_share == {}


def test_clutter_is_what_the_own_parser_calls_background(ball, damaged, monkeypatch):
    class AllBackground(OwnParser):
        def parse(self, image):
            found = super().parse(image)
            return ParsedImage(np.where(np.arange(20)[:, None] < 10, 0, found.labels), found.confidence, found.names)

    settings = GuidanceSettings(parser=AllBackground(), inpainter=OwnInpainter(), drop_clutter=True, views=("front",))
    mask = guide(damaged, ball, settings=settings).views[0].inpainted.mask
    assert mask[:16].sum() == guide(damaged, ball, settings=settings).views[0].face.mask[:16].sum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": np.zeros((8, 8))}, "the inpainter gave depth of"),
        ({"normals": np.zeros((32, 32))}, "the inpainter gave normals of"),
        ({"sigma_mm": np.zeros((32, 32))}, "positive sigma"),
        ({"mask": np.ones((32, 32), bool), "depth": np.full((32, 32), 450.0)}, "masked pixels alone"),
    ],
)
def test_what_an_inpainter_gives_is_checked(ball, damaged, change, words):
    class Odd(OwnInpainter):
        def fill(self, scan, face, mask, *, other=None):
            return replace(super().fill(scan, face, mask), **change)

    with pytest.raises(ValueError, match=words):
        guide(damaged, ball, settings=GuidanceSettings(parse=False, inpainter=Odd()))


def test_what_a_parser_gives_is_checked(ball, damaged):
    class Odd(OwnParser):
        size = 30

    with pytest.raises(ValueError, match=r"the parser gave labels of .* for an image of \(30, 30\)|broadcast"):
        guide(damaged, ball, settings=GuidanceSettings(parser=Odd(), inpainter=OwnInpainter()))


def test_a_pipeline_and_an_inpainter_at_once_are_refused(ball, damaged, tmp_path):
    with pytest.raises(ValueError, match="a pipeline or an inpainter, not both"):
        guide(damaged, ball, source=PipelineSettings(source="x"), settings=GuidanceSettings(inpainter=OwnInpainter()))
