"""What a node tells Prometheus: its status as numbers, made anew for every question.

It does not know HTTP, nor how the numbers come about: nothing is counted here, so nothing is counted on the hot path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from .wire import NodeStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_GAUGES: Final = {
    "committed_slot": ("committed", "Every slot up to it is known to be chosen"),
    "applied_slot": ("applied", "Every slot up to it is in the state machine"),
    "boot": ("boot", "How often the node was started in its folder"),
    "waiting_commands": ("waiting", "Commands of clients that are not answered yet"),
    "connections": ("connections", "Connections of clients"),
    "keys": ("keys", "Keys in the state machine"),
    "sessions": ("sessions", "Sessions in the state machine"),
}
_COUNTERS: Final = {
    "synced_batches": ("batches", "Batches in the durable log, one sync each"),
    "writes": ("commands", "Writes that clients asked of this node"),
    "reads": ("queries", "Reads that clients asked of this node"),
    "ballots_opened": ("ballots_opened", "How often this node ran phase 1"),
    "elections_won": ("elections_won", "How often this node came to lead"),
}


class _Numbers(Collector):
    """A status as Prometheus wants it."""

    def __init__(self, status: NodeStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield GaugeMetricFamily("quorate_leading", "Does this node lead?", float(status.role == "leader"))
        yield GaugeMetricFamily(
            "quorate_leader_known", "Does this node know a leader?", float(status.leader is not None)
        )
        yield GaugeMetricFamily(
            "quorate_promised_round",
            "The round of the highest ballot joined",
            0.0 if status.promised is None else float(status.promised[0]),
        )
        yield GaugeMetricFamily("quorate_tracing", "Is what this node does recorded?", float(status.tracing))
        for name, (field, text) in _GAUGES.items():
            yield GaugeMetricFamily(f"quorate_{name}", text, float(getattr(status, field)))
        for name, (field, text) in _COUNTERS.items():
            yield CounterMetricFamily(f"quorate_{name}", text, float(getattr(status, field)))


def exposition(status: NodeStatus) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Numbers(status))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
