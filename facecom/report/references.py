"""Papers, tools and data that the stages use, with what each contributes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A paper, tool or data set: its name, its address, and what of it is used here."""

    name: str
    url: str
    role: str


FACECOM = Reference(
    "FaceCom (Li et al., CVPR 2024)",
    "https://arxiv.org/abs/2406.02074",
    "the idea: a generator of whole faces whose code is fitted to the observed part, image inpainting as guidance, and "
    "a final projection onto the scan. Code, weights and training are our own.",
)
PARSER = Reference(
    "jonathandinu/face-parsing (SegFormer on CelebAMask-HQ)",
    "https://huggingface.co/jonathandinu/face-parsing",
    "the names of the face's regions, and a parser that may be named in place of ours. Its weights are not shipped.",
)
SDFD = Reference(
    "SDFD (Baltsou et al., 2024)",
    "https://arxiv.org/abs/2404.17255",
    "attributes in words that describe a face to an inpainting network, where the user names one.",
)
FPGA = Reference(
    "FPGA, first called MagicID (2024)",
    "https://arxiv.org/abs/2408.09248",
    "the idea of restoring the face by inverting the diffusion while everything around it stays as it was, where the "
    "user names a diffusion network.",
)
LINDGREN = Reference(
    "Lindgren, Rue and Lindström, J. R. Stat. Soc. B 73 (2011)",
    "https://doi.org/10.1111/j.1467-9868.2011.00777.x",
    "the sparse form of a Gaussian field on a surface, which extrapolates the offset from the rim into the hole.",
)
ICT = Reference(
    "ICT-FaceKit (USC Institute for Creative Technologies)",
    "https://github.com/USC-ICT/ICT-FaceKit",
    "the light-stage statistics from which the shipped model was made (MIT licence).",
)
BLANZ = Reference(
    "Blanz and Vetter, A morphable model for the synthesis of 3D faces (SIGGRAPH 1999)",
    "https://doi.org/10.1145/311535.311556",
    "a face as a mean and a weighted sum of modes.",
)
ICP = Reference(
    "Chen and Medioni, Object modelling by registration of multiple range images (1992)",
    "https://doi.org/10.1016/0262-8856(92)90066-C",
    "distances to tangent planes, for pose and fit.",
)
QUILTING = Reference(
    "Efros and Freeman, Image quilting for texture synthesis and transfer (SIGGRAPH 2001)",
    "https://doi.org/10.1145/383259.383296",
    "relief laid in pieces taken from the person's own skin.",
)
PLOTLY = Reference("plotly.js (MIT licence)", "https://github.com/plotly/plotly.js", "draws the 3D view of this page.")
