"""Dealing out places among users (pure)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from backend.app.tasks.queue.claim import share


@st.composite
def queues(draw: st.DrawFn) -> list[tuple[int, list[int]]]:
    """Users with running counts and due ids; ids differ over all users, as a table's do."""
    sizes = draw(st.lists(st.integers(0, 8), max_size=8))
    ids = draw(st.permutations(range(sum(sizes))))
    made, at = [], 0
    for size in sizes:
        made.append((draw(st.integers(0, 6)), ids[at : at + size]))
        at += size
    return made


def _dealt(given_queues: list[tuple[int, list[int]]], taken: list[int]) -> list[int]:
    """How many each user got."""
    counted = Counter(taken)
    return [sum(counted[task] for task in due) for _, due in given_queues]


@given(queues(), st.integers(0, 30), st.integers(1, 8))
def test_each_task_at_most_once_within_limit_and_cap_and_in_the_users_own_order(
    given_queues: list[tuple[int, list[int]]], limit: int, cap: int
) -> None:
    taken = share(given_queues, limit=limit, cap=cap)

    assert len(taken) == len(set(taken)) <= limit
    for (running, due), got in zip(given_queues, _dealt(given_queues, taken), strict=True):
        assert got == 0 or running + got <= cap
        assert [task for task in taken if task in set(due)] == due[:got]


@given(queues(), st.integers(0, 30), st.integers(1, 8))
def test_places_stay_empty_only_when_nobody_may_have_them(
    given_queues: list[tuple[int, list[int]]], limit: int, cap: int
) -> None:
    taken = share(given_queues, limit=limit, cap=cap)

    possible = sum(min(len(due), max(cap - running, 0)) for running, due in given_queues)
    assert len(taken) == min(limit, possible)


@given(queues(), st.integers(0, 30), st.integers(1, 8))
def test_nobody_gets_a_place_while_another_who_could_use_it_has_fewer(
    given_queues: list[tuple[int, list[int]]], limit: int, cap: int
) -> None:
    """Max-min fairness: the last place of one is never two above what another, still waiting, has."""
    got = _dealt(given_queues, share(given_queues, limit=limit, cap=cap))

    ends = [running + n for (running, _), n in zip(given_queues, got, strict=True)]
    waiting = [
        end for end, n, (_, due) in zip(ends, got, given_queues, strict=True) if n < len(due) and end < cap
    ]
    winners = [end for end, n in zip(ends, got, strict=True) if n > 0]
    if waiting and winners:
        assert max(winners) - 1 <= min(waiting)


def test_between_equals_the_oldest_first() -> None:
    assert share([(0, [9, 10]), (0, [3, 20]), (1, [1])], limit=3, cap=5) == [3, 9, 1]
