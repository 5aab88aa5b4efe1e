"""What no correct peer sends, whatever it has been through: whoever does is turned away before anything has changed.

This is no rule of the protocol. A message that passes may still be late, repeated, or of a ballot that is left.
"""

from collections.abc import Container

from .errors import PeerError
from .messages import (
    Accept,
    Accepted,
    AnyMessage,
    Ballot,
    Confirm,
    Confirmed,
    Handover,
    Heartbeat,
    Nack,
    Prepare,
    Promise,
)


def check(message: AnyMessage, node: str, peers: Container[str], used: Ballot | None) -> None:
    """Raise `PeerError` if no correct peer of `node`, whose highest ballot is `used`, can have sent this."""
    sender = message.sender
    if sender not in peers:
        raise PeerError(f"a message of '{sender}', which is not a peer of {node}")
    if isinstance(message, Prepare | Accept | Heartbeat | Confirm | Handover):
        if message.ballot.node != sender:
            raise PeerError(f"'{sender}' speaks for the ballot {message.ballot} of another node")
        if isinstance(message, Accept) and not message.entries:
            raise PeerError(f"an accept of '{sender}' proposes nothing")
    elif isinstance(message, Promise | Accepted | Nack | Confirmed):
        if message.ballot.node != node or used is None or message.ballot > used:
            raise PeerError(f"'{sender}' answers to {message.ballot}, which this node never opened")
        if isinstance(message, Accepted) and not message.slots:
            raise PeerError(f"an accepted of '{sender}' names no slot")
        if isinstance(message, Nack) and message.promised <= message.ballot:
            raise PeerError(f"'{sender}' refuses {message.ballot} for {message.promised}, not higher")
