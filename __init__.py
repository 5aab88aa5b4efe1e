"""Multi-Paxos that you can trust because you can look."""
