"""Every trap of tokens ends as InvalidToken, never as another exception."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jose import jwt

from backend.app.auth.tokens import AUDIENCE, ISSUER, Tokens, is_refresh_token, new_refresh_token
from backend.app.common.errors import InvalidToken

SECRET = "s" * 32
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
tokens = Tokens(SECRET)


def claims(**changed: Any) -> dict[str, Any]:
    sound = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "typ": "access",
        "sub": "7",
        "sid": "session",
        "jti": "x",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
    }
    return {name: value for name, value in {**sound, **changed}.items() if value is not None}


def signed(payload: bytes, header: bytes = b'{"alg":"HS256","typ":"JWT"}') -> str:
    """A token with a good signature, whatever it says."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload)]
    signature = hmac.digest(SECRET.encode(), b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_an_issued_token_says_whose_session_it_is() -> None:
    token = tokens.issue(7, "session", now=NOW, expires_at=NOW + timedelta(minutes=15))

    read = tokens.read(token, now=NOW)

    assert (read.user_id, read.session_id) == (7, "session")
    assert read.expires_at == NOW + timedelta(minutes=15)
    assert len(token) < 400


def test_a_token_ends_at_its_time() -> None:
    token = tokens.issue(7, "session", now=NOW, expires_at=NOW + timedelta(seconds=60))

    assert tokens.read(token, now=NOW + timedelta(seconds=59)).user_id == 7
    with pytest.raises(InvalidToken):
        tokens.read(token, now=NOW + timedelta(seconds=60))


@pytest.mark.parametrize("name", ["iss", "aud", "typ", "sub", "sid", "jti", "iat", "exp"])
def test_every_claim_is_required(name: str) -> None:
    assert tokens.read(jwt.encode(claims(), SECRET), now=NOW).user_id == 7
    with pytest.raises(InvalidToken):
        tokens.read(jwt.encode(claims(**{name: None}), SECRET), now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody else"},
        {"aud": "another service"},
        {"typ": "refresh"},
        {"sub": "0"},
        {"sub": "-7"},
        {"sub": "seven"},
        {"sub": "٧"},
        {"sub": str(2**63)},
        {"sub": "9" * 1500},
        {"sid": ""},
        {"sid": 7},
        {"sid": "x" * 65},
        {"exp": 2**70},
        {"exp": float("1e300")},
        {"exp": "soon"},
        {"exp": True},
        {"exp": []},
        {"iat": []},
        {"iat": "x"},
    ],
    ids=str,
)
def test_a_claim_of_the_wrong_kind_is_an_invalid_token(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(signed(json.dumps(claims(**changed)).encode()), now=NOW)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999", "9" * 500])
def test_a_number_no_clock_can_hold_is_an_invalid_token(number: str) -> None:
    payload = json.dumps(claims(exp=12345)).replace("12345", number).encode()
    with pytest.raises(InvalidToken):
        tokens.read(signed(payload), now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a" * 5000,
        "é.é.é",
        "\ud800.x.y",
        "\x00",
        signed(b"[" * 900),
        signed(b"{}", b"[" * 900),
        signed(b"null"),
        signed(b"[]"),
        signed(b'"text"'),
        signed(b"\xff\xfe"),
        signed(b"{}", b"{}"),
        signed(b"{}", b"null"),
        signed(b"{}", b'{"alg":["HS256"]}'),
        signed(b"{}", b'{"alg":{}}'),
    ],
    ids=lambda token: ascii(token[:24]),
)
def test_garbage_is_an_invalid_token(token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(token, now=NOW)


def test_a_header_of_nested_brackets_within_the_length_limit_is_an_invalid_token() -> None:
    """It makes json raise RecursionError, which is neither JWTError nor ValueError."""
    header = base64.urlsafe_b64encode(b"[" * 1480).rstrip(b"=").decode()
    with pytest.raises(InvalidToken):
        tokens.read(f"{header}.e30.e30", now=NOW)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_our_algorithm_is_accepted(algorithm: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(jwt.encode(claims(), SECRET, algorithm=algorithm), now=NOW)


def test_a_token_without_a_signature_is_refused() -> None:
    header, payload, _ = signed(json.dumps(claims()).encode(), b'{"alg":"none"}').split(".")
    for token in (f"{header}.{payload}.", f"{header}.{payload}"):
        with pytest.raises(InvalidToken):
            tokens.read(token, now=NOW)


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(InvalidToken):
        tokens.read(jwt.encode(claims(), "t" * 32), now=NOW)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens("short")


def test_the_successor_of_a_refresh_token_is_the_same_each_time_and_needs_the_secret() -> None:
    presented = new_refresh_token()

    assert tokens.successor(presented) == tokens.successor(presented)
    assert is_refresh_token(tokens.successor(presented))
    assert tokens.successor(presented) != Tokens("t" * 32).successor(presented)
