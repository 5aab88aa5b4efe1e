"""Fencing tokens: a lock service hands out tokens in rising order, and a store refuses those that are stale.

A client may hold a lock without knowing that it lost it.  So each grant carries a token greater than any before, and
the store that the lock protects refuses a token smaller than one that it has seen.

    quorate check docs/examples/fencing.py -n token=3
    quorate prove docs/examples/fencing.py
"""

from quorate.checker.language import Set, Sort, State, action, implies, init, invariant, require, safety


class Client(Sort):
    """One that wants the lock."""


class Token(Sort, ordered=True):
    """What a grant carries; later ones are greater."""


class Fencing(State):
    granted: Set[Token, Client]
    wrote: Set[Token, Client]
    stale: Set[Token]  # what the store refuses


@init
def nobody() -> Fencing:
    """Nobody holds the lock."""
    return Fencing()


@action
def grant(now: Fencing, c: Client, t: Token) -> Fencing:
    """The lock service gives c the lock, with a token greater than any that it gave before."""
    require(not any((u, d) in now.granted and t <= u for u in Token for d in Client))
    return now.but(granted=now.granted | {(t, c)})


@action
def write(now: Fencing, c: Client, t: Token) -> Fencing:
    """c writes, believing that it holds the lock; smaller tokens are stale from here on."""
    require((t, c) in now.granted)
    require((t,) not in now.stale)
    return now.but(wrote=now.wrote | {(t, c)}, stale=now.stale | {(u,) for u in Token if u < t})


@safety
def one_writer(now: Fencing) -> bool:
    """With one token, at most one client writes."""
    return all(
        implies((t, c) in now.wrote and (t, d) in now.wrote, c == d)
        for t in Token
        for c in Client
        for d in Client
    )


@invariant
@safety
def older_tokens_are_stale(now: Fencing) -> bool:
    """Once somebody wrote with a token, nobody can write with a smaller one."""
    return all(
        implies((t, c) in now.wrote and u < t, (u,) in now.stale)
        for t in Token
        for u in Token
        for c in Client
    )


@invariant
def one_holder(now: Fencing) -> bool:
    """A token was granted to at most one client."""
    return all(
        implies((t, c) in now.granted and (t, d) in now.granted, c == d)
        for t in Token
        for c in Client
        for d in Client
    )


@invariant
def writers_hold(now: Fencing) -> bool:
    """Whoever wrote was granted the token that it wrote with."""
    return all(implies((t, c) in now.wrote, (t, c) in now.granted) for t in Token for c in Client)
