---- MODULE consensus ----

\* Consensus: in each slot at most one value is chosen, and what is chosen stays chosen.
\*
\* This is all that a user of a replicated log relies on.  There are no acceptors here, no ballots and no messages:
\* choosing is one indivisible act, done by nobody in particular.  The other specifications earn the right to be
\* called consensus by refining this one (`refinement/voting_is_consensus.py`, `refinement/multipaxos_is_voting.py`).

CONSTANTS Slot, Value

VARIABLES chosen
vars == <<chosen>>

Init ==
    /\ chosen = {}

\* v is chosen in a slot where nothing was.
choose(s, v) ==
    /\ ~(\E w \in Value : <<s, w>> \in chosen)  \* consensus.py:25
    /\ chosen' = (chosen \cup {<<s, v>>})

Next ==
    \/ \E s \in Slot, v \in Value : choose(s, v)

Spec == Init /\ [][Next]_vars

\* In a slot, at most one value is chosen.
agreement ==
    (\A s \in Slot, v \in Value, w \in Value : ((<<s, v>> \in chosen /\ <<s, w>> \in chosen) => v = w))

====
