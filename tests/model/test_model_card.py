"""The page of a model: it says what its description says, and owns up to what is not stated."""

from facecom.model.model_card import model_card


def test_what_the_description_holds_stands_on_the_page():
    description = {"sources": ["people A", "people B"], "license": "CC0", "training": {"epochs": 7, "error_mm": 0.25}}
    card = model_card(description, name="me/faces", code_size=31, parameters=1234)
    for line in ("- people A", "- people B", "licence of these weights: CC0", "| epochs | 7 |", "| error mm | 0.25 |"):
        assert line in card
    for line in ('from_pretrained("me/faces")', "| code entries | 31 |", "| parameters of the network | 1234 |"):
        assert line in card
    assert card.startswith("---\n") and card.endswith("|\n")


def test_what_is_missing_is_called_not_stated():
    assert model_card({}, name="x", code_size=1, parameters=1).count("not stated") == 2
