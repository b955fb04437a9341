"""Carry the expressions of ICT-FaceKit to the template, so that registration can take them out of a face.

python -m training.make_expressions --map out/template/ict_map.npz --ict DATA/ict_facekit/ict_facekit.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facecom.model.expressions import ExpressionBasis
from facecom.model.template import FIT_LEVEL, Template
from training.train_linear import at_template, face_core, remove_rigid_motion

LEFT_OUT = ("Pupil", "eyeLook")
"""Movements of the eyeball, which show little on the skin."""


def build(ict_map: Path, ict: Path) -> ExpressionBasis:
    template = Template.load()
    count = template.counts[FIT_LEVEL]
    with np.load(ict_map, allow_pickle=False) as table:
        index, weights = table["vertices_index"][:count], table["weights"][:count]
    with np.load(ict, allow_pickle=False) as source:
        names = [str(name) for name in source["expression_names"]]
        modes = at_template(source["expression"], index, weights)
    kept = [k for k, name in enumerate(names) if not name.startswith(LEFT_OUT)]
    mean = template.vertices[:count]
    modes = remove_rigid_motion(modes[kept], mean, face_core(mean))
    return ExpressionBasis(tuple(names[k] for k in kept), modes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, required=True)
    parser.add_argument("--ict", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("facecom/assets/expressions"))
    options = parser.parse_args()
    made = build(options.map, options.ict)
    made.save(options.out)
    print(f"{len(made.names)} expressions written to {options.out}")


if __name__ == "__main__":
    main()
