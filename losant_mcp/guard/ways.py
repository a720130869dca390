"""How the person is asked: by the client's form, on both protocol versions.

2025-11-25: the question is a request to the client in the middle of the call. 2026-07-28: the
call ends with the question, and the client calls again with the answer and the state, which only
refers to the stored plan and this very question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import is_version_at_least
from pydantic import ValidationError

from losant_mcp.guard.plans import Plan
from losant_mcp.guard.wording import question, title

FIELD = "confirmation"
MODERN = "2026-07-28"

Reply = Literal["accept", "decline", "cancel"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``value`` is the content of the form's field, whatever it is."""

    reply: Reply
    value: object = None


@dataclass(frozen=True, slots=True)
class Returned:
    """The second round of a 2026 call: which plan and question it answers, and how."""

    plan_id: str
    nonce: str
    answer: Answer | None


class Client:
    """The MCP client of one call, as far as it can be asked."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context

    @property
    def name(self) -> str:
        """What the client calls itself; for the audit."""
        try:
            params = self._context.session.client_params
        except (AttributeError, ValueError, LookupError):
            return ""
        return params.client_info.name if params and params.client_info else ""

    @property
    def modern(self) -> bool:
        """Whether the call speaks 2026-07-28 or later."""
        return is_version_at_least(self._context.protocol_version or "", MODERN)

    @property
    def can_be_asked(self) -> bool:
        """Whether the client shows forms, and can be reached with one."""
        capabilities = self._context.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        if elicitation is None or (elicitation.form is None and elicitation.url is not None):
            return False
        return self.modern or self._context.session.can_send_request

    @property
    def returned(self) -> Returned | None:
        """The answer that this call brings, if it is a second round."""
        state = self._context.request_state
        if state is None:
            return None
        plan_id, _, nonce = state.partition(":")
        given = (self._context.input_responses or {}).get(FIELD)
        answer = _answer(given) if isinstance(given, ElicitResult) else None
        return Returned(plan_id, nonce, answer)

    def ask_later(self, plan: Plan, nonce: str) -> InputRequiredResult:
        """The result that makes a 2026 client ask and call again."""
        params = ElicitRequestFormParams(message=question(plan), requested_schema=_schema(plan))
        return InputRequiredResult(
            request_state=f"{plan.id}:{nonce}", input_requests={FIELD: ElicitRequest(params=params)}
        )

    async def ask_now(self, plan: Plan) -> Answer:
        """Ask a 2025 client and wait for the answer."""
        try:
            result = await self._context.session.elicit_form(
                message=question(plan),
                requested_schema=_schema(plan),
                related_request_id=self._context.request_id,
            )
        except ValidationError:
            # No answer that the protocol knows, so none that fits.
            return Answer("accept")
        return _answer(result)


def _schema(plan: Plan) -> dict[str, Any]:
    """Exactly one property, with nothing in it that could be clicked through."""
    kind = "boolean" if plan.phrase is None else "string"
    return {
        "type": "object",
        "properties": {FIELD: {"type": kind, "title": title(plan)}},
        "required": [FIELD],
    }


def _answer(result: ElicitResult) -> Answer:
    content = result.content if isinstance(result.content, dict) else {}
    # An answer with more than was asked for does not fit, and what does not fit is a no.
    value = content[FIELD] if set(content) == {FIELD} else None
    return Answer(result.action, value)
