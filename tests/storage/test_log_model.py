"""A model of the log: a list of batches, and a disk that keeps any sectors of the one that was not yet synced."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import AcceptRecord, BallotRecord, PromiseRecord, Record, recover
from quorate.impl.storage import DurableLog, Identity
from quorate.impl.storage.frame import SECTOR, Frame
from quorate.impl.storage.segment import HEADER_BYTES, Segment, read_frames, segment_numbers, segment_path

IDENTITY = Identity("orchard", "a")
SEGMENT_BYTES = 4096
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

ballots = st.builds(Ballot, st.integers(1, 5), st.sampled_from("abc"))
values = st.binary(max_size=30) | st.builds(lambda count: b"long " * count, st.integers(1, 400))
entries = st.lists(st.tuples(st.integers(1, 40), values), min_size=1, max_size=5).map(tuple)
records: st.SearchStrategy[Record] = (
    st.builds(BallotRecord, ballots)
    | st.builds(PromiseRecord, ballots)
    | st.builds(AcceptRecord, ballots, entries)
)
batches = st.lists(records, min_size=1, max_size=4)


class LogModel(RuleBasedStateMachine):
    """`durable` is what was acknowledged, in order; the log under test must hold exactly that whenever it is open."""

    log: DurableLog

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quorate-log-", dir=MEMORY))
        self.durable: list[list[Record]] = []
        self.boots = 0
        self.reopen()

    def reopen(self) -> None:
        self.log, found = DurableLog.open(self.folder, IDENTITY, segment_bytes=SEGMENT_BYTES)
        self.boots += 1
        self.found = found
        assert found.boot == self.boots

    @rule(batch=batches)
    def commit(self, batch: list[Record]) -> None:
        self.log.commit(batch)
        self.durable.append(batch)

    @rule()
    def stop_and_start(self) -> None:
        self.log.close()
        self.reopen()
        assert self.found.torn is None

    @rule()
    def die_and_start(self) -> None:
        self.log._release()
        self.reopen()
        assert self.found.torn is None

    @rule(batch=batches, data=st.data())
    def die_while_committing(self, batch: list[Record], data: st.DataObject) -> None:
        """The unsynced batch lands whole, in part, or not at all."""
        start, end, path = self._write_unsynced(batch)
        edges = [start, *range(start - start % SECTOR + SECTOR, end, SECTOR), end]
        landed = data.draw(st.lists(st.booleans(), min_size=len(edges) - 1, max_size=len(edges) - 1))
        cut = data.draw(st.none() | st.integers(start, end))
        whole = path.read_bytes()
        left = bytearray(whole)
        for (piece, stop), kept in zip(pairwise(edges), landed, strict=True):
            if not kept:
                left[piece:stop] = bytes(stop - piece)
        if cut is not None:
            left[cut:end] = bytes(end - cut)
        path.write_bytes(left)
        self.reopen()
        if left == whole or self.found.batches > len(self.durable):
            self.durable.append(batch)
            assert self.found.torn is None
        else:
            assert (self.found.torn is None) == (not any(left[start:]))

    def _write_unsynced(self, batch: list[Record]) -> tuple[int, int, Path]:
        """Write a batch and die: where it stands in which file."""
        self.log.commit(batch)
        offset = self.log._offset
        path = segment_path(self.folder, segment_numbers(self.folder)[-1])
        self.log._release()
        previous = self._end_of(path, len(self.durable))
        return previous, offset, path

    def _end_of(self, path: Path, batches: int) -> int:
        """Where the last of so many batches ends in a segment."""
        segment, data = Segment.open(self.folder, IDENTITY, int(path.stem.removeprefix("log-")))
        segment.close()
        read = [frame for frame in read_frames(path, data, segment.shape) if isinstance(frame, Frame)]
        return max((frame.end for frame in read if frame.sequence <= batches), default=HEADER_BYTES)

    @precondition(lambda self: hasattr(self, "found"))
    @invariant()
    def what_was_found_is_what_was_durable_then(self) -> None:
        kept = self.durable[: self.found.batches]
        assert len(kept) == self.found.batches
        assert self.found.state == recover(record for batch in kept for record in batch)
        assert self.log.batches == len(self.durable)

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            shutil.rmtree(self.folder)


TestLogModel = LogModel.TestCase
TestLogModel.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
