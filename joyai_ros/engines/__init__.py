"""Engines: what runs an exported network, behind one call from named tensors to a tensor."""
