"""The page that goes with a network generator: data, licences, what it is for, limits, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD_HEAD = """---
library_name: facecom
tags: [face, 3d, mesh, shape-completion]
---
# A facecom face generator

A linear trunk and a small mesh network that bends it; everything that decoding needs is in this folder.

```python
from facecom.model.network.generator import FaceGenerator

model = FaceGenerator.from_pretrained("{name}")
face = model.sample(seed=0)
```
"""
CARD_USE = """
## Intended use

Completing partial scans of adult faces near rest: `complete(scan, model=model)`. Starting points for prostheses, to be
checked by a person. Not for recognising or judging people, nor for strong expressions, children's faces, or anything
below the scale of pores.

## Limits

A face that the training faces do not resemble is pulled towards them. Sizes are metric as far as the training faces
are. Scalp, hair and the back of the head carry no meaning. Faces are possible, not frequent: the balance of age, sex
and origin is that of the data.
"""


def model_card(description: Mapping[str, Any], *, name: str, code_size: int, parameters: int) -> str:
    """README.md of a model, from what its model.json says.

    Parameters
    ----------
    description : `sources`, `license` and `training`, where they are known
    name : how the model is asked for

    Examples
    --------
    >>> "not stated" in model_card({}, name="me/faces", code_size=8, parameters=10)
    True
    """
    sources = description.get("sources") or ["not stated: faces that were given to `facecom train`"]
    lines = ["", "## Data and licences", "", *(f"- {source}" for source in sources)]
    lines += [f"- licence of these weights: {description.get('license', 'not stated')}"]
    lines += ["", "## Figures", "", "| | |", "| --- | --- |"]
    lines += [f"| code entries | {code_size} |", f"| parameters of the network | {parameters} |"]
    for key, value in sorted(dict(description.get("training", {})).items()):
        lines.append(f"| {key.replace('_', ' ')} | {value} |")
    return CARD_HEAD.format(name=name) + CARD_USE + "\n".join(lines) + "\n"
