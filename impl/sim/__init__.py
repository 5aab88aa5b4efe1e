"""A deterministic simulation: real nodes in a world of which one seed decides everything."""
