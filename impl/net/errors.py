"""What can go wrong between processes, each as one line that says whose fault it is and what to do.

It does not know sockets; storage and traces have their own errors.
"""

from __future__ import annotations


class NetError(Exception):
    """Something is wrong with the network, or with whoever is at the other end; `str()` is one line."""


class AddressError(NetError):
    """An address that this node was told to listen at is taken, or is not this machine's. Ours to settle."""


class MalformedFrame(NetError):
    """The other end sent bytes that are no frame, or a frame that is no message. Theirs; the connection ends."""


class Stranger(NetError):
    """The other end is not a member, or not the member that it should be. The connection ends."""


class NoAnswer(NetError):
    """A command got no answer in time. It may have been applied, or may still be."""


class BadCommand(NetError):
    """The cluster understood the request and will never apply it. Ours to correct."""


class SessionLost(NetError):
    """The cluster has forgotten this client's session, so that it cannot tell whether a command was applied."""


class AnswerLost(NetError):
    """A command was applied, once, and its answer is lost: it was too large to be kept for asking again."""


class ClusterError(NetError):
    """A local cluster did not start, or did not do in time what was asked of it."""
