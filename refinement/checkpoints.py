"""What a trace says of checkpoints: which slots are covered, truncated and installed, one action for each of them.

A line names a slot and means every slot up to it; those that the node had before are not gone through again.
"""

from __future__ import annotations

from ..traces import messages
from ..traces.events import Checkpoint, Snapshot, Truncate
from .divergence import Diverges, Rule
from .ledger import Ledger
from .members import Members, Node


def take_checkpoint(ledger: Ledger, members: Members, node: Node, line: Checkpoint) -> None:
    """A node wrote its state down.  Raises `Diverges` unless all of it is chosen, and was applied."""
    for s in range(max(node.low, ledger.forgotten) + 1, line.slot + 1):
        _cover(ledger, members, node, s)
    if line.slot > node.applied:
        reason = f"{node.name} takes a checkpoint at {line.slot} and has applied up to {node.applied}"
        raise Diverges(Rule.CHECKPOINT, reason)
    if line.slot < node.low:
        reason = f"{node.name} takes a checkpoint at {line.slot} and has one at {node.low}"
        raise Diverges(Rule.CHECKPOINT, reason)
    node.low = line.slot


def _cover(ledger: Ledger, members: Members, node: Node, s: int) -> None:
    """Let a node's checkpoint cover a slot, as the quorum allows that chose there."""
    if (found := ledger.choice(s, members.names, members.phase2)) is not None:
        q, b, v = found
        ledger.take(("checkpoint", (node.name, q, s, b, v)))
    elif ledger.is_trusted(s):
        ledger.assume_covered(node.name, s)
    else:
        reason = f"{node.name} takes a checkpoint of slot {s}, in which nothing was proposed"
        raise Diverges(Rule.CHECKPOINT, reason)


def truncate(ledger: Ledger, members: Members, node: Node, line: Truncate) -> None:
    """A node's log forgets.  What every node's log has forgotten, the ledger forgets as well.  Raises `Diverges`."""
    for s in range(max(node.truncated, ledger.forgotten) + 1, line.slot + 1):
        ledger.take(("truncate", (node.name, s)))
    node.truncated = max(node.truncated, line.slot)
    upto = min(other.truncated for other in members.nodes.values())
    if upto > ledger.forgotten:
        ledger.forget(upto, members.names)
        for other in members.nodes.values():
            other.forget(upto)


def install(ledger: Ledger, node: Node, line: Snapshot) -> None:
    """A node made somebody's checkpoint its own.  Raises `Diverges` unless it received that very one."""
    recv = line.recv
    if type(recv) is not messages.Snapshot or recv.slot != line.slot:
        raise Diverges(Rule.ASKED, f"{node.name} did not receive a snapshot at {line.slot} here")
    for s in range(max(node.low, ledger.forgotten) + 1, line.slot + 1):
        ledger.take(("install", (node.name, s)))
    node.install(line.slot)
