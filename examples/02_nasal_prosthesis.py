# %% [markdown]
# # A nasal prosthesis to print
#
# A scan of a face without a nose goes in; the part, a two-part mould for it and its inspection sheet come out.
# This is a design aid, not a medical device: a clinician decides what is made and worn.

# %%
from pathlib import Path

import facecom

SCAN = Path("data/demo/nose.ply")
OUT = Path("out/nasal_prosthesis")
GRID_MM = 0.7  # tests: 1.2

# %% [markdown]
# The lengths are starting points that the clinician confirms for this patient: how far the part lies on healthy skin,
# how thin it ends, and how thick its wall is.

# %%
completion = facecom.complete(SCAN)
lengths = facecom.DesignSettings(margin_mm=5.0, edge_mm=0.3, wall_mm=3.0, clearance_mm=0.1, grid_mm=GRID_MM)
part = facecom.design(completion, settings=lengths)

# %% [markdown]
# The inspection holds the figures that decide whether it can be made and worn.

# %%
found = part.inspection
print(f"wall {found.wall.min:.2f} mm at least, {found.wall.median:.2f} mm in the middle; edge {found.edge.min:.2f} mm")
print(f"{found.volume_mm3 / 1000:.1f} cm3, {found.mass_g:.1f} g at {found.density_g_cm3} g/cm3")
print(f"undercuts along the axis: seat {found.undercuts.seat_mm2:.0f} mm2, outer {found.undercuts.outer_mm2:.0f} mm2")
print(f"asymmetry {found.asymmetry_before_mm:.2f} mm without the part, {found.asymmetry_after_mm:.2f} mm with it")
print(", ".join(f"{share:.0%} {name}" for name, share in found.shares.items()), "of the outer face")

# %% [markdown]
# Files for the printer and the laboratory, in the scan's own frame and in mm.

# %%
part.save(OUT)
print(f"written to {OUT}: shell.stl, shell.3mf, shell.ply, mould_a.stl, mould_b.stl, inspection.png, inspection.json")
