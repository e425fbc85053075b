"""Access tokens (JWT, HS256) and refresh tokens (opaque). python-jose is used here and nowhere else.

Traps closed here: the length is capped before anything is decoded; the algorithm comes from us, not from the
token; every claim is required and checked; whatever jose or json may raise (a header of nested brackets
gives RecursionError, an `exp` of infinity OverflowError) is one InvalidToken.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jose import jwk, jwt

from backend.app.common.errors import InvalidToken

ALGORITHM = "HS256"
ISSUER = "sales-assistant"
AUDIENCE = "sales-assistant-api"
ACCESS = "access"
MAX_LENGTH = 2048  # bytes; ours are below 400
MIN_SECRET = 32  # bytes
ACCESS_LIFETIME = timedelta(minutes=15)
_LARGEST_ID = 2**63 - 1
_REFRESH_LENGTH = 43  # base64url of 32 bytes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    user_id: int
    session_id: str
    expires_at: datetime


class Tokens:
    """Signs and reads tokens with one secret (SA_JWT_SECRET)."""

    def __init__(self, secret: str) -> None:
        if len(secret.encode()) < MIN_SECRET:
            raise ValueError(f"the token secret must have {MIN_SECRET} bytes or more")
        # A Key object: jose would try to read a plain string as JSON first.
        self._key = jwk.construct(secret, ALGORITHM)
        self._refresh_key = hmac.digest(secret.encode(), b"sales-assistant refresh successor", "sha256")

    def issue(self, user_id: int, session_id: str, *, now: datetime, expires_at: datetime) -> str:
        """An access token of this session."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "typ": ACCESS,
            "sub": str(user_id),
            "sid": session_id,
            "jti": secrets.token_urlsafe(12),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return str(jwt.encode(claims, self._key, algorithm=ALGORITHM))

    def read(self, token: str, *, now: datetime) -> Claims:
        """Raises InvalidToken, and nothing else, whatever `token` is."""
        try:
            if len(token.encode()) > MAX_LENGTH:
                raise InvalidToken
            return _checked(self._decode(token), now)
        except Exception as error:
            # Not a list of exceptions: each release of a parser may add one, and none may become a 500.
            raise InvalidToken from error

    def _decode(self, token: str) -> dict[str, Any]:
        required = {f"require_{name}": True for name in ("iat", "sub", "jti", "iss", "aud")}
        return jwt.decode(
            token,
            self._key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            # `exp` is required and checked below, against the `now` that was handed in.
            options={**required, "verify_exp": False},
        )

    def successor(self, refresh_token: str) -> str:
        """The refresh token that follows. It can be computed again, so it need not be stored to be given
        a second time to a client that lost the answer."""
        digest = hmac.digest(self._refresh_key, refresh_token.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _checked(claims: dict[str, Any], now: datetime) -> Claims:
    user_id = int(claims["sub"]) if str(claims["sub"]).isascii() and str(claims["sub"]).isdigit() else 0
    session_id, expires = claims["sid"], claims["exp"]
    sound = (
        claims["typ"] == ACCESS
        and 0 < user_id <= _LARGEST_ID
        and isinstance(session_id, str)
        and 0 < len(session_id) <= 64
        and type(expires) is int
        and type(claims["iat"]) is int
    )
    expires_at = datetime.fromtimestamp(expires, UTC)
    if not sound or expires_at <= now:
        raise InvalidToken
    return Claims(user_id, session_id, expires_at)


def new_refresh_token() -> str:
    return secrets.token_urlsafe(32)


def is_refresh_token(text: str) -> bool:
    """Whether `text` has the shape of one; anything else is not worth a look into the database."""
    return len(text) == _REFRESH_LENGTH and text.isascii()


def token_hash(refresh_token: str) -> str:
    """What is stored of a refresh token (256 random bits: a plain SHA-256 is enough)."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()
