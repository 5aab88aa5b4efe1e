"""Real faults on real processes: a cluster is killed, stopped, cut off and filled up under load, and judged."""
