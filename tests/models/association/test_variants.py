"""Variants differ from what they are variants of in one part each."""

from models.association.params import AssociationParams, variants
from tandem.features.products import MODALITIES

from .conftest import SMALL


def test_each_variant_changes_one_param() -> None:
    params = AssociationParams.parse({**SMALL, "graph": "attention"})
    changed = {
        name: {key for key, value in of if value != getattr(params, key)} for name, of in variants(params).items()
    }
    assert changed == {
        "no graph": {"graph"},
        "mean of neighbours": {"graph"},
        "attention to neighbours": set(),
        "no text": {"modalities"},
        "no picture": {"modalities"},
    }


def test_what_is_left_out_is_one_of_those_that_took_part() -> None:
    params = AssociationParams.parse({**SMALL, "modalities": ["brand", "text"]})
    assert variants(params)["no text"].modalities == ("brand",)
    assert variants(params)["no picture"] == params
    whole = variants(AssociationParams.parse(SMALL))["no text"].modalities
    assert set(MODALITIES) - set(whole) == {"text"}
