"""Gates: the way to each deployment, open or closed, as this worker knows it and as all workers share it.

A throttling provider closes its gate for the time it named. A wrong key or an empty account closes it until
a probe succeeds or the configuration changes: the task that met it fails, those behind it wait. Memory is
what calls look at; `shared_gates` keeps it equal to the rows. No SQL here: commands ask models without a
database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.app.common.errors import LLMError, LLMGateClosed
from backend.app.common.logging import get_logger
from backend.app.llm.types import Deployment, ErrorKind

log = get_logger(__name__)

# How long until a gate is looked at again, by closings and failed probes in a row; doubling.
PROBE_FIRST_S, PROBE_LONGEST_S = 5.0, 300.0
# Kinds that no wait cures: someone must pay, or mend the key.
NEEDS_PROBE = frozenset((ErrorKind.AUTH, ErrorKind.QUOTA))


@dataclass(frozen=True, slots=True)
class Closed:
    """`until`: a reading of the steady clock; with `needs_probe` the time of the next probe."""

    until: float
    needs_probe: bool
    reason: str
    error_code: str = ""


class Gates:
    """What one process knows. Alone (without `SharedGates`) it serves commands and tests."""

    def __init__(
        self, deployments: Sequence[Deployment], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deployments = {deployment.label: deployment for deployment in deployments}
        self._clock = clock
        self._closed: dict[str, Closed] = {}
        self.on_open: Callable[[str], None] = lambda _name: None

    def closed(self, name: str) -> Closed | None:
        """How the gate is closed; None when it is open."""
        found = self._closed.get(name)
        if found is not None and not found.needs_probe and found.until <= self._clock():
            del self._closed[name]
            return None
        return found

    async def close(self, deployment: Deployment, error: LLMError, *, seconds: float | None) -> bool:
        """Close for `seconds`, or (None) until a probe succeeds. False when it was closed so already."""
        name, reason = deployment.label, reason_of(error)
        found = self.closed(name)
        if found is not None and found.needs_probe:
            return False
        wait = pause(0) if seconds is None else seconds
        until = self._clock() + wait
        if seconds is not None and found is not None and found.until >= until:
            return False
        self._closed[name] = Closed(until, seconds is None, reason, error.code)
        log.warning("llm_gate_closed", gate=name, reason=reason, seconds=wait, needs_probe=seconds is None)
        return True

    def _open(self, name: str) -> None:
        if self._closed.pop(name, None) is not None:
            log.info("llm_gate_opened", gate=name)
            self.on_open(name)


def pause(failures: int) -> float:
    """Seconds until the next probe: 5, 10, … at most 300."""
    return float(min(PROBE_FIRST_S * 2 ** min(failures, 10), PROBE_LONGEST_S))


def reason_of(error: LLMError) -> str:
    """One of the reasons that people have words for."""
    kind = str(error.params.get("kind"))
    return kind if kind in LLMGateClosed.reasons else "outage"
