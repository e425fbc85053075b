"""Passwords: what is refused, what is stored, and that an unknown user costs the same."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from backend.app.auth import secret
from backend.app.auth.passwords import PasswordHasher, PasswordPool, check_strength
from backend.app.auth.throttle import ACCOUNT, ADDRESS
from backend.app.auth.users import normal_username
from backend.app.common.errors import ServiceUnavailable, ValidationFailed

hasher = PasswordHasher()


def test_the_hash_is_argon2id_with_the_parameters_that_were_decided() -> None:
    stored = hasher.hash("correct horse battery")

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.verify("correct horse battery", stored)
    assert not hasher.verify("correct horse batterY", stored)


def test_the_same_password_composed_otherwise_is_the_same() -> None:
    assert hasher.verify("cafe\u0301 au lait", hasher.hash("caf\u00e9 au lait"))


def test_an_unknown_user_is_never_right_and_costs_the_same() -> None:
    stored = hasher.hash("correct horse battery")

    def cost(of: str | None) -> float:
        began = time.thread_time()
        assert not hasher.verify("a wrong password", of)
        return time.thread_time() - began

    known, unknown = (min(cost(of) for _ in range(5)) for of in (stored, None))
    assert unknown == pytest.approx(known, rel=0.5)
    assert not hasher.verify("no such user", None)


def test_an_endless_password_is_wrong_without_being_hashed_as_it_is() -> None:
    assert not hasher.verify("x" * 10_000_000, hasher.hash("x" * 128))


@pytest.mark.parametrize(
    "password",
    ["1234567", "x" * 129, "12345678", "87654321", "abcdefgh", "PASSWORD123", "woaini1314", "5201314520",
     "aaaaaaaa", "aabbaabb", "Zhang.San@x.cn", "with\x07bell"],
)  # fmt: skip
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_strength(password, "zhang.san@x.cn")
    assert caught.value.errors is not None
    assert caught.value.errors[0]["field"] == "password"


@pytest.mark.parametrize("password", ["correct horse", "我的密码是中文的", "k7#Qz!pw", "x1y2" * 32])
def test_good_passwords_need_no_composition(password: str) -> None:
    check_strength(password, "zhang.san@x.cn")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  Zhang.San@X.cn ", "zhang.san@x.cn"),
        ("１３８００１３８０００", "13800138000"),
        ("张三丰", "张三丰"),
    ],
)
def test_user_names_are_compared_in_one_form(given: str, stored: str) -> None:
    assert normal_username(given) == stored


@pytest.mark.parametrize("name", ["ab", "x" * 65, "a b c", "a\x00bc", "a/b/c", "", "<script>"])
def test_bad_user_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationFailed):
        normal_username(name)


def test_failures_are_slowed_down_more_and_more_but_never_for_ever() -> None:
    waits = [ACCOUNT.wait(failures) for failures in range(1, 60)]

    assert waits[:6] == [0, 0, 0, 0, 2, 4]
    assert waits == sorted(waits)
    assert waits[-1] == ACCOUNT.longest
    assert ADDRESS.wait(29) == 0 < ADDRESS.wait(30)


async def test_the_pool_refuses_a_flood_instead_of_queueing_it() -> None:
    held = threading.Event()

    class Slow(PasswordHasher):
        def verify(self, password: str, stored: str | None) -> bool:
            return held.wait(10)

    pool = PasswordPool(Slow(), threads=1)
    waiting = [asyncio.create_task(pool.verify("x", None)) for _ in range(64)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(ServiceUnavailable):
            await pool.verify("x", None)
    finally:
        held.set()
        assert all(await asyncio.gather(*waiting))
        pool.close()


def test_processes_that_start_at_once_share_one_secret(tmp_path: Path) -> None:
    found: list[str] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        found.append(secret.load_or_create(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == 64
    assert (tmp_path / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["jwt_secret"]
