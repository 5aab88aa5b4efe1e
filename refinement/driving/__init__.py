"""From the specification to the code: every edge that the specification has, driven down by real replicas."""
