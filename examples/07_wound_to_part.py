# %% [markdown]
# # From a scan of a wound to a part
#
# A scan that shows a wound bed where the nose was goes in, with a rough mark of the wound; the face, the bed and a part
# that sits on it come out. This is a design aid, not a medical device: a clinician decides what is made and worn.

# %%
from pathlib import Path

import numpy as np

import facecom

OUT = Path("out/wound_to_part")
GRID_MM = 0.7  # tests: 1.2

# %% [markdown]
# A face drawn from the model stands in for a patient. A bed, 6 mm under the skin around it, takes the nose's place.

# %%
model = facecom.load_model()
drawn = model.sample(3, level=2)
front = (drawn.vertices[drawn.faces][:, :, 2] > -75.0).all(axis=1)
face = drawn.submesh(front)[0]
middle = face.vertices[face.vertices[:, 2].argmax()] + [0.0, 8.0, -8.0]
away = np.linalg.norm(face.vertices - middle, axis=1)
rim, wound = (away > 30.0) & (away < 36.0), away < 30.0
across = np.column_stack([face.vertices[:, :2], np.ones(len(away))])
flat = across @ np.linalg.lstsq(across[rim], face.vertices[rim, 2], rcond=None)[0]
share = np.clip((30.0 - away) / 15.0, 0.0, 1.0) ** 2
vertices = face.vertices.copy()
vertices[:, 2] += share * (flat - 6.0 - face.vertices[:, 2])
scan = facecom.Mesh(vertices + np.random.default_rng(0).normal(0.0, 0.05, vertices.shape), face.faces)

# %% [markdown]
# The mark is a mask of the scan's vertices here; points, a painted mesh, JSON, an image or strokes in the viewer do as
# well. Its border is ragged, as painted ones are, and moves to the wound's own border.

# %%
ragged = wound & (np.random.default_rng(1).random(len(wound)) < 0.9)
completion = facecom.complete(scan, unit="mm", model=model, missing=ragged)
bed = completion.defect
areas = ", ".join(f"{name} {area / 100:.1f} cm2" for name, area in completion.report.defect_mm2.items())
print(f"what is no skin, or not believed: {areas}; the bed has {len(bed.faces)} triangles")

# %% [markdown]
# Nothing of the bed is believed: where it was, the face is made up, and says how sure it is.

# %%
made_up = completion.provenance != int(facecom.Provenance.OBSERVED)
print(f"{made_up.mean():.0%} of the face is made up, {completion.sigma_mm[made_up].mean():.1f} mm sure on average")

# %% [markdown]
# The part sits on the bed. Its check asks the raw scan, the bed with it, whether the part runs through tissue.

# %%
lengths = facecom.DesignSettings(grid_mm=GRID_MM)
part = facecom.design(completion, settings=lengths)
check, tissue = part.inspection.check, part.inspection.check.tissue
print(f"{part.inspection.volume_mm3 / 1000:.1f} cm3, {check.thinnest_mm:.2f} mm thick at least")
print(f"in tissue: {tissue.tissue_overlap_mm3:.1f} mm3, {tissue.tissue_overlap_deepest_mm:.2f} mm deep")
print("bounds that are broken:", "; ".join(check.broken) or "none")

# %% [markdown]
# The completed face, the bed as scanned, and the files for printer and laboratory.

# %%
completion.save(OUT)
part.save(OUT / "part")
print(f"written to {OUT}: face.ply, merged.ply, defect.ply, part/shell.stl, part/inspection.json")
