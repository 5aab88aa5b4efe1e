"""What a replica must be told once: who it is, who the others are, how many make a quorum, and how patient
to be.

This file does not know where these numbers come from; nothing here is read from a file or a clock.
"""

import msgspec

from .errors import ConfigError


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of one boot of one node. Checked at once: `ConfigError` names the field and what would
    do."""

    node: str
    nodes: tuple[str, ...]
    """All members, this node included; every node must be given the same ones."""
    boot: int
    """This incarnation's number, greater than that of every earlier one: the caller keeps it durable."""
    phase1: int = 0
    """How many promises make a quorum; 0 stands for a majority."""
    phase2: int = 0
    """How many acceptances make a quorum; 0 stands for a majority."""
    heartbeat_ms: int = 50
    """The idle leader speaks this often."""
    resend_ms: int = 200
    """A question that has no answer is asked again after this long."""
    election_ms_min: int = 500
    """A node that has heard its leader within this time supports no other."""
    election_ms_max: int = 1000
    """A node that hears nobody tries to lead after a time drawn between the two, and a candidate waits so long for
    promises. At least a heartbeat above `election_ms_min`. With each ballot that came to nothing the range doubles, up
    to eight times its width, so that candidates cannot disturb each other for ever."""
    canvass: bool = True
    """Ask whether others hear a leader before opening a ballot. Without it a node that was cut off and returns
    deposes a good leader: safe, but a disturbance."""
    quorum_ms: int = 3000
    """A leader whose oldest proposal waits this long for a quorum steps down: its clients had better go
    elsewhere."""
    batch_entries_max: int = 256
    """Entries in one accept or learn message."""
    batch_bytes_max: int = 1 << 20
    """Bytes of values in one accept or learn message; a larger single value travels alone."""
    checkpoint_entries: int = 20_000
    """A checkpoint is due when so many slots were applied since the last, and the log since then is a fourth as large
    as that was; 0 takes none, ever."""
    checkpoint_bytes: int = 64 << 20
    """Or when values of so many bytes were, however large the last one is."""
    log_bytes_max: int = 192 << 20
    """What the log above the last checkpoint may hold: a promise carries it. A checkpoint is due when it is half full,
    a leader proposes nothing more for clients when it is full, and an acceptor nothing new when it is twice that."""
    window_batches_max: int = 64
    """Accept messages in flight; commands beyond wait and are batched."""
    backlog_entries_max: int = 65536
    """Commands that may wait; those beyond are refused."""

    def __post_init__(self) -> None:
        _check_members(self)
        _check_quorums(self)
        _check_numbers(self)

    @property
    def peers(self) -> tuple[str, ...]:
        """All members but this one, by name."""
        return tuple(sorted(name for name in self.nodes if name != self.node))

    @property
    def phase1_size(self) -> int:
        """How many promises make a leader."""
        return self.phase1 or self.majority

    @property
    def phase2_size(self) -> int:
        """How many acceptances in one ballot make a value chosen."""
        return self.phase2 or self.majority

    @property
    def majority(self) -> int:
        """The smallest number of nodes of which any two sets meet."""
        return len(self.nodes) // 2 + 1


def _check_members(config: Config) -> None:
    if not all(config.nodes):
        raise ConfigError("nodes: a name is empty; give every node a name")
    if len(set(config.nodes)) != len(config.nodes):
        raise ConfigError(f"nodes: a name stands twice in {', '.join(config.nodes)}; names must differ")
    if config.node not in config.nodes:
        raise ConfigError(
            f"node: '{config.node}' is not among the nodes {', '.join(config.nodes)}; add it there"
        )


def _check_quorums(config: Config) -> None:
    count = len(config.nodes)
    for name, size in (("phase1", config.phase1), ("phase2", config.phase2)):
        if not 0 <= size <= count:
            raise ConfigError(
                f"{name}: a quorum of {size} among {count} nodes is impossible; choose 1 to {count}"
            )
    if config.phase1_size + config.phase2_size <= count:
        raise ConfigError(
            f"phase1, phase2: quorums of {config.phase1_size} and {config.phase2_size} among {count} nodes "
            f"need not meet; their sum must be at least {count + 1}"
        )


def _check_numbers(config: Config) -> None:
    for name in _POSITIVE:
        if getattr(config, name) < 1:
            raise ConfigError(f"{name}: {getattr(config, name)} is too small; choose 1 or more")
    if config.checkpoint_entries < 0:
        raise ConfigError(
            f"checkpoint_entries: {config.checkpoint_entries} is too small; choose 1 or more, or 0 for no checkpoints"
        )
    if config.election_ms_min <= config.heartbeat_ms:
        raise ConfigError(
            f"election_ms_min: {config.election_ms_min} is too small; choose more than heartbeat_ms, "
            f"which is {config.heartbeat_ms}"
        )
    least = config.election_ms_min + config.heartbeat_ms
    if config.election_ms_max < least:
        raise ConfigError(
            f"election_ms_max: {config.election_ms_max} is too small; choose {least} or more, which is election_ms_min "
            f"and heartbeat_ms, or candidates disturb each other for long"
        )


_POSITIVE = (
    "boot",
    "heartbeat_ms",
    "resend_ms",
    "quorum_ms",
    "batch_entries_max",
    "batch_bytes_max",
    "checkpoint_bytes",
    "log_bytes_max",
    "window_batches_max",
    "backlog_entries_max",
)
