"""The JSON of accounts and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.app.api.fields import Clean
from backend.app.auth.passwords import LONGEST, SHORTEST
from backend.app.auth.users import User

_Password = Field(min_length=SHORTEST, max_length=LONGEST)


class UserOut(BaseModel):
    id: int
    username: str
    display_name: str
    role: Literal["user", "admin"]
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> UserOut:
        return cls(
            id=user.id,
            username=user.username,
            display_name=user.display_name,
            role=user.role,
            created_at=user.created_at,
        )


class Registration(BaseModel):
    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Clean, Field(min_length=3, max_length=64, examples=["13800138000"])]
    password: Annotated[str, Clean, _Password, Field(examples=["correct horse battery"])]
    display_name: Annotated[str, Clean, Field(max_length=100)] | None = None


class PasswordChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    current_password: Annotated[str, Clean, Field(max_length=1024)]
    new_password: Annotated[str, Clean, _Password]


class TokenOut(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 — the name of the scheme
    expires_in: int = Field(description="秒")
    user: UserOut
