"""The words in which tests tell a fault of a provider and what must follow it; `llm_faults` plays them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.tests.fakes import llm_server as fake
from backend.tests.fakes.llm_dialects import Serve
from backend.tests.fakes.llm_server import Reply

TEXT = "某某项目招标文件\n投标有效期：90天。\n投标人未提交投标保证金的，其投标无效。"
ITEM = {"tab": "hard_requirements", "title": "保证金", "quote": "投标人未提交投标保证金的，其投标无效"}
ANSWER = json.dumps({"facts": [], "items": [ITEM]}, ensure_ascii=False)


def good(_: fake.Seen) -> Reply:
    return fake.stream(ANSWER, size=500)


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What must have become of the task. `calls`: seen by the server, in the ledger and in the usage;
    `waits`: seconds until it runs again; `gate`: why it is closed; `probe`: only a probe opens it."""

    status: str = "completed"
    code: str | None = None
    calls: int = 1
    waits: tuple[float, float] | None = None
    gate: str | None = None
    probe: bool = False
    exhausted: bool = False


# What follows, in the words of the table of errors.


def completes(calls: int = 1) -> Ends:
    return Ends(calls=calls)


def fails(code: str, calls: int = 1, *, exhausted: bool = False) -> Ends:
    """At once, whatever tries are left; `exhausted`: because none is."""
    return Ends(status="failed", code=code, calls=calls, exhausted=exhausted)


def shuts(code: str, reason: str, calls: int = 1) -> Ends:
    """This task fails, and the gate stays closed until a probe succeeds."""
    return Ends(status="failed", code=code, calls=calls, gate=reason, probe=True)


def comes_again(code: str, calls: int = 4) -> Ends:
    """A retry of the task, after 30 s more or less."""
    return Ends(status="retry", code=code, calls=calls, waits=(21, 38))


def waits(seconds: float, reason: str, calls: int = 1) -> Ends:
    """Handed back with no retry used, behind a gate that opens by itself."""
    return Ends(status="pending", calls=calls, waits=(seconds - 3, seconds * 1.26), gate=reason)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault: the server's first replies, then its replies to all further calls."""

    name: str
    ends: Ends
    first: tuple[Reply, ...] = ()
    then: Serve = good
    provider: str = "openai_compatible"
    model: str = "m-1"
    base: str = "/v1"
    scheme: str = ""  # of the address, where it is not the server's
    limits: Mapping[str, Any] = field(default_factory=dict)  # fields of the deployment
    others: tuple[Mapping[str, Any], ...] = ()  # further deployments: fields, and `base`
    text: str = TEXT
    seconds: float = 20.0  # of the attempt
    at_least: float = 0.0  # that it takes
    max_retries: int = 3
    certificate: str | None = None  # the server speaks TLS with this file's key and certificate
    # What can be counted outside: calls that never become a request are connections, or not even these.
    counted: str = "requests"
    everywhere: bool = False  # on PostgreSQL as well


def always(name: str, reply: Reply, ends: Ends, **more: Any) -> Row:
    return Row(name=name, ends=ends, then=lambda _: reply, **more)


def once(name: str, reply: Reply, ends: Ends | None = None, **more: Any) -> Row:
    """The fault, and good answers after it."""
    return Row(name=name, ends=ends or completes(2), first=(reply,), **more)
