"""Which deployment a call goes to, and when. Weighted least in flight with token headroom; whoever finds no
room waits in line.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from backend.app.common.errors import LLMGateClosed
from backend.app.llm.classify import failure
from backend.app.llm.gates import Closed, Gates
from backend.app.llm.lane import Lane, Ticket
from backend.app.llm.types import Deployment, ErrorKind

# What only time opens and takes longer than this is not waited for inside a step.
LONGEST_WAIT_S = 30.0
# Our own buckets are waited for longer: nobody else is to blame, and the task would only come back to them.
LONGEST_BUCKET_S = 120.0
# Nobody sleeps longer than this without looking: gates and breakers open by time, and nobody calls then.
LOOK_AGAIN_S = 5.0
# A task that found no room before its deadline comes back after this.
BUSY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call needs. `without`: deployments tried already; `not_from`: providers that refused the
    content; `larger_than`: a window (tokens) that proved too small."""

    purpose: str
    prompt_tokens: int = 0
    without: frozenset[str] = frozenset()
    not_from: frozenset[str] = frozenset()
    larger_than: int = 0
    only: str | None = None  # this deployment, if it may be called at all

    def suits(self, deployment: Deployment) -> bool:
        return (
            deployment.serves(self.purpose)
            and deployment.label not in self.without
            and deployment.provider not in self.not_from
            and deployment.context_window > self.larger_than
        )


class NoDeployment(Exception):
    """None that suits is left, whatever the time."""


@dataclass(slots=True, order=True)
class _Waiter:
    """Someone in line for any of these lanes; `number`: the place in it, first come first served."""

    number: int
    lanes: frozenset[str] = field(compare=False)
    called: asyncio.Future[None] = field(compare=False)


class Router:
    """The lanes of all deployments. Safe for any number of tasks of one event loop."""

    def __init__(
        self,
        deployments: Sequence[Deployment],
        gates: Gates,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lanes = tuple(Lane.of(deployment) for deployment in deployments)
        self._gates, self._clock = gates, clock
        self._line: list[_Waiter] = []
        self._numbers = itertools.count()
        self._served = 0.0  # virtual time: where the share of the last call began
        gates.on_open = self._opened

    async def acquire(self, wanted: Wanted, until: float) -> Ticket:
        """A ticket, as soon as one is to be had. `until` is a reading of the clock.

        Raises NoDeployment; LLMContextTooLong when the prompt fits into no window; LLMGateClosed when every
        way is closed for longer than a step waits. Give the ticket back with `answered` or `failed`.
        """
        suited, number = self._suited(wanted), next(self._numbers)
        taken = frozenset[str]().union(*(waiter.lanes for waiter in self._line))
        try:
            while True:
                ticket, wait = self._look(suited, wanted.prompt_tokens, taken)
                if ticket is not None:
                    self._call(ticket.lane.name, 1)  # there may be room for more than one
                    return ticket
                taken = frozenset()  # it has its own place in line from now on
                left = until - self._clock()
                if left <= 0:
                    raise _closed("busy", BUSY_SECONDS)
                sleep = min(left, LOOK_AGAIN_S if wait is None else min(wait, LOOK_AGAIN_S))
                await self._stand_in_line(suited, number, sleep)
        except BaseException:
            # Whoever was called and leaves passes it on; what made it leave concerns the others as well.
            self._call_all()
            raise

    def acquire_now(self, wanted: Wanted) -> Ticket | None:
        """A ticket of another deployment, if one can be had at once. Raises LLMGateClosed when those that
        suit are all closed."""
        try:
            return self._look(self._suited(wanted), wanted.prompt_tokens)[0]
        except NoDeployment:
            return None

    def answered(self, ticket: Ticket, tokens: float) -> bool:
        """Give a ticket back; `tokens` were used. True when the deployment is back after an outage."""
        recovered = ticket.lane.answered(ticket, tokens)
        # A good answer frees one place and may widen the lane by another.
        self._call(ticket.lane.name, len(self._line) if recovered else 2)
        return recovered

    def failed(self, ticket: Ticket, kind: ErrorKind | None, *, status: object = None) -> bool:
        """Give a ticket back. True when this opened the deployment's breaker."""
        opened = ticket.lane.failed(ticket, kind, self._clock(), status=status)
        self._call(ticket.lane.name, 1)
        return opened

    def lane(self, name: object) -> Lane | None:
        """The lane of this name."""
        return next((lane for lane in self.lanes if lane.name == name), None)

    def blocks(self, purpose: str) -> bool:
        """Whether no call for this purpose can go soon: its tasks had better stay in the queue."""
        now = self._clock()
        serving = [lane for lane in self.lanes if lane.deployment.serves(purpose)]
        return bool(serving) and all(
            self._gates.closed(lane.name) is not None or (lane.wait_outside(now) or 0.0) > LONGEST_WAIT_S
            for lane in serving
        )

    def closed_for(self, gate: Closed) -> LLMGateClosed:
        """The error of a task that waits behind this gate."""
        return _all_closed([gate], self._clock())

    def _suited(self, wanted: Wanted) -> list[Lane]:
        """Those that may ever answer this; only the ones with room in their window, if there are any."""
        suited = [lane for lane in self.lanes if wanted.suits(lane.deployment)]
        if wanted.only is not None:
            suited = [lane for lane in suited if self._is_preferred(lane, wanted)] or suited
        if not suited:
            raise NoDeployment
        roomy = [
            lane for lane in suited if lane.deployment.context_window >= lane.tokens_of(wanted.prompt_tokens)
        ]
        if roomy:
            return roomy
        # Our count may be off by 15 %: the largest window is tried unless the prompt alone is beyond it.
        largest = max(lane.deployment.context_window for lane in suited)
        if wanted.prompt_tokens * 0.85 > largest:
            raise failure(ErrorKind.CONTEXT, f"about {wanted.prompt_tokens} tokens, window {largest}")
        return [lane for lane in suited if lane.deployment.context_window == largest]

    def _is_preferred(self, lane: Lane, wanted: Wanted) -> bool:
        return lane.name == wanted.only and self._gates.closed(lane.name) is None

    def _look(
        self, suited: Sequence[Lane], prompt_tokens: int, taken: frozenset[str] = frozenset()
    ) -> tuple[Ticket | None, float | None]:
        """A ticket, or how long to wait: seconds, or (None) until a call ends. Raises LLMGateClosed.

        `taken`: lanes that others stand in line for; whoever comes now stands behind them.
        """
        now = self._clock()
        gates = {lane.name: self._gates.closed(lane.name) for lane in suited}
        ways = [lane for lane in suited if gates[lane.name] is None]
        if not ways:
            raise _all_closed([gate for gate in gates.values() if gate is not None], now)
        # None: full, or its probe is out; an event frees it, not time.
        waits = {
            lane.name: None if lane.is_full() else lane.wait(lane.tokens_of(prompt_tokens), now)
            for lane in ways
        }
        free = [lane for lane in ways if waits[lane.name] == 0.0 and lane.name not in taken]
        if not free and 0.0 in waits.values():
            return None, None
        if free:
            lane = min(free, key=lambda lane: lane.load(now))
            # Weighted fair sharing: who was away does not catch up on what it missed.
            self._served = max(lane.served, self._served)
            lane.served = self._served + 1 / lane.deployment.weight
            return lane.begin(lane.tokens_of(prompt_tokens), now), None
        # A gate that opens by its time tells nobody.
        opening = [gate.until - now for gate in gates.values() if gate is not None and not gate.needs_probe]
        timed = [wait for wait in waits.values() if wait is not None] + opening
        if None in waits.values():
            return None, min(timed, default=None)
        wait = min(timed)
        outside = min([lane.wait_outside(now) or 0.0 for lane in ways] + opening)
        if outside > LONGEST_WAIT_S:
            raise _closed("outage", wait)
        if wait > LONGEST_BUCKET_S:
            raise _closed("busy", wait)
        return None, wait

    async def _stand_in_line(self, suited: Sequence[Lane], number: int, seconds: float) -> None:
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(number, frozenset(lane.name for lane in suited), called)
        bisect.insort(self._line, waiter)
        try:
            await asyncio.wait({called}, timeout=seconds)
        finally:
            if waiter in self._line:
                self._line.remove(waiter)

    def _call(self, name: str, most: int) -> None:
        """Wake the first in line for this lane."""
        for waiter in [waiter for waiter in self._line if name in waiter.lanes][:most]:
            self._line.remove(waiter)
            waiter.called.set_result(None)

    def _call_all(self) -> None:
        line, self._line = self._line, []
        for waiter in line:
            waiter.called.set_result(None)

    def _opened(self, name: str) -> None:
        """A gate is open again: what was said when it closed does not hold any more."""
        for lane in self.lanes:
            if lane.name == name:
                lane.paused_until = -inf
        self._call_all()


def _all_closed(gates: Sequence[Closed], now: float) -> LLMGateClosed:
    """That one gate's reason which opens first."""
    gate = min(gates, key=lambda gate: (gate.needs_probe, gate.until))
    # Behind a probe tasks are not claimed anyway: they are to be at hand when it succeeds.
    seconds = BUSY_SECONDS if gate.needs_probe else max(gate.until - now, 1.0)
    closed = _closed(gate.reason, seconds)
    closed.params["needs_probe"] = gate.needs_probe
    return closed


def _closed(reason: str, seconds: float) -> LLMGateClosed:
    return LLMGateClosed(retry_after=seconds, reason=reason, detail=f"no way open: {reason}")
