# %% [markdown]
# # Figures for a paper
#
# A face is drawn from the model, a piece is cut out of it and completed, and what is wrong with the completion is
# shown: meshes side by side, error and standard deviation on the surface, their calibration, and errors by region.
# It is a face of the model's own family, so the figures say little about real heads; with a truth of your own, put it
# in the place of `TRUTH`. All figures have one look and need no display.

# %%
from pathlib import Path

import numpy as np

import facecom
from facecom.evaluation.partial_scans import partial_scan
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.report.figures import bar_plot, calibration_plot, error_map, side_by_side, write_figure

DEFECT = "nose_and_glabella"
OUT = Path("out/figures")
MODEL = facecom.load_model()
TRUTH = MODEL.sample(7)

# %% [markdown]
# The scan lies in a pose of its own and is not told what was cut.

# %%
cut = partial_scan(TRUTH, DEFECT, seed=7)
completion = facecom.complete(cut.scan, unit="mm", model=MODEL)
back = cut.pose.inverse()
face = Mesh(back.apply(completion.face.vertices), completion.face.faces)
made = completion.provenance != facecom.Provenance.OBSERVED

# %% [markdown]
# The error is signed along the completed face's normals: positive where it stands out too far. Only the piece that was
# cut is looked at.

# %%
nearest = Surface(TRUTH).closest(face.vertices)
error = np.einsum("vd,vd->v", face.vertices - nearest.points, vertex_normals(face.vertices, face.faces))
lost = made & np.isin(np.arange(len(made)), np.unique(TRUTH.faces[cut.removed]))
print(f"{lost.sum()} vertices of the missing piece: mean error {np.abs(error[lost]).mean():.2f} mm")

# %%
OUT.mkdir(parents=True, exist_ok=True)
scan = Mesh(back.apply(cut.scan.vertices), cut.scan.faces)
figures = {
    "side_by_side": side_by_side({"truth": TRUTH, "scan": scan, "completed": face}),
    "error": error_map(face, error, title="Error of the missing piece", signed=True, shown=lost),
    "sigma": error_map(face, completion.sigma_mm, title="Standard deviation", shown=lost),
    "calibration": calibration_plot(error[lost], completion.sigma_mm[lost]),
}
masks = {name: lost & MODEL.template.region_mask(name) for name in MODEL.template.region_names}
by_region = {name: float(np.abs(error[mask]).mean()) for name, mask in masks.items() if mask.any()}
figures["regions"] = bar_plot({"mean error": by_region}, ylabel="mm", title="By region")
for name, png in figures.items():
    print(f"see {write_figure(OUT / f'{name}.png', png)}")
