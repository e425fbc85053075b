"""One question on its way: what it has used, and what it learned of the deployments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from backend.app.common.errors import AppError, LLMError, LLMGateClosed
from backend.app.llm.lane import Ticket
from backend.app.llm.types import CallContext, Deployment, ErrorKind, Spending, kind_of

# What another deployment may answer although this one did not.
FALLS_BACK = frozenset(
    (
        ErrorKind.THROTTLE,
        ErrorKind.BURST,
        ErrorKind.QUOTA,
        ErrorKind.TRANSIENT,
        ErrorKind.TIMEOUT_CONNECT,
        ErrorKind.TIMEOUT_FIRST,
        ErrorKind.TIMEOUT_IDLE,
        ErrorKind.TRUNCATED,
        ErrorKind.CONTEXT,
        ErrorKind.CONTENT,
        ErrorKind.AUTH,
    )
)


class NoRoomNow(Exception):
    """What other steps of the task hold in reserve leaves no room for this call; it may come free."""


@dataclass(slots=True)
class Question:
    """What one question has used and learned so far."""

    context: CallContext
    deadline: float
    calls_left: int
    spending: Spending = field(default_factory=Spending)
    without: set[str] = field(default_factory=set)
    not_from: set[str] = field(default_factory=set)
    larger_than: int = 0
    prefers: str | None = None
    barred: AppError | None = None  # why no deployment may be left
    last: Ticket | None = None

    @property
    def answered_by(self) -> Deployment:
        assert self.last is not None  # noqa: S101  there is an answer
        return self.last.lane.deployment

    def may_go_on(self, error: LLMError) -> bool:
        """Whether another deployment may be asked in this round."""
        falls_back = kind_of(error) in FALLS_BACK or error.params.get("status") == 404
        is_gate = isinstance(error, LLMGateClosed)
        cut = error.params.get("finish_reason") == "length"
        return (falls_back or is_gate) and not cut and self.calls_left > 0

    async def permit(self, worst: Decimal) -> None:
        """May a call be made that costs at most `worst` yuan? Raises NoRoomNow, and what the asker raises."""
        ask = self.context.permit
        if ask is not None and not await ask(self.spending.cost + worst):
            raise NoRoomNow

    async def room(self) -> None:
        """Until another step of the task has given back what it held."""
        if self.context.room is not None:
            await self.context.room()

    def count(self) -> int:
        """One more call; its number."""
        self.calls_left -= 1
        self.spending = replace(self.spending, calls=self.spending.calls + 1)
        return self.spending.calls

    def spend(self, spent: Spending) -> None:
        """Add what a call has cost."""
        total = self.spending
        self.spending = Spending(total.calls, total.usage + spent.usage, total.cost + spent.cost)
        if self.context.spent is not None:
            self.context.spent(self.spending)
