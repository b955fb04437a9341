"""The mesh network: layers, generator and training."""
