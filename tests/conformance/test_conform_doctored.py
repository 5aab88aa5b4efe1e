"""Doctored traces: each a golden one with a small, named wrong, which must come to light on the right line.

The doctor changes the trace and returns the line that must be found wrong, with the action expected there (empty if
the line stands for none) and a part of what it fails: the text of a `require`, or a rule of the format.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.specification import Specification
from quorate.refinement.divergence import Rule
from quorate.refinement.ledger import UnfitSpecification
from quorate.spec import multipaxos, voting

GOLDEN = Path(__file__).parent / "golden"

CASES: dict[str, tuple[str, Callable]] = {}


def doctored(golden: str):
    """Registers a wrong, done to a golden trace."""

    def register(edit: Callable) -> Callable:
        CASES[edit.__name__] = (golden, edit)
        return edit

    return register


# The acceptor's word -----------------------------------------------------------------------


@doctored("a_normal_run")
def an_acceptance_is_not_in_the_trace(d):
    d.drop(d.find("b", "accept"))
    return d.find("a", "commit"), "", Rule.RECEIVED


@doctored("a_takeover")
def an_acceptance_below_the_promise(d):
    """b promised [2,"c"] and then accepts what came late in [1,"a"]."""
    accept = d.find("b", "accept", 2)
    d.move(accept, d.find("b", "promise", 2))
    d.to_all(d.find("b", "promise", 2)["send"][0], accepted=[[1, [1, "a"], "x"]])
    return accept, "accept(", "(a, b) not in now.left"


@doctored("a_takeover")
def a_promise_below_the_promise(d):
    """b promises [1,"a"] only after [2,"c"]."""
    first = d.find("b", "promise")
    rest = [line for line in d.lines if line["node"] == "b" and line["event"] in ("accept", "promise")]
    d.drop(*[line for line in d.lines if line["node"] == "b" and line["event"] != "start" and line is not first
             and line is not rest[3]])  # fmt: skip
    later = d.find("b", "promise", 2)
    later["send"][0]["accepted"] = []
    d.move(first, later)
    d.lines = [
        line for line in d.lines if line["node"] != "a" or line["event"] in ("start", "prepare", "stop")
    ]
    d.lines = [
        line for line in d.lines if line["node"] != "c" or line["event"] in ("start", "prepare", "stop")
    ]
    d.renumber()
    return first, "promise(", "(a, b) not in now.left"


@doctored("messages_lost_and_doubled")
def a_promise_given_twice_as_if_new(d):
    again = d.find("b", "resend")
    again["event"], again["ballot"] = "promise", [1, "a"]
    return again, "promise(", "not joined(now, a, b)"


@doctored("a_normal_run")
def a_promise_of_a_ballot_nobody_opened(d):
    """a promises itself before it opens the ballot."""
    promise = d.find("a", "promise")
    d.move(promise, d.find("a", "start"))
    return promise, "promise(", "(b,) in now.prepared"


@doctored("a_takeover")
def a_report_omitted(d):
    d.to_all(d.find("b", "promise", 2)["send"][0], accepted=[[1, [1, "a"], "x"]])
    return d.find("b", "promise", 2), "promise(", Rule.REPORT


@doctored("a_takeover")
def a_report_that_leaves_out_what_the_candidate_may_not_know(d):
    d.to_all(d.find("b", "promise", 2)["send"][0], accepted=[[2, [1, "a"], "y"]], above=1)
    return d.find("b", "promise", 2), "", Rule.REPORT


@doctored("a_takeover")
def a_candidate_that_says_it_knows_more_than_it_does(d):
    d.to_all(d.find("c", "prepare")["send"][0], commit=7)
    return d.find("c", "prepare"), "", Rule.KNOWN


@doctored("a_takeover")
def a_report_with_another_value(d):
    d.to_all(d.find("b", "promise", 2)["send"][0], accepted=[[1, [1, "a"], "x"], [2, [1, "a"], "other"]])
    return d.find("b", "promise", 2), "promise(", Rule.REPORT


@doctored("a_takeover")
def a_report_in_another_ballot(d):
    d.to_all(d.find("b", "promise", 2)["send"][0], accepted=[[1, [0, "a"], "x"], [2, [1, "a"], "y"]])
    return d.find("b", "promise", 2), "promise(", Rule.REPORT


@doctored("a_normal_run")
def an_acceptance_of_another_value(d):
    accept = d.find("c", "accept")
    accept["entries"] = [[1, "other"]]
    return accept, "accept(", Rule.ASKED


@doctored("a_normal_run")
def an_acceptance_of_what_nobody_proposed(d):
    """Sent and received as it stands, but the line of the proposal says otherwise."""
    d.find("a", "propose")["entries"] = [[1, "other"]]
    return d.find("a", "propose"), "", Rule.SPOKEN


@doctored("a_normal_run")
def a_leader_that_accepts_another_value_than_it_proposed(d):
    d.find("a", "accept")["entries"] = [[1, "other"]]
    return d.find("a", "accept"), "accept(", "(s, b, v) in now.proposed"


@doctored("a_normal_run")
def a_promise_without_being_asked(d):
    del d.find("b", "promise")["recv"]
    return d.find("b", "promise"), "promise(", Rule.ASKED


@doctored("a_normal_run")
def an_answer_for_a_slot_not_accepted(d):
    d.to_all(d.find("b", "accept")["send"][0], slots=[1, 2])
    return d.find("b", "accept"), "", Rule.SPOKEN


# The leader's choices ----------------------------------------------------------------------


@doctored("the_highest_report")
def the_lowest_report_proposed(d):
    swap(d, "e", "y", "x")
    return d.find("e", "propose"), "propose(", "forced"


@doctored("the_highest_report")
def any_value_proposed_over_a_report(d):
    swap(d, "e", "y", "mine")
    return d.find("e", "propose"), "propose(", "forced"


@doctored("a_takeover")
def a_noop_proposed_over_a_report_of_one_acceptor(d):
    swap(d, "c", "y", "noop")
    return d.find("c", "propose"), "propose(", "forced"


@doctored("a_normal_run")
def two_proposals_in_a_slot(d):
    second = d.find("a", "propose", 2)
    second["entries"] = second["send"][0]["entries"] = [[1, "other"], [3, "z"]]
    return second, "propose(", "not any((s, b, w) in now.proposed"


@doctored("a_normal_run")
def a_second_proposal_in_a_slot_that_nobody_heard(d):
    """The first was chosen, and the leader ends by proposing something else there."""
    said = {"to": ["b"], "kind": "accept", "ballot": [1, "a"], "entries": [[1, "other"]], "commit": 3}
    last = d.find("a", "ignore", reason="idle")
    line = d.insert(last, "propose", ballot=[1, "a"], entries=[[1, "other"]], send=[said])
    return line, "propose(", "not any((s, b, w) in now.proposed"


@doctored("the_highest_report")
def any_value_proposed_over_a_report_in_the_last_line(d):
    swap(d, "e", "y", "mine")
    line = d.find("e", "propose")
    d.lines = d.lines[: d.number(line)]
    return line, "propose(", "forced"


@doctored("a_normal_run")
def a_proposal_without_lead(d):
    d.find("a", "lead")["event"] = "ignore"
    d.find("a", "ignore")["reason"] = "counted"
    return d.find("a", "propose"), "", Rule.LED


@doctored("a_normal_run")
def a_proposal_in_another_ballot(d):
    line = d.find("a", "propose")
    line["ballot"] = line["send"][0]["ballot"] = [2, "a"]
    return line, "", Rule.LED


@doctored("a_normal_run")
def a_quorum_too_small(d):
    d.find("a", "lead")["quorum"] = ["a"]
    return d.find("a", "lead"), "", Rule.QUORUM


@doctored("a_normal_run")
def a_quorum_counted_twice(d):
    d.find("a", "lead")["quorum"] = ["a", "a"]
    return d.find("a", "lead"), "", Rule.QUORUM


@doctored("a_normal_run")
def a_quorum_with_a_stranger(d):
    d.find("a", "lead")["quorum"] = ["a", "z"]
    return d.find("a", "lead"), "", Rule.QUORUM


@doctored("a_normal_run")
def a_quorum_with_one_that_did_not_promise(d):
    d.find("a", "lead")["quorum"] = ["a", "c"]
    return d.find("a", "lead"), "propose(", "all((a, b) in now.promised for a in q)"


@doctored("messages_lost_and_doubled")
def a_quorum_with_one_whose_promise_is_still_under_way(d):
    """c has promised by then, but its promise did not reach a."""
    promise = d.find("c", "promise")
    d.move(promise, d.find("c", "start"))
    d.find("a", "lead")["quorum"] = ["a", "c"]
    return d.find("a", "lead"), "", (Rule.HEARD, "all((a, b) in now.promised for a in q)")


@doctored("flexible_quorums")
def a_majority_where_more_must_promise(d):
    d.find("a", "lead")["quorum"] = ["a", "b"]
    return d.find("a", "lead"), "", Rule.QUORUM


@doctored("flexible_quorums")
def quorums_that_need_not_meet(d):
    for line in d.lines:
        if line["event"] == "start":
            line["phase1"] = 2
    return d.find("a", "start"), "", Rule.QUORUMS_MEET


@doctored("a_normal_run")
def a_lead_in_another_node_s_ballot(d):
    line = d.find("a", "lead")
    line["ballot"] = [1, "b"]
    return line, "", Rule.OWN_BALLOT


@doctored("a_deposed_leader")
def a_proposal_in_another_node_s_name(d):
    """b sends again what a proposed."""
    said = {k: v for k, v in d.find("a", "propose")["send"][0].items() if k != "id"}
    return d.insert(d.find("b", "accept"), "resend", send=[said]), "", Rule.SPOKEN


@doctored("a_deposed_leader")
def a_ballot_opened_in_another_node_s_name(d):
    said = {k: v for k, v in d.find("a", "prepare")["send"][0].items() if k != "id"}
    return d.insert(d.find("b", "accept"), "resend", send=[said]), "", Rule.SPOKEN


@doctored("a_deposed_leader")
def a_promise_sent_again_that_was_never_given(d):
    said = {"to": ["a"], "kind": "promise", "ballot": [1, "a"], "accepted": [], "low": 0}
    return d.insert(d.find("c", "accept"), "resend", send=[said]), "", Rule.SPOKEN


@doctored("a_normal_run")
def an_accept_sent_in_another_ballot_than_proposed(d):
    d.to_all(d.find("a", "propose")["send"][0], ballot=[0, "a"])
    return d.find("a", "propose"), "", Rule.SPOKEN


@doctored("a_takeover")
def a_report_said_twice(d):
    said = d.find("b", "promise", 2)["send"][0]
    d.to_all(said, accepted=[*said["accepted"], said["accepted"][0]])
    return d.find("b", "promise", 2), "promise(", Rule.REPORT


@doctored("a_normal_run")
def a_ballot_of_another_node(d):
    prepare = d.find("a", "prepare")
    prepare["ballot"] = [1, "b"]
    return prepare, "prepare(", Rule.OWN_BALLOT


@doctored("a_normal_run")
def a_ballot_opened_twice_that_nobody_joins_again(d):
    said = {"to": ["b", "c"], "kind": "prepare", "ballot": [1, "a"]}
    line = d.insert(d.find("a", "ignore", reason="idle"), "prepare", ballot=[1, "a"], send=[said])
    return line, "prepare(", "(b,) not in now.prepared"


# What is chosen and applied ----------------------------------------------------------------


@doctored("a_normal_run")
def a_commit_of_another_value(d):
    line = d.find("b", "commit")
    line["entries"] = [[1, "other"]]
    return line, "", "all((a, s, b, v) in now.accepted for a in q)"


@doctored("a_normal_run")
def a_second_commit_of_another_value(d):
    line = d.find("b", "commit", 2)
    line["entries"] = [[1, "other"], *line["entries"]]
    return line, "", "now.accepted"


@doctored("a_normal_run")
def a_commit_before_a_quorum_accepted(d):
    commit = d.find("a", "commit")
    recv = commit.pop("recv")
    d.insert(commit, "ignore", reason="counted", recv=recv)
    d.move(commit, d.find("a", "accept"))
    return commit, "", ("now.accepted", Rule.HEARD)


@doctored("a_normal_run")
def a_commit_that_counts_too_few(d):
    d.find("a", "commit")["quorum"] = ["b"]
    return d.find("a", "commit"), "", Rule.QUORUM


@doctored("the_highest_report")
def a_commit_on_acceptances_of_two_ballots(d):
    """y has b and d in ballot 2 and a, c and e in ballot 3: no quorum of ballot 3 has b in it."""
    d.find("e", "commit")["quorum"] = ["a", "b", "e"]
    return d.find("e", "commit"), "chosen(", "now.accepted"


@doctored("a_normal_run")
def a_commit_in_another_ballot(d):
    d.find("a", "commit")["ballot"] = [2, "a"]
    return d.find("a", "commit"), "chosen(", "now.accepted"


@doctored("a_normal_run")
def something_learned_that_nobody_said(d):
    line = d.find("b", "commit")
    d.move(line, d.find("b", "accept"))
    del line["recv"]
    apply = d.find("b", "apply")
    d.move(apply, line)
    return line, "", (Rule.TOLD, "now.accepted")


@doctored("a_normal_run")
def a_commit_index_beyond_what_is_chosen(d):
    d.to_all(d.find("a", "propose", 2)["send"][0], commit=2)
    return d.find("a", "propose", 2), "", Rule.KNOWN


@doctored("a_normal_run")
def a_heartbeat_beyond_what_is_chosen(d):
    d.to_all(d.find("a", "ignore", reason="idle")["send"][0], commit=4)
    return d.find("a", "ignore", reason="idle"), "", Rule.KNOWN


@doctored("a_deposed_leader")
def a_value_taught_that_was_not_chosen(d):
    d.to_all(d.find("b", "ignore", reason="asked")["send"][0], entries=[[2, "z"]])
    return d.find("b", "ignore", reason="asked"), "", Rule.KNOWN


@doctored("a_normal_run")
def slots_applied_out_of_order(d):
    line = d.find("a", "apply", 2)
    line["entries"] = line["entries"][::-1]
    return line, "", Rule.IN_ORDER


@doctored("a_normal_run")
def a_slot_applied_twice(d):
    first = d.find("a", "apply")
    return d.insert(first, "apply", entries=first["entries"]), "", Rule.IN_ORDER


@doctored("a_normal_run")
def a_slot_skipped(d):
    d.drop(d.find("a", "apply"))
    return d.find("a", "apply"), "", Rule.IN_ORDER


@doctored("a_normal_run")
def another_value_applied_than_committed(d):
    d.find("b", "apply")["entries"] = [[1, "other"]]
    return d.find("b", "apply"), "", Rule.COMMITTED


@doctored("a_normal_run")
def a_value_applied_before_it_is_committed(d):
    d.drop(d.find("a", "commit", 2))
    return d.find("a", "apply", 2), "", Rule.COMMITTED


# Restarts ----------------------------------------------------------------------------------


@doctored("a_restart")
def a_forgotten_promise(d):
    line = d.find("b", "start", 2)
    line["promised"] = None
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def a_forgotten_acceptance(d):
    line = d.find("b", "start", 2)
    line["accepted"] = []
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def an_acceptance_recovered_with_another_value(d):
    line = d.find("b", "start", 2)
    line["accepted"] = [[1, [1, "a"], "other"]]
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def a_forgotten_ballot(d):
    line = d.find("a", "start", 2)
    line["ballot_used"] = None
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def a_ballot_opened_again_after_a_restart(d):
    line = d.find("a", "prepare", 2)
    line["ballot"] = line["send"][0]["ballot"] = [1, "a"]
    return line, "prepare(", "(b,) not in now.prepared"


@doctored("a_restart")
def a_ballot_below_one_opened_before(d):
    line = d.find("a", "prepare", 2)
    line["ballot"] = line["send"][0]["ballot"] = [0, "a"]
    return line, "prepare(", Rule.OWN_BALLOT


@doctored("a_restart")
def a_ballot_below_one_that_only_the_disk_remembers(d):
    """The line that opened [5,"a"] is lost; that it was opened is not."""
    d.find("a", "start", 2)["ballot_used"] = [5, "a"]
    return d.find("a", "prepare", 2), "prepare(", Rule.OWN_BALLOT


@doctored("ahead_of_its_trace")
def an_acceptance_recovered_that_was_never_proposed(d):
    line = d.find("b", "start", 2)
    line["accepted"] = [[1, [1, "a"], "other"]]
    return line, "accept(", "(s, b, v) in now.proposed"


@doctored("ahead_of_its_trace")
def an_acceptance_recovered_in_a_ballot_that_was_left(d):
    line = d.find("b", "start", 2)
    line["accepted"] = [[1, [0, "a"], "x"]]
    return line, "accept(", "(a, b) not in now.left"


@doctored("a_restart")
def a_promise_recovered_below_an_acceptance(d):
    line = d.find("c", "start")
    line["accepted"], line["promised"] = [[1, [1, "a"], "x"]], [0, "a"]
    d.drop(d.find("c", "promise"))
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def other_members_after_a_restart(d):
    line = d.find("b", "start", 2)
    line["nodes"] = ["a", "b", "c", "d"]
    d.lines.insert(0, {**d.find("a", "start"), "node": "d", "boot": 1, "seq": 1, "nodes": ["a", "b", "c"]})
    return d.lines[0], "", Rule.MEMBERS


@doctored("a_restart")
def a_lead_of_the_last_boot(d):
    """After its restart a proposes in the ballot that it led before."""
    d.drop(
        d.find("a", "prepare", 2),
        d.find("a", "promise", 2),
        d.find("c", "promise", 2),
        d.find("a", "lead", 2),
    )
    line = d.find("a", "propose", 3)
    line["ballot"] = line["send"][0]["ballot"] = [1, "a"]
    return line, "", Rule.LED


@doctored("a_normal_run")
def a_boot_without_start(d):
    d.drop(d.find("b", "start"))
    return d.find("b", "promise"), "", Rule.LIFE


@doctored("a_normal_run")
def a_boot_that_goes_on_after_its_stop(d):
    stop = d.find("c", "stop")
    return d.insert(stop, "ignore", reason="still here"), "", Rule.LIFE


@doctored("a_restart")
def a_second_start_in_a_boot(d):
    start = d.find("b", "start", 2)
    again = {k: v for k, v in start.items() if k not in ("v", "node", "boot", "seq", "event")}
    return d.insert(start, "start", **again), "", Rule.LIFE


@doctored("a_restart")
def another_node_s_ballot_recovered(d):
    d.find("b", "start", 2)["ballot_used"] = [1, "a"]
    return d.find("b", "start", 2), "", Rule.OWN_BALLOT


@doctored("a_restart")
def two_acceptances_recovered_in_a_slot(d):
    line = d.find("b", "start", 2)
    line["accepted"] = [[1, [0, "a"], "w"], *line["accepted"]]
    return line, "", Rule.RECOVERED


@doctored("a_restart")
def a_checkpoint_of_what_is_not_known_to_be_chosen(d):
    line = d.find("b", "start", 2)
    d.insert(d.find("b", "accept"), "stop")
    line["low"], line["accepted"] = 1, []
    return line, "", Rule.RECOVERED


@doctored("a_checkpoint")
def a_checkpoint_forgotten(d):
    line = d.find("b", "start", 2)
    d.find("b", "promise", 2)["boot"] = 3
    for later in d.lines[d.number(line) :]:
        if later["node"] == "b":
            later["boot"] = 3
    third = d.insert(
        line, "start", **{k: v for k, v in line.items() if k not in ("v", "node", "boot", "seq", "event")}
    )
    third["boot"], third["low"], third["accepted"] = 3, 0, [[1, [1, "a"], "x"], [2, [1, "a"], "y"]]
    d.renumber()
    return third, "", Rule.RECOVERED


@doctored("a_checkpoint")
def a_slot_applied_from_below_the_checkpoint(d):
    line = d.find("b", "apply", 2)
    line["entries"] = [[1, "x"], [2, "y"]]
    return line, "", Rule.IN_ORDER


@doctored("a_checkpoint")
def a_promise_that_claims_another_checkpoint(d):
    d.to_all(d.find("b", "promise", 2)["send"][0], low=2, accepted=[])
    return d.find("b", "promise", 2), "", Rule.REPORT


# Messages ----------------------------------------------------------------------------------


@doctored("messages_lost_and_doubled")
def a_message_that_nobody_sent(d):
    d.find("c", "accept")["recv"]["id"] = ["a", 1, 77]
    return d.find("c", "accept"), "", Rule.RECEIVED


@doctored("a_normal_run")
def a_message_altered_on_the_way(d):
    line = d.find("c", "accept")
    line["entries"] = line["recv"]["entries"] = [[1, "other"]]
    return line, "", Rule.RECEIVED


@doctored("a_normal_run")
def a_ballot_swapped_on_the_way(d):
    line = d.find("c", "accept")
    line["ballot"] = line["recv"]["ballot"] = line["send"][0]["ballot"] = [2, "c"]
    return line, "", Rule.RECEIVED


@doctored("a_deposed_leader")
def a_nack_that_promises(d):
    """To refuse changes nothing; this one claims a promise that the node never made."""
    d.to_all(d.find("b", "nack")["send"][0], promised=[9, "c"])
    return d.find("b", "nack"), "", Rule.SPOKEN


@doctored("a_deposed_leader")
def a_refusal_that_accepts_all_the_same(d):
    sent = d.find("b", "nack")["send"][0]
    entries = d.find("b", "nack")["recv"]["entries"]
    for line in d.lines:
        for one in (*line.get("send", ()), line.get("recv")):
            if one is not None and one["id"] == sent["id"]:
                del one["promised"]
                one.update(kind="accepted", slots=[slot for slot, _ in entries])
    return d.find("b", "nack"), "", Rule.SPOKEN


@doctored("messages_lost_and_doubled")
def something_else_sent_again(d):
    d.to_all(d.find("a", "resend")["send"][0], entries=[[1, "other"]])
    return d.find("a", "resend"), "", Rule.SPOKEN


@doctored("messages_lost_and_doubled")
def a_promise_sent_again_with_the_log_of_today(d):
    again = d.find("b", "resend")
    d.to_all(again["send"][0], accepted=[[1, [1, "a"], "x"]])
    return again, "promise(", Rule.REPORT


@doctored("a_deposed_leader")
def an_index_that_lets_an_old_acceptance_pass_for_chosen(d):
    """a accepted z in slot 2 in its old ballot; the new leader's index does not make that chosen."""
    line = d.find("a", "ignore", reason="behind")
    line["event"], line["learned"], line["entries"] = "commit", True, [[2, "z"]]
    return line, "", "now.accepted"


def swap(d, leader: str, old: str, new: str) -> None:
    """The leader proposes another value, and everybody goes along with it."""
    entries = [[s, new if v == old else v] for s, v in d.find(leader, "propose")["entries"]]
    d.find(leader, "propose")["entries"] = entries
    d.to_all(d.find(leader, "propose")["send"][0], entries=entries)


# Checkpoints -------------------------------------------------------------------------------


@doctored("everybody_truncates")
def a_truncation_above_the_checkpoint(d):
    line = d.find("b", "truncate")
    line["slot"] = 3
    return line, 'truncate(a = "b", s = 3)', "(a, s) in now.checkpoints"


@doctored("everybody_truncates")
def a_truncation_before_the_checkpoint(d):
    line = d.find("b", "truncate")
    d.move(line, d.find("b", "apply"))
    return line, 'truncate(a = "b", s = 1)', "(a, s) in now.checkpoints"


@doctored("everybody_truncates")
def a_truncated_slot_reported_as_empty(d):
    line = d.find("b", "promise", 2)
    d.to_all(line["send"][0], low=0)
    return line, "", Rule.REPORT


@doctored("a_snapshot")
def a_proposal_where_a_promise_has_a_checkpoint(d):
    """b and c have a checkpoint at 2: c leads by both promises, and proposes in slot 1, which it has not truncated."""
    d.drop(d.find("c", "truncate"))
    line = d.find("c", "propose")
    line["entries"] = line["send"][0]["entries"] = [[1, "again"]]
    d.to_all(line["send"][0], entries=[[1, "again"]])
    return line, "propose(", "not any((a, b, s) in now.covered for a in q)"


@doctored("a_snapshot")
def a_proposal_where_a_promise_has_a_checkpoint_that_nobody_heard(d):
    d.drop(d.find("c", "truncate"))
    said = {"to": ["a"], "kind": "accept", "ballot": [2, "c"], "entries": [[1, "again"]], "commit": 2}
    line = d.insert(d.find("c", "propose"), "propose", ballot=[2, "c"], entries=[[1, "again"]], send=[said])
    return line, "propose(", "not any((a, b, s) in now.covered for a in q)"


@doctored("everybody_truncates")
def a_checkpoint_of_what_is_not_chosen(d):
    """Slot 3 is accepted by one acceptor when b takes a checkpoint that has it."""
    line = d.find("b", "checkpoint")
    d.move(line, d.find("b", "accept", slot=None, entries=[[3, "z"]]))
    d.drop(d.find("b", "truncate"))
    line["slot"] = 3
    d.renumber()
    return line, 'checkpoint(a = "b", q = ', "all((c, s, b, v) in now.accepted for c in q)"


@doctored("everybody_truncates")
def a_checkpoint_of_what_nobody_proposed(d):
    line = d.find("b", "checkpoint")
    line["slot"] = 9
    return line, "", (Rule.CHECKPOINT, "all((c, s, b, v) in now.accepted for c in q)")


@doctored("everybody_truncates")
def a_checkpoint_of_what_was_not_applied(d):
    line = d.find("b", "checkpoint")
    d.move(line, d.find("b", "start"))
    d.drop(d.find("b", "truncate"))
    d.move(line, d.find("b", "commit"))
    d.renumber()
    return line, "", Rule.CHECKPOINT


@doctored("everybody_truncates")
def a_checkpoint_older_than_the_last(d):
    line = d.insert(d.find("b", "truncate"), "checkpoint", slot=1)
    d.renumber()
    return line, "", Rule.CHECKPOINT


@doctored("everybody_truncates")
def a_proposal_below_the_truncation(d):
    line = d.find("a", "propose", 2)
    line["entries"] = line["send"][0]["entries"] = [[2, "late"]]
    d.to_all(line["send"][0], entries=[[2, "late"]])
    return line, "", Rule.TRUNCATED


@doctored("everybody_truncates")
def a_checkpoint_that_the_next_boot_has_not(d):
    line = d.find("c", "start", 2)
    line["low"] = 0
    return line, "", Rule.RECOVERED


@doctored("a_snapshot")
def a_snapshot_that_its_sender_has_not(d):
    line = next(x for x in d.lines if any(m["kind"] == "snapshot" for m in x.get("send", ())))
    d.to_all(line["send"][0], slot=3)
    d.find("c", "snapshot")["slot"] = 3
    return line, "", Rule.SPOKEN


@doctored("a_snapshot")
def a_snapshot_installed_that_was_not_received(d):
    line = d.find("c", "snapshot")
    line["slot"] = 1
    return line, "", Rule.ASKED


@doctored("a_snapshot")
def a_slot_applied_that_the_snapshot_has(d):
    line = d.find("c", "apply")
    line["entries"] = [[2, "y"], [3, "z"]]
    return line, "", Rule.IN_ORDER


# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_doctored_trace_diverges_at_the_right_line(name: str, doctor: type, judge_lines: Callable) -> None:
    golden, edit = CASES[name]
    lines = [json.loads(line) for line in (GOLDEN / f"{golden}.ndjson").read_text().splitlines()]
    patient = doctor(lines)
    line, action, broken = edit(patient)
    result = judge_lines(patient.lines)
    found = result.divergence
    assert found is not None, "it conforms"
    assert (found.line, found.event, found.node) == (patient.number(line), line["event"], line["node"]), str(
        found
    )
    assert (found.action or "").startswith(action), str(found)
    allowed = broken if isinstance(broken, tuple) else (broken,)
    assert any((x.value if isinstance(x, Rule) else x) in found.conjunct for x in allowed), str(found)
    assert result.verdict == "diverges"
    assert found.reason
    assert len(found.reason.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("the_lowest_report_proposed", "leader_takes_lowest_report"),
        ("any_value_proposed_over_a_report", "leader_ignores_reports"),
        ("two_proposals_in_a_slot", "leader_proposes_twice"),
        ("a_promise_given_twice_as_if_new", "promise_again"),
        ("an_acceptance_below_the_promise", "accept_below_promise"),
        ("a_promise_below_the_promise", "promise_leaves_nothing"),
        ("a_leader_that_accepts_another_value_than_it_proposed", "accept_unproposed"),
    ],
)
def test_the_guard_is_the_specification_s_own_text(
    name: str, mutant: str, doctor: type, judge_lines: Callable
) -> None:
    """With the `require` edited away, what it refused passes, and is found out later or never."""
    golden, edit = CASES[name]
    patient = doctor([json.loads(text) for text in (GOLDEN / f"{golden}.ndjson").read_text().splitlines()])
    edit(patient)
    original = Specification.of(multipaxos)
    refused = judge_lines(patient.lines, spec=original).divergence
    spoiled = judge_lines(patient.lines, spec=mutate(original, find_mutant(original, mutant))).divergence
    assert refused.conjunct.startswith("multipaxos.py:")
    assert spoiled is None or (spoiled.line, spoiled.conjunct) > (refused.line, refused.conjunct), str(
        spoiled
    )


def test_a_specification_without_what_traces_speak_of_is_refused_in_a_line(judge_lines: Callable) -> None:
    lines = [json.loads(text) for text in (GOLDEN / "a_normal_run.ndjson").read_text().splitlines()]
    with pytest.raises(UnfitSpecification) as refused:
        judge_lines(lines, spec=Specification.of(voting))
    assert str(refused.value).startswith("voting: ")
    assert "\n" not in str(refused.value)


def test_there_are_many_kinds_of_wrong() -> None:
    assert len(CASES) >= 50
