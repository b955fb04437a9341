import json

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.guidance.parsing import FaceParser, ParsedImage

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

FACE = ["skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip"]
CELEBA = ["background", *FACE, "hair", "hat", "ear_r", "neck_l", "neck", "cloth"]
TINY = {
    "num_encoder_blocks": 4,
    "depths": [1] * 4,
    "hidden_sizes": [4] * 4,
    "num_attention_heads": [1] * 4,
    "decoder_hidden_size": 4,
}


@pytest.fixture(scope="module")
def tiny() -> object:
    torch.manual_seed(0)
    config = transformers.SegformerConfig(**TINY, id2label=dict(enumerate(CELEBA)))
    return transformers.SegformerForSemanticSegmentation(config).eval()


@pytest.fixture
def folder(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    prepare = {"size": {"height": 32, "width": 32}, "image_mean": [0.4] * 3, "image_std": [0.3] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(prepare))
    return tmp_path


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def picture():
    return np.random.default_rng(0).uniform(size=(48, 40, 3))


def test_a_stored_network_names_each_pixel(folder, picture):
    parse = FaceParser.from_pretrained(folder).parse(picture)
    assert parse.names == tuple(CELEBA)
    assert parse.labels.shape == parse.confidence.shape == (48, 40)
    assert 0 <= parse.labels.min() <= parse.labels.max() < len(CELEBA)
    assert (parse.confidence >= 1 / len(CELEBA) - 1e-6).all() and (parse.confidence <= 1).all()


def test_preparation_is_resizing_and_normalising(tiny, folder, picture):
    """A picture of the network's own size is only normalised."""
    small = picture[:32, :32]
    with torch.inference_mode():
        batch = torch.tensor((small.transpose(2, 0, 1) - 0.4) / 0.3, dtype=torch.float32)[None]
        logits = tiny(batch).logits
        wanted = torch.nn.functional.interpolate(logits, (32, 32), mode="bilinear").softmax(1)[0].amax(0).numpy()
    assert np.allclose(FaceParser.from_pretrained(folder).parse(small).confidence, wanted, atol=1e-5)


def test_loading_is_silent(folder, capfd):
    FaceParser.from_pretrained(folder)
    assert capfd.readouterr() == ("", "")


def test_half_precision_weights_are_read(tiny, folder, picture):
    from safetensors.torch import save_file

    whole = FaceParser.from_pretrained(folder).parse(picture)
    halves = {k: v.half().contiguous() for k, v in tiny.state_dict().items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    assert np.mean(FaceParser.from_pretrained(folder).parse(picture).labels == whole.labels) > 0.95


def test_the_order_of_the_classes_is_the_models_own(folder, picture):
    before = FaceParser.from_pretrained(folder).parse(picture)
    turned = CELEBA[::-1]
    change_config(folder, id2label=dict(enumerate(turned)), label2id={n: k for k, n in enumerate(turned)})
    after = FaceParser.from_pretrained(folder).parse(picture)
    assert after.names == tuple(turned)
    assert np.array_equal(before.labels, after.labels)
    with pytest.raises(ValueError, match="no class 'beard'; it has cloth"):
        after.mask("beard")


@pytest.mark.parametrize(
    "names", [[f"LABEL_{k}" for k in range(19)], ["background", "face", *(f"other{k}" for k in range(17))]]
)
def test_unknown_classes_are_refused(folder, names):
    change_config(folder, id2label=dict(enumerate(names)), label2id={n: k for k, n in enumerate(names)})
    with pytest.raises(CheckpointError, match="lack skin, nose"):
        FaceParser.from_pretrained(folder)


def test_missing_and_damaged_files_are_named(folder):
    change_config(folder, model_type="bert")
    with pytest.raises(CheckpointError, match="'bert', a segformer"):
        FaceParser.from_pretrained(folder)
    change_config(folder, model_type="segformer")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        FaceParser.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(data)
    with pytest.raises(CheckpointError, match="no model.safetensors"):
        FaceParser.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match="config.json: is missing"):
        FaceParser.from_pretrained(folder)


def test_weights_that_lack_a_layer_are_refused(folder, tiny):
    from safetensors.torch import save_file

    some = {k: v.clone() for k, v in tiny.state_dict().items() if "classifier" not in k}
    save_file(some, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="decode_head.classifier"):
        FaceParser.from_pretrained(folder)


def test_a_hub_id_needs_its_commit_and_is_not_downloaded_unasked(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []
    real = hub.snapshot_download

    def look(repository, **options):
        asked.append(options["local_files_only"])
        return real(repository, **(options | {"cache_dir": tmp_path, "local_files_only": True}))

    monkeypatch.setattr(hub, "snapshot_download", look)
    with pytest.raises(ValueError, match="40 digits of a commit"):
        FaceParser.from_pretrained("jonathandinu/face-parsing", revision="main")
    with pytest.raises(CheckpointError, match="jonathandinu/face-parsing@00000000: cannot be had"):
        FaceParser.from_pretrained("jonathandinu/face-parsing", revision="0" * 40)
    with pytest.raises(CheckpointError, match="check the network"):
        FaceParser.from_pretrained("jonathandinu/face-parsing", revision="0" * 40, download=True)
    assert asked == [True, False]
    with pytest.raises(CheckpointError, match="neither a folder nor the id"):
        FaceParser.from_pretrained("no such folder")


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((0, 4, 3)), np.full((4, 4, 3), 255)])
def test_pictures_that_are_none_are_refused(tiny, wrong):
    with pytest.raises(ValueError, match="image"):
        FaceParser(tiny, tuple(CELEBA), size=32).parse(wrong)


def test_what_is_seen_of_each_region_and_which_side_is_left():
    labels = np.zeros((6, 8), int)
    labels[1, 1:3], labels[1, 5:7] = 2, 1
    labels[3, 3:5] = 3
    parse = ParsedImage(labels, np.ones((6, 8)), ("background", "l_eye", "r_eye", "nose"))
    rendered = np.ones((6, 8), bool)
    rendered[3, 3] = False
    rendered[1, 5:7] = False
    assert parse.observed_share(rendered) == {"l_eye": 0.0, "r_eye": 1.0, "nose": 0.5}
    assert parse.sides_agree() is True
    assert ParsedImage(labels[:, ::-1], np.ones((6, 8)), parse.names).sides_agree() is False
    assert ParsedImage(np.zeros((2, 2), int), np.ones((2, 2)), parse.names).sides_agree() is None
