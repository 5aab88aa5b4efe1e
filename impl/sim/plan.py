"""A run, planned: everything that is decided before it begins, as data that can be kept, shrunk and run again.

A plan and its `seed` decide a run to the last bit: the faults are named in it one by one, and what is left to chance
(how long a message takes, which of them is lost) is drawn from the seed. All times are microseconds unless their name
says otherwise; those of faults count from the beginning of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import msgspec

from ...decoding import UNREADABLE
from ..core.config import Config
from ..core.errors import ConfigError


class BadPlan(Exception):
    """A file is no plan; the text is one line."""


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patient nodes are, in milliseconds; see `impl.core.config`."""

    heartbeat_ms: int = 50
    resend_ms: int = 100
    election_ms_min: int = 150
    election_ms_max: int = 400
    quorum_ms: int = 1000
    patience_ms: int = 2000


class Sizes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of everything there may be: small numbers make rare things frequent; see `impl.core.config`."""

    batch_entries_max: int = 16
    window_batches_max: int = 8
    backlog_entries_max: int = 64
    checkpoint_entries: int = 30
    log_bytes_max: int = 1 << 20
    segment_bytes: int = 1 << 15
    piece_bytes: int = 1 << 10
    flexible: bool = False
    """Are the quorums of the two phases of different sizes?"""


class Net(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How messages travel."""

    delay_min: int = 200
    delay_max: int = 2000
    slow: float = 0.0
    """The part of them that takes a hundred times as long."""
    lost: float = 0.0
    doubled: float = 0.0
    in_order: bool = True
    """Does no message overtake another on the same way?"""

    @property
    def two_round_trips_ms(self) -> int:
        """Whoever does not wait so long for a leader cannot expect one."""
        return 4 * self.delay_max // 1000


class Disks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a commit takes, and a checkpoint."""

    sync_min: int = 100
    sync_max: int = 1000
    checkpoint_min: int = 1000
    checkpoint_max: int = 20_000


class Caller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client: one command after another."""

    session: bool
    """Does it keep a session, and ask again until it is answered?"""
    commands: int
    think: int
    """How long it waits between two commands at most."""
    patience: int = 500_000
    """How long it waits for an answer."""
    roams: bool = True
    """Does it ask another node each time, or always the same unless that gives no answer?"""


class Crashes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="crash"):
    """A node dies: at once, or in the middle of what it does then, at the boundary of that number from then on."""

    at: int
    node: int
    boundary: int = 0
    power: bool = True
    """Does what was written and not synced go with it?"""
    down: int = 300_000
    again: int = 0
    """The boundary at which its next life ends as well, if it does: it may not have recovered by then."""


class PowerFails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="power"):
    """All nodes die at once."""

    at: int
    down: int = 300_000


class Cuts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cut"):
    """Nothing comes from `sources` to the others, and if it is cut both ways nothing goes there."""

    at: int
    sources: tuple[int, ...]
    lasts: int
    both: bool = True


class Pauses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pause"):
    """A node stands still, and then goes on as if nothing had been."""

    at: int
    node: int
    lasts: int


class Jumps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="jump"):
    """A node's clock is later at once."""

    at: int
    node: int
    by: int


class DiskFills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="full"):
    """A node's disk has no room for more, for a while."""

    at: int
    node: int
    lasts: int


class DiskSlows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slow"):
    """A node's disk takes a multiple of its time, for a while."""

    at: int
    node: int
    lasts: int
    factor: int


class SyncFails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sync"):
    """A node's next sync fails."""

    at: int
    node: int
    down: int = 300_000


class BitsRot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rot"):
    """A node dies, and something on its disk has changed when it is started again, which it may refuse for ever. It
    does not happen to more nodes than can be spared."""

    at: int
    node: int
    down: int = 300_000


class Stops(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stop"):
    """A node is stopped in order, and started again."""

    at: int
    node: int
    down: int = 300_000


class Transfers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="transfer"):
    """Whoever leads is told to have this node lead."""

    at: int
    node: int


Fault: TypeAlias = (
    Crashes
    | PowerFails
    | Cuts
    | Pauses
    | Jumps
    | DiskFills
    | DiskSlows
    | SyncFails
    | BitsRot
    | Stops
    | Transfers
)
"""Something that happens to the nodes."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run."""

    seed: int
    nodes: int = 3
    ends: int = 3_000_000
    """When the faults end, and all is set right; the run goes on until nobody waits for anything."""
    timing: Timing = Timing()
    sizes: Sizes = Sizes()
    net: Net = Net()
    disks: Disks = Disks()
    clocks: tuple[float, ...] = ()
    """How fast each node's clock runs; 1 for those that are not named."""
    keys: int = 3
    callers: tuple[Caller, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, by name: a, b, c ..."""
        return tuple("abcdefghi"[: self.nodes])

    @property
    def quorums(self) -> tuple[int, int]:
        """How many nodes a quorum of phase 1 has, and one of phase 2."""
        if self.sizes.flexible and self.nodes > 2:
            return self.nodes - 1, 2
        return self.nodes // 2 + 1, self.nodes // 2 + 1

    def config(self, node: str, boot: int) -> Config:
        """What the replica of a node is told. Raises `ConfigError`; see `refusal`."""
        timing, sizes = self.timing, self.sizes
        phase1, phase2 = self.quorums if sizes.flexible else (0, 0)
        return Config(
            node=node,
            nodes=self.names,
            boot=boot,
            phase1=phase1,
            phase2=phase2,
            heartbeat_ms=timing.heartbeat_ms,
            resend_ms=timing.resend_ms,
            election_ms_min=timing.election_ms_min,
            election_ms_max=timing.election_ms_max,
            quorum_ms=timing.quorum_ms,
            batch_entries_max=sizes.batch_entries_max,
            window_batches_max=sizes.window_batches_max,
            backlog_entries_max=sizes.backlog_entries_max,
            checkpoint_entries=sizes.checkpoint_entries,
            log_bytes_max=sizes.log_bytes_max,
        )

    @property
    def refusal(self) -> str | None:
        """Why nodes could not be run so, if they could not: they would refuse to be, or would not wait for a leader."""
        try:
            self.config("a", 1)
        except ConfigError as error:
            return str(error)
        least = self.net.two_round_trips_ms
        if self.timing.election_ms_min < least:
            return f"election_ms_min: {self.timing.election_ms_min} is less than two round trips, which take {least}"
        return None

    @property
    def spared(self) -> int:
        """So many nodes may be gone for ever, and the others can still do everything."""
        return self.nodes - max(self.quorums)


def kind(fault: Fault) -> str:
    """The fault's name, as reports have it."""
    return str(fault.__struct_config__.tag)


def encode(plan: Plan) -> bytes:
    """The plan as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def read(path: Path) -> Plan:
    """The plan in a file. Raises `BadPlan`."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise BadPlan(f"{path}: cannot be read: {error.strerror}; name a plan that a hunt wrote") from error
    except UNREADABLE as error:
        raise BadPlan(f"{path}: is no plan: {error}; name a plan that a hunt wrote") from error
    if plan.refusal is not None:
        raise BadPlan(f"{path}: no node runs so: {plan.refusal}")
    return plan
