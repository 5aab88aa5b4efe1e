"""The node as a process, and its clients: asyncio and TCP around the core, the log and the trace.

Start at `driver`, which fulfils the replica's duties; `node` puts it together, `main` makes it a process. `client` is
for users, `cluster` runs several nodes on one machine.
"""
