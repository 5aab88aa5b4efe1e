"""Simulation: the implementation itself in a world that is drawn from a seed."""
