"""For programs that use a cluster: `Client` for asyncio, `BlockingClient` for everything else."""

from ..net.errors import AnswerLost, BadCommand, NoAnswer, SessionLost
from ..settings import Address
from .blocking import BlockingClient
from .session import Client, Item, Swap, ask_status

__all__ = [
    "Address",
    "AnswerLost",
    "BadCommand",
    "BlockingClient",
    "Client",
    "Item",
    "NoAnswer",
    "SessionLost",
    "Swap",
    "ask_status",
]
