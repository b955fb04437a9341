"""What the package ships: small enough, whole, and nothing that runs code when it is read."""

from importlib import resources
from pathlib import Path

from facecom.model.checkpoint import load_model
from facecom.model.expressions import ExpressionBasis
from facecom.model.template import Template


def test_the_shipped_files_are_within_22_megabytes():
    with resources.as_file(resources.files("facecom").joinpath("assets")) as assets:
        files = [path for path in Path(assets).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 22e6
    assert {"generator", "parser", "inpainter", "template", "expressions"} <= {p.parent.name for p in files}
    assert not {path.suffix for path in files} & {".pkl", ".pt", ".pth", ".bin", ".pickle"}


def test_the_shipped_models_fit_each_other():
    model, moves = load_model(), ExpressionBasis.load()
    assert model.template.counts == Template.load().counts
    assert moves.modes.shape[1] == model.template.counts[1]
