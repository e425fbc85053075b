"""Every write to the task tables: one module a group of verbs, one guarded statement a verb.

The guard stands in the UPDATE (`status`, `lease_seq`), and the caller learns the truth from the returned
rows. All verbs take a `Connection` that is inside a transaction (`Database.write`) and commit nothing.
Lock order everywhere: claim lock, task rows by id, event lock; an event's insert is the last statement.
"""

from backend.app.tasks.queue.claim import claim, claimable, has_expired, sweep_expired, take_over
from backend.app.tasks.queue.finish import Report, finish, record_progress, record_spent, was_ours
from backend.app.tasks.queue.leases import (
    WorkerIdentity,
    held,
    neighbours,
    register_worker,
    renew,
    worker_stopped,
)
from backend.app.tasks.queue.partials import drop_partials, keep_partial
from backend.app.tasks.queue.person import cancel, retry, submit
from backend.app.tasks.queue.steps import (
    StepBegin,
    begin_step,
    fail_step,
    finish_step,
    reserve_step,
    step_totals,
)

__all__ = [
    "Report",
    "StepBegin",
    "WorkerIdentity",
    "begin_step",
    "cancel",
    "claim",
    "claimable",
    "drop_partials",
    "fail_step",
    "finish",
    "finish_step",
    "has_expired",
    "held",
    "keep_partial",
    "neighbours",
    "record_progress",
    "record_spent",
    "register_worker",
    "renew",
    "reserve_step",
    "retry",
    "submit",
    "step_totals",
    "sweep_expired",
    "take_over",
    "was_ours",
    "worker_stopped",
]
