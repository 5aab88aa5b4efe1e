"""The key-value state machine: what is chosen goes in, in order; the same replies come out on every node."""
