"""The implementation's heart: Multi-Paxos without the world. Start at `replica`."""
