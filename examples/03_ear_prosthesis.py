# %% [markdown]
# # An ear prosthesis to print
#
# A scan of a head without its left ear goes in; a copy of the right ear, laid on the skin around the defect, comes out
# as a part to print with its mould. This is a design aid, not a medical device: a clinician decides.

# %%
from pathlib import Path

import numpy as np

import facecom
from facecom.completion.regions import region_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.sampling import sample_meshes

OUT = Path("out/ear_prosthesis")
GRID_MM = 0.7  # tests: 1.4

# %% [markdown]
# Nobody's head: a face drawn from the shipped model, which never is quite symmetric, with its left ear cut off.
# With a scan of your own this cell is `scan = "scan.ply"`.

# %%
model = LinearGenerator.load()
head = sample_meshes(model, 1, seed=3)[0]
ear = region_mask(model.template, "l_ear")
scan, _ = head.submesh(~ear[head.faces].any(axis=1))

# %% [markdown]
# `region` names the ear. The other ear was seen, so the part is its mirror image, bent to meet the skin here; an ear
# that was seen on neither side is fitted. `mirror="never"` always fits it.

# %%
completion = facecom.complete(scan, unit="mm")
lengths = facecom.DesignSettings(region="l_ear", margin_mm=5.0, edge_mm=0.3, wall_mm=3.0, grid_mm=GRID_MM)
part = facecom.design(completion, settings=lengths)

# %% [markdown]
# What a clinician looks at first: is it a solid, where did its shape come from, and does it come off?

# %%
found = part.inspection
print(f"closed: {found.watertight}, edges at which it crosses itself: {found.self_intersecting_edges}")
print(", ".join(f"{share:.0%} {name}" for name, share in found.shares.items()), "of the outer face")
print(f"rim {found.rim.min:.2f} mm at least, wall {found.wall.median:.2f} mm in the middle, {found.mass_g:.1f} g")
print(f"undercuts along the axis: seat {found.undercuts.seat_mm2:.0f} mm2, outer {found.undercuts.outer_mm2:.0f} mm2")

# %% [markdown]
# Here the true ear is known. A mirrored ear is as far from it as the two ears of a head are from each other.

# %%
shown = Surface(Mesh(part.shell.vertices, part.shell.faces[(part.provenance[part.shell.faces] >= 0).all(axis=1)]))
gap = shown.closest(head.vertices[ear]).distance
print(f"true ear to the part: mean {gap.mean():.2f} mm, 95 % within {np.percentile(gap, 95):.2f} mm")

# %% [markdown]
# The part moves with other faces that explain the scan as well; `facecom prosthesis ... --samples 3` draws them side
# by side. Files for the printer and the laboratory, in the scan's own frame and in mm:

# %%
part.save(OUT)
print(f"written to {OUT}: shell.stl, shell.3mf, shell.ply, mould_a.stl, mould_b.stl, inspection.png, inspection.json")
