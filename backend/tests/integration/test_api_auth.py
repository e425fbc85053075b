"""Accounts and sessions over HTTP, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from backend.app import bootstrap
from backend.app.auth import administration, sessions, throttle
from backend.app.auth.passwords import PasswordHasher
from backend.app.auth.throttle import Subjects
from backend.app.auth.tokens import Tokens, token_hash
from backend.app.db.models import LOGIN_FAILURES, REFRESH_TOKENS, SESSIONS, USERS
from backend.app.settings import Settings
from backend.tests.api_client import PASSWORD, SECRET, Api, running_api

COOKIE = "sa_refresh"
NOW = datetime.now(UTC)


async def test_a_person_registers_logs_in_and_is_known(api: Api) -> None:
    http = api.client()

    made = await http.post(
        "/api/auth/register",
        json={"username": "Li.Si@Example.cn", "password": PASSWORD, "display_name": "李四"},
    )
    login = await http.post("/api/auth/login", data={"username": "li.si@example.cn", "password": PASSWORD})

    assert made.status_code == 201
    assert made.json()["username"] == "li.si@example.cn"
    assert made.json()["display_name"] == "李四"
    assert login.status_code == 200
    body = login.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    me = await http.get("/api/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.json() == body["user"] == made.json()
    assert made.json()["created_at"].endswith("Z")
    set_cookie = login.headers["set-cookie"].lower()
    assert all(word in set_cookie for word in ("httponly", "samesite=strict", "path=/api/auth"))
    assert "secure" not in set_cookie  # http on localhost


async def test_the_cookie_is_secure_anywhere_but_on_localhost(sqlite_api: Api) -> None:
    await sqlite_api.person("zhangsan")
    http = sqlite_api.client()

    for place in ("https://localhost", "http://sales.example.cn", "http://192.168.1.5:8000"):
        login = await http.post(
            f"{place}/api/auth/login", data={"username": "zhangsan", "password": PASSWORD}
        )
        assert "secure" in login.headers["set-cookie"].lower(), place


async def test_only_the_first_user_of_a_development_machine_is_the_admin(api: Api) -> None:
    """Eight registrations at once still make one admin."""
    http = api.client()
    made = await asyncio.gather(
        *(
            http.post("/api/auth/register", json={"username": f"user{n}", "password": PASSWORD})
            for n in range(8)
        )
    )

    assert [answer.status_code for answer in made] == [201] * 8
    assert sorted(answer.json()["role"] for answer in made) == ["admin"] + ["user"] * 7


async def test_a_name_is_taken_once_however_it_is_written(api: Api) -> None:
    http = api.client()
    made = await asyncio.gather(
        *(
            http.post("/api/auth/register", json={"username": name, "password": PASSWORD})
            for name in ("wangwu", "WangWu", " wangwu ", "ｗａｎｇｗｕ")
        )
    )

    assert sorted(answer.status_code for answer in made) == [201, 409, 409, 409]
    assert {answer.json().get("code") for answer in made} == {None, "username_taken"}


async def test_registration_can_be_closed(sqlite_url: str, tmp_path: Path) -> None:
    async with running_api(sqlite_url, tmp_path / "data", registration="closed") as api:
        answer = await api.client().post(
            "/api/auth/register", json={"username": "zhangsan", "password": PASSWORD}
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")


async def test_a_wrong_user_and_a_wrong_password_look_the_same(api: Api) -> None:
    await api.person("zhangsan")
    http = api.client()

    answers = [
        await http.post("/api/auth/login", data={"username": name, "password": "not this one"})
        for name in ("zhangsan", "nobody", "\x00", "x" * 200, "' OR 1=1 --")
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"


async def test_repeated_failures_are_slowed_down_and_a_success_forgives(api: Api) -> None:
    await api.person("zhangsan")
    http = api.client()
    wrong = {"username": "zhangsan", "password": "not this one"}

    statuses = [(await http.post("/api/auth/login", data=wrong)).status_code for _ in range(5)]
    blocked = await http.post("/api/auth/login", data={**wrong, "password": PASSWORD})

    assert statuses == [401] * 5
    assert (blocked.status_code, blocked.json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(blocked.headers["retry-after"]) <= 4
    past = NOW - timedelta(seconds=1)
    with api.database.write() as conn:
        conn.execute(update(LOGIN_FAILURES).values(blocked_until=past))
    assert (await http.post("/api/auth/login", data={**wrong, "password": PASSWORD})).status_code == 200
    assert (await http.post("/api/auth/login", data=wrong)).status_code == 401


async def test_guesses_sent_at_once_do_not_pass_together(api: Api) -> None:
    await api.person("zhangsan")
    http = api.client()

    answers = await asyncio.gather(
        *(
            http.post("/api/auth/login", data={"username": "zhangsan", "password": f"guess number {n}"})
            for n in range(20)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


async def test_right_logins_at_once_all_pass(api: Api) -> None:
    await api.person("zhangsan")
    http = api.client()

    answers = await asyncio.gather(
        *(
            http.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
            for _ in range(12)
        )
    )

    assert [answer.status_code for answer in answers] == [200] * 12


def test_an_address_is_slowed_down_over_many_accounts(database) -> None:  # type: ignore[no-untyped-def]
    for n in range(30):
        with database.write() as conn:
            throttle.failed(conn, Subjects.of(f"user{n}", "203.0.113.9"), now=NOW)
    with database.read() as conn:
        there = throttle.blocked_for(conn, Subjects.of("somebody", "203.0.113.9"), now=NOW)
        elsewhere = throttle.blocked_for(conn, Subjects.of("somebody", "203.0.113.10"), now=NOW)
        stored = conn.execute(select(LOGIN_FAILURES.c.subject)).scalars().all()

    assert there > 0 == elsewhere
    assert not any("203.0.113" in subject or "user" in subject for subject in stored)
    with database.write() as conn:
        assert throttle.purge(conn, now=NOW + timedelta(hours=2)) == 31


async def test_a_refresh_token_rotates_and_a_lost_answer_can_be_asked_again(api: Api) -> None:
    person = await api.person("zhangsan")
    first = person.http.cookies[COOKIE]

    answers = await asyncio.gather(*(_refresh(api, first) for _ in range(4)))
    (second,) = {answer.cookies[COOKIE] for answer in answers}
    third = await _refresh(api, second)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert second != first
    assert third.status_code == 200
    with api.database.read() as conn:
        hashes = set(conn.execute(select(REFRESH_TOKENS.c.token_hash)).scalars())
    assert hashes == {token_hash(token) for token in (first, second, third.cookies[COOKIE])}


async def test_a_refresh_token_used_again_later_ends_the_family(api: Api) -> None:
    person = await api.person("zhangsan")
    first = person.http.cookies[COOKIE]
    second = (await _refresh(api, first)).cookies[COOKIE]
    long_ago = NOW - timedelta(seconds=31)
    with api.database.write() as conn:
        conn.execute(
            update(REFRESH_TOKENS).where(REFRESH_TOKENS.c.used_at.is_not(None)).values(used_at=long_ago)
        )

    stolen = await _refresh(api, first)

    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_token")
    assert (await _refresh(api, second)).status_code == 401
    assert (await person.http.get("/api/auth/me")).status_code == 401


async def test_logout_ends_the_refresh_and_access_tokens_of_its_session_only(api: Api) -> None:
    person = await api.person("zhangsan")
    other = api.client()
    login = await other.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
    other.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    cookie = person.http.cookies[COOKIE]

    out = await person.http.post("/api/auth/logout")

    assert out.status_code == 204
    assert (await person.http.get("/api/auth/me")).status_code == 401
    # Not even within the grace time.
    assert (await _refresh(api, cookie)).status_code == 401
    assert (await other.get("/api/auth/me")).status_code == 200


async def test_a_new_password_ends_every_other_session(api: Api) -> None:
    person = await api.person("zhangsan")
    other = api.client()
    login = await other.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
    other.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    new = "another good one"

    wrong = await person.http.post(
        "/api/auth/password", json={"current_password": "not this", "new_password": new}
    )
    weak = await person.http.post(
        "/api/auth/password", json={"current_password": PASSWORD, "new_password": "12345678"}
    )
    done = await person.http.post(
        "/api/auth/password", json={"current_password": PASSWORD, "new_password": new}
    )

    assert (wrong.status_code, weak.status_code, done.status_code) == (401, 422, 204)
    assert (await person.http.get("/api/auth/me")).status_code == 200
    assert (await other.get("/api/auth/me")).status_code == 401
    assert (await _refresh(api, other.cookies[COOKIE])).status_code == 401
    statuses = [
        (await other.post("/api/auth/login", data={"username": "zhangsan", "password": p})).status_code
        for p in (PASSWORD, new)
    ]
    assert statuses == [401, 200]


async def test_a_session_that_has_run_out_is_over(api: Api) -> None:
    person = await api.person("zhangsan")
    with api.database.write() as conn:
        conn.execute(update(SESSIONS).values(expires_at=NOW - timedelta(seconds=1)))

    assert (await person.http.get("/api/auth/me")).status_code == 401
    assert (await _refresh(api, person.http.cookies[COOKIE])).status_code == 401
    with api.database.write() as conn:
        assert sessions.purge(conn, before=NOW) == 1
        assert conn.execute(text("SELECT count(*) FROM refresh_tokens")).scalar_one() == 0


async def test_a_user_who_is_shut_out_is_out_at_once(api: Api) -> None:
    person = await api.person("zhangsan")
    with api.database.write() as conn:
        conn.execute(update(USERS).values(is_active=False))

    assert (await person.http.get("/api/auth/me")).status_code == 401
    answer = await person.http.post("/api/auth/login", data={"username": "zhangsan", "password": PASSWORD})
    assert answer.status_code == 401


async def test_the_operator_makes_users_and_long_lived_tokens(api: Api) -> None:
    hasher, tokens = PasswordHasher(), Tokens(SECRET)
    with api.database.write() as conn:
        administration.create_user(conn, hasher, "Boss", PASSWORD, role="admin", now=NOW)
        token = administration.issue_token(conn, tokens, "boss", 400, now=NOW)
    program = api.client(token)

    me = await program.get("/api/auth/me")
    with api.database.write() as conn:
        administration.reset_password(conn, hasher, "boss", "another good one", now=NOW)

    assert me.json()["role"] == "admin"
    assert (await program.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dTpw",
        "Bearer " + "[" * 3000,
        "Bearer " + "W" * 1990 + ".e30.e30",
    ],
    ids=lambda header: header[:12],
)
async def test_a_bad_authorization_header_is_a_401_that_says_why(sqlite_api: Api, header: str) -> None:
    answer = await sqlite_api.client().get("/api/auth/me", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in {"not_authenticated", "invalid_token"}


def test_a_development_machine_keeps_its_secret(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, database_url=sqlite_url, data_dir=tmp_path, jwt_secret="")
    token = bootstrap.build_tokens(settings).issue(1, "s", now=NOW, expires_at=NOW + timedelta(days=1))

    assert bootstrap.build_tokens(settings).read(token, now=NOW).user_id == 1


async def _refresh(api: Api, token: str):  # type: ignore[no-untyped-def]
    return await api.client().post("/api/auth/refresh", headers={"Cookie": f"{COOKIE}={token}"})
