"""How fast a trace is checked: reading, merging and judging a steady state of 10^4, 10^5 and 10^6 lines.

    ./dev bench conform [--checkpoints SLOTS] [LINES ...]

The trace is what three nodes write while one leads and commands stream, one a message: eleven lines a command, a file
for each node, nothing batched, nothing lost; with `--checkpoints` every node takes a checkpoint and truncates its log
whenever so many slots were applied.  Each size is checked in processes of their own, the median of three is
shown.  Seconds are of processor time on one core, so that other work on the machine does not count; peak memory is
the whole process's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from quorate.refinement.conformance import conform
from quorate.refinement.judge import Judge
from quorate.traces import merge

SIZES = (10_000, 100_000, 1_000_000)
LINES_A_COMMAND = 11
SPLIT_BELOW = 500_000


def steady_state(commands: int, checkpoint_slots: int = 0) -> Iterator[tuple[str, str]]:
    """Who writes which line; a checkpoint every so many slots, none if that is 0."""
    seqs, sent = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)

    def line(node: str, event: str, recv: str = "", send: str = "", **fields: object) -> tuple[str, str]:
        seqs[node] += 1
        head = f'{{"v":1,"node":"{node}","boot":1,"seq":{seqs[node]},"event":"{event}"'
        rest = "".join(
            f',"{name}":{json.dumps(value, separators=(",", ":"))}' for name, value in fields.items()
        )
        came = f',"recv":{recv}' if recv else ""
        went = f',"send":[{send}]' if send else ""
        return node, f"{head}{rest}{came}{went}}}\n"

    def said(node: str, to: str, body: str) -> tuple[str, str]:
        """A message as it is sent, and as it is received."""
        sent[node] += 1
        identity = f'{{"id":["{node}",1,{sent[node]}],'
        return f'{identity}"to":{json.dumps(list(to))},{body}}}', f"{identity}{body}}}"

    ballot = [1, "a"]
    for node in "abc":
        yield line(node, "start", nodes=["a", "b", "c"], promised=None, accepted=[], low=0, ballot_used=None)
    out, prepare = said("a", "bc", '"kind":"prepare","ballot":[1,"a"]')
    yield line("a", "prepare", send=out, ballot=ballot)
    yield line("a", "promise", ballot=ballot)
    out, promise = said("b", "a", '"kind":"promise","ballot":[1,"a"],"accepted":[],"low":0')
    yield line("b", "promise", recv=prepare, send=out, ballot=ballot)
    yield line("a", "lead", recv=promise, ballot=ballot, quorum=["a", "b"])
    for slot in range(1, commands + 1):
        entries, before = [[slot, f"set key{slot} {slot}"]], [[slot - 1, f"set key{slot - 1} {slot - 1}"]]
        body = f'"kind":"accept","ballot":[1,"a"],"entries":{json.dumps(entries)},"commit":{slot - 1}'
        out, accept = said("a", "bc", body)
        yield line("a", "propose", send=out, ballot=ballot, entries=entries)
        yield line("a", "accept", ballot=ballot, entries=entries)
        answers = {}
        for node in "bc":
            out, answers[node] = said(node, "a", f'"kind":"accepted","ballot":[1,"a"],"slots":[{slot}]')
            yield line(node, "accept", recv=accept, send=out, ballot=ballot, entries=entries)
            if slot > 1:
                yield line(node, "commit", entries=before, learned=True)
                yield line(node, "apply", entries=before)
        yield line("a", "commit", recv=answers["b"], ballot=ballot, quorum=["a", "b"], entries=entries)
        yield line("a", "apply", entries=entries)
        yield line("a", "ignore", recv=answers["c"], reason="chosen already")
        if checkpoint_slots and slot > 1 and slot % checkpoint_slots == 0:
            for node in "abc":
                yield line(node, "checkpoint", slot=slot - 1)
                yield line(node, "truncate", slot=slot - 1)


def write(folder: Path, lines: int, checkpoint_slots: int) -> None:
    """A steady state of about so many lines, a file for each node."""
    files = {node: (folder / f"{node}-1.ndjson").open("w", encoding="utf-8") for node in "abc"}
    for node, text in steady_state(max(1, lines // LINES_A_COMMAND), checkpoint_slots):
        files[node].write(text)
    for file in files.values():
        file.close()


def measure(folder: str) -> None:
    """Check a trace and print what it took: all of it, and the merge and the judgement by themselves."""
    began = time.process_time()
    result = conform(folder)
    seconds = time.process_time() - began
    assert result.verdict == "conforms", result.divergence
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"lines": result.lines, "seconds": seconds, "peak_mib": peak_kib / 1024}))


def split(folder: str) -> None:
    """Print what merging alone takes, and judging alone, of lines that are in memory."""
    began = time.process_time()
    steps = list(merge(folder))
    merged = time.process_time() - began
    judge = Judge()
    began = time.process_time()
    for step in steps:
        judge.take(step)
    judged = time.process_time() - began
    print(json.dumps({"lines": len(steps), "merged": merged, "judged": judged}))


def in_a_process(job: str, folder: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, job, folder], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(sizes: list[int], checkpoint_slots: int = 0) -> None:
    print(f"{'lines':>9}  {'lines/s':>9}  {'seconds':>8}  {'peak MiB':>8}  {'bytes a slot':>12}")
    smallest: dict[str, float] | None = None
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), size, checkpoint_slots)
            runs = [in_a_process("--measure", folder) for _ in range(3)]
            median = sorted(runs, key=lambda run: run["seconds"])[1]
            smallest = smallest or median
            more = (median["lines"] - smallest["lines"]) / LINES_A_COMMAND
            slot = (
                f"{(median['peak_mib'] - smallest['peak_mib']) * 2**20 / more:12.0f}" if more else f"{'':>12}"
            )
            speed = median["lines"] / median["seconds"]
            print(
                f"{median['lines']:>9}  {speed:>9.0f}  {median['seconds']:>8.2f}  {median['peak_mib']:>8.0f}  {slot}"
            )
            if size < SPLIT_BELOW:
                parts = in_a_process("--split", folder)
                merged, judged = (parts["lines"] / parts[part] for part in ("merged", "judged"))
                print(
                    f"{'':>9}  of this, merging alone {merged:.0f} lines/s, judging alone {judged:.0f} lines/s"
                )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--measure", folder]:
            measure(folder)
        case ["--split", folder]:
            split(folder)
        case ["--checkpoints", slots, *sizes]:
            main([int(size) for size in sizes] or list(SIZES), int(slots))
        case sizes:
            main([int(size) for size in sizes] or list(SIZES))
