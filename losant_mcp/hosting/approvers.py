"""The file of approvers: who may say yes on a hosted server, and about which applications.

It holds salted, costly hashes of passphrases, never one itself. An approver without a hash has no
passphrase, and can only be named by a trusted proxy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from losant_mcp.api.types import ObjectId
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.deciding import Asked
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.scrypt import hashed
from losant_mcp.hosting.kept_file import KeptFile

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
LEAST_CHARACTERS = 12
MOST_CHARACTERS = 128
MOST_APPROVERS = 500

KEY = "key-"
"""What stands before a client key's name in the name of its caller."""


class Approver(BaseModel):
    """One approver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
    applications: tuple[ObjectId, ...] | Literal["all"]
    callers: tuple[str, ...] = ()
    """What else is known to be theirs: names of callers, or ids of Losant users."""
    created: datetime
    hash: Annotated[str, Field(pattern=r"^scrypt\$[0-9$A-Za-z+/=]+$")] | None = None

    @property
    def digest(self) -> str:
        """Another one as soon as anything about the approver changes."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def may_decide(self, plan: Plan) -> bool:
        """Whether the plan is of an application of theirs."""
        if self.applications == "all":
            return True
        application = plan.operation.application_id.lower()
        return application in {known.lower() for known in self.applications}

    def asked_for(self, plan: Plan, asked: Asked) -> bool:
        """Whether the plan is known to be their own: asked with a key that bears their name, or
        by a caller who is named with them.
        """
        own = {f"{KEY}{self.name}", *self.callers}
        asker = {plan.binding.principal, asked.user} - {""}
        return not {known.lower() for known in own}.isdisjoint(name.lower() for name in asker)


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    approvers: Annotated[tuple[Approver, ...], Field(max_length=MOST_APPROVERS)] = ()


class ApproverFile:
    """A file of approvers. Every method blocks, and raises ConfigurationError."""

    def __init__(self, path: Path) -> None:
        made_by = "losant-mcp approvers add NAME --application ID --approvers-file FILE"
        self._file = KeptFile(path, _Content, "approvers", made_by)

    def add(
        self,
        name: str,
        applications: Sequence[str] | Literal["all"],
        passphrase: str | None,
        callers: Sequence[str] = (),
    ) -> None:
        """The approver is in the file; without a passphrase, only a proxy can name them."""
        check_name(name)
        if passphrase is not None and (problem := problem_with(passphrase)):
            raise ConfigurationError(problem)
        entry = Approver(
            name=name,
            applications="all" if applications == "all" else tuple(applications),
            callers=tuple(callers),
            created=datetime.now(UTC).replace(microsecond=0),
            hash=None if passphrase is None else hashed(passphrase),
        )

        def added(content: _Content) -> _Content:
            if any(known.name.casefold() == name.casefold() for known in content.approvers):
                raise ConfigurationError(
                    f"There is an approver called {name} already.",
                    hint=f"Replace them: losant-mcp approvers remove {name}, and then add again.",
                )
            if len(content.approvers) >= MOST_APPROVERS:
                raise ConfigurationError(
                    f"There are {MOST_APPROVERS} approvers, which is the most."
                )
            return content.model_copy(update={"approvers": (*content.approvers, entry)})

        self._file.change(added, _Content)

    def remove(self, name: str) -> None:
        """The approver may not decide any more."""

        def removed(content: _Content) -> _Content:
            left = tuple(known for known in content.approvers if known.name != name)
            if len(left) == len(content.approvers):
                raise ConfigurationError(f"There is no approver called {name[:64]!r}.")
            return content.model_copy(update={"approvers": left})

        self._file.change(removed, _Content)

    def entries(self) -> tuple[Approver, ...]:
        """All approvers, read anew if the file has changed."""
        return self._file.read().approvers

    def find(self, name: str) -> Approver | None:
        """The approver of exactly this name."""
        return next((known for known in self.entries() if known.name == name), None)


def check_name(name: str) -> None:
    """Raise ConfigurationError unless it can be an approver's name."""
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:64]!r} is no name for an approver.",
            hint="Use up to 64 letters, digits and . _ @ + - such as anna or anna@example.com.",
        )


def problem_with(passphrase: str) -> str:
    """Why this cannot be a passphrase, as a sentence; empty where it can."""
    if not LEAST_CHARACTERS <= len(passphrase) <= MOST_CHARACTERS:
        return f"A passphrase has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters."
    if passphrase != passphrase.strip() or not passphrase.isprintable():
        return "A passphrase neither begins nor ends with a space, and all of it can be seen."
    if len(set(passphrase)) < 5:
        return "A passphrase has at least five different characters."
    return ""
