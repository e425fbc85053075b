"""One deployment at work in this process: calls out, how many may be, and whether it answers at all. Pure:
time is an argument, a reading of one steady clock in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from backend.app.llm.breaker import CLASS_OF, Breaker, FailureClass
from backend.app.llm.buckets import Bucket
from backend.app.llm.providers import PROVIDERS, Quirk
from backend.app.llm.types import Deployment, ErrorKind, StructuredLevel

THROTTLED = frozenset((ErrorKind.THROTTLE, ErrorKind.BURST))
# Additive increase, multiplicative decrease.
DECREASE = 0.5
BURST_PAUSE_S = 1.0
# A provider that throttles without naming a time, by throttled questions in a row.
COOLDOWN_FIRST_S, COOLDOWN_LONGEST_S = 30.0, 600.0


@dataclass(slots=True)
class Ticket:
    """The right to make one call. `tokens`: what was taken from the bucket for it."""

    lane: Lane
    tokens: float
    started_at: float
    is_probe: bool


@dataclass(slots=True)
class Lane:
    """The state of one deployment. What it learned of the server (level, quirks) stays learned."""

    deployment: Deployment
    breaker: Breaker = field(default_factory=Breaker)
    level: StructuredLevel = StructuredLevel.JSON_SCHEMA
    quirks: set[Quirk] = field(default_factory=set)
    in_flight: int = 0
    limit: float = inf  # calls at once, as the provider lets us
    paused_until: float = -inf
    served: float = 0.0  # virtual time of weighted fair sharing
    _requests: Bucket = field(default_factory=lambda: Bucket(0))
    _tokens: Bucket = field(default_factory=lambda: Bucket(0))
    _narrowed_at: float = -inf
    _cooldowns: int = 0
    _cool_until: float = -inf

    @classmethod
    def of(cls, deployment: Deployment) -> Lane:
        quotas = deployment.quotas
        return cls(
            deployment,
            level=deployment.structured,
            limit=quotas.concurrency or inf,
            _requests=Bucket(quotas.rpm),
            _tokens=Bucket(quotas.tpm),
        )

    @property
    def name(self) -> str:
        return self.deployment.label

    def tokens_of(self, prompt_tokens: int) -> int:
        """What a call may use of the window and of the minute: the prompt and the longest answer."""
        return prompt_tokens + (self.deployment.max_tokens or 0)

    def is_full(self) -> bool:
        """No room for another call until one ends."""
        return self.in_flight + 1 > max(self.limit, 1.0)

    def wait_outside(self, now: float) -> float | None:
        """Seconds until the provider may be asked again; None while a probe is out."""
        blocked = self.breaker.wait(now)
        return None if blocked is None else max(blocked, self.paused_until - now, 0.0)

    def wait(self, tokens: float, now: float) -> float | None:
        """The same for a call of so many tokens, with our own buckets."""
        outside = self.wait_outside(now)
        if outside is None:
            return None
        return max(outside, self._requests.wait(1, now), self._tokens.wait(tokens, now))

    def load(self, now: float) -> tuple[float, float]:
        """Least first: calls out by weight and token headroom, then what it has served by weight."""
        room = self.deployment.weight * max(self._tokens.headroom(now), 0.05)
        return (round(self.in_flight / room, 6), self.served)

    def begin(self, tokens: float, now: float) -> Ticket:
        """A call goes."""
        self.in_flight += 1
        self._requests.take(1, now)
        self._tokens.take(tokens, now)
        return Ticket(self, tokens, now, self.breaker.begin())

    def answered(self, ticket: Ticket, used: float) -> bool:
        """A good answer, of `used` tokens in all. True when it closed the breaker."""
        self._end(ticket, used)
        self._cooldowns = 0
        self.limit = min(self.limit + 1 / max(self.limit, 1.0), self.deployment.quotas.concurrency or inf)
        return self.breaker.succeeded(is_probe=ticket.is_probe)

    def failed(self, ticket: Ticket, kind: ErrorKind | None, now: float, *, status: object = None) -> bool:
        """A call that brought no answer; `kind` None: cancelled. True when it opened the breaker."""
        # What was sent may have been read; only a refused request gives its tokens back.
        refused = kind in (ErrorKind.THROTTLE, ErrorKind.BURST, ErrorKind.AUTH, ErrorKind.BAD_REQUEST)
        self._end(ticket, 0.0 if refused else ticket.tokens)
        failure = CLASS_OF.get(kind) if kind is not None else None
        if kind is ErrorKind.BAD_REQUEST and status == 404:
            failure = FailureClass.MISSING
        if failure is not None:
            return self.breaker.failed(failure, now, began=ticket.started_at, is_probe=ticket.is_probe)
        self.breaker.abandoned(is_probe=ticket.is_probe)
        return False

    def told_to_wait(
        self, ticket: Ticket, kind: ErrorKind | None, retry_after: float | None, now: float
    ) -> None:
        """No call before the time the provider named; fewer at once when it throttles."""
        if kind not in THROTTLED:
            self.paused_until = max(self.paused_until, now + (retry_after or 0.0))
            return
        # Of calls that were out together only the first narrows: the others tell the same.
        if ticket.started_at >= self._narrowed_at:
            self._narrowed_at = now
            self.limit = max(1.0, min(self.limit, self.in_flight + 1.0) * DECREASE)
        wait = retry_after or (BURST_PAUSE_S if kind is ErrorKind.BURST else 0.0)
        self.paused_until = max(self.paused_until, now + wait)

    def cooldown(self, now: float) -> float:
        """Seconds that a provider is left alone which throttles on and on, by throttled questions in a row.
        Questions that were out together are one."""
        if now >= self._cool_until:
            self._cooldowns += 1
            wait = min(COOLDOWN_FIRST_S * 2 ** (self._cooldowns - 1), COOLDOWN_LONGEST_S)
            self._cool_until = now + wait
        return self._cool_until - now

    def _end(self, ticket: Ticket, used: float) -> None:
        self.in_flight -= 1
        provider = PROVIDERS.get(self.deployment.provider)
        keeps = provider is not None and provider.charges_at_admission and used > 0
        if used < ticket.tokens and not keeps:
            self._tokens.give_back(ticket.tokens - used)
