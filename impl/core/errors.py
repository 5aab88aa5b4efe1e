"""Whose fault it is: the caller's, a peer's, or the configuration's. str() of each is one clear line."""


class CoreError(Exception):
    """Something that a correct run of the core never meets."""


class ConfigError(CoreError, ValueError):
    """The configuration cannot work; nothing was started."""


class CallerError(CoreError):
    """The caller broke one of its duties (see `replica`). The replica's state is unchanged."""


class PeerError(CoreError):
    """A peer sent what no correct peer sends. The replica's state is unchanged: drop the message, tell a
    person."""


class BrokenAgreement(CoreError):
    """Two values are chosen in one slot. The node must stop: some durable promise or acceptance was lost."""
