"""A model of a few faces that does not explain a scan is named as the cause; the shipped model names the scan."""

from dataclasses import replace

import pytest

from facecom.completion.small_models import few_faces, model_blamed
from facecom.errors import AlignmentError, FitError
from facecom.model.linear.generator import LinearGenerator

SENTENCES = [
    AlignmentError("the scan does not look like a face, or shows too little of one: at best 9% of a face is explained"),
    AlignmentError("no pose makes the scan look like a face: nothing of it matches; is it a face?"),
    FitError("only 12% of the face is observed in the scan, at least 30% is needed"),
]


@pytest.fixture(scope="module")
def shipped():
    return LinearGenerator.load()


@pytest.mark.parametrize("error", SENTENCES, ids=str)
def test_a_model_of_three_faces_takes_the_blame(shipped, error):
    small = replace(shipped, description={**shipped.description, "faces": 3})
    assert few_faces(small) == 3
    with pytest.raises(type(error), match="made of 3 faces") as caught, model_blamed(small):
        raise error
    said = str(caught.value)
    assert "shipped model" in said and "look like a face" not in said and "is it a face" not in said
    assert not any(figure in str(error) and figure not in said for figure in ("9%", "12%", "nothing of it matches"))


@pytest.mark.parametrize("error", SENTENCES, ids=str)
def test_other_models_change_no_sentence(shipped, error):
    for model in (shipped, replace(shipped, description={**shipped.description, "faces": 200})):
        with pytest.raises(type(error)) as caught, model_blamed(model):
            raise error
        assert caught.value is error


def test_a_short_code_takes_the_blame_too(leading_model):
    with pytest.raises(AlignmentError, match="its code has 6 entries"), model_blamed(leading_model(6, 2)):
        raise SENTENCES[0]


def test_what_no_model_can_help_stays(shipped):
    small = replace(shipped, description={**shipped.description, "faces": 3})
    with pytest.raises(AlignmentError, match="^the scan shows two faces"), model_blamed(small):
        raise AlignmentError("the scan shows two faces: one is explained")
