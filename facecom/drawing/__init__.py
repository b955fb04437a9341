"""Pictures of meshes without a display: colours, shading, a preview of scan and result, and what notebooks show."""
