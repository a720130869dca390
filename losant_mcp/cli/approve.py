"""``losant-mcp approve``: decide in a terminal what an assistant asks for.

It works on the same state folder as the server, and shows what the approval page shows. Whoever
decides must sit at a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

import click

from losant_mcp.cli.options import SettingsCommand, Source, takes_settings
from losant_mcp.cli.terminal import (
    LIMITS,
    Records,
    Terminal,
    data,
    end,
    hidden,
    require_person,
    settings_of,
    tell,
    wrapped,
)
from losant_mcp.config import Settings
from losant_mcp.guard.deciding import Asked, Slips, person, problem_in_words
from losant_mcp.guard.pin import is_pin_set, problem_with, set_pin
from losant_mcp.guard.plans import Plan
from losant_mcp.guard.state_dir import open_state_dir
from losant_mcp.guard.wording import shown_name
from losant_mcp.http.sheet import Cell, Sheet, moment, sheet
from losant_mcp.http.states import state_of

_HINT = "Run it in a terminal window of your own; --list and --show work anywhere."


@click.command(cls=SettingsCommand)
@takes_settings
@click.argument("plan", required=False)
@click.option("--list", "listing", is_flag=True, help="List what waits; decide nothing.")
@click.option("--show", is_flag=True, help="Show the plan; decide nothing.")
@click.option("--set-pin", "pin", is_flag=True, help="Set the approval PIN, or change it.")
@click.option("--unlock", is_flag=True, help="Allow deletions again after too many noes.")
def approve(
    source: Source, plan: str | None, listing: bool, show: bool, pin: bool, unlock: bool
) -> None:
    """Decide what an assistant asks for: approve or decline.

    PLAN is the approvalId that the assistant was given; without it, what waits is listed. The
    settings must name the server's API URL and state folder. To decide takes a person at a
    terminal. The exit code is 0 where it was done, 1 where nothing was decided.
    """
    if sum((listing, show, pin, unlock)) > 1:
        raise click.UsageError("--list, --show, --set-pin and --unlock exclude each other.")
    if plan is None and show:
        raise click.UsageError("--show takes a PLAN; --list names them.")
    if plan is not None and (listing or pin or unlock):
        raise click.UsageError("A PLAN is decided, or shown with --show.")
    settings = settings_of(source)
    if not (listing or show):
        require_person("nothing was decided", hint=_HINT)
    terminal = _Approving(settings, open_state_dir(settings.state_dir, settings.api_url))
    if pin:
        terminal.set_pin()
    elif unlock:
        terminal.unlock()
    elif listing:
        terminal.list()
    elif show:
        terminal.show(terminal.find(plan or ""))
    else:
        terminal.decide(terminal.find(plan) if plan else terminal.choose())


class _Approving(Terminal):
    """What a person does at the terminal about what an assistant asks."""

    def list(self) -> None:
        """Print what waits for an answer."""
        plans = self.run(_pending)
        if not plans:
            click.echo(f"No question waits for an answer at {self.settings.api_url}.")
            click.echo("Those of another server: name its --api-url and --state-dir.")
        for number, plan in enumerate(plans, 1):
            until = moment(plan.expires_at, self.settings.time_zone)
            click.echo(f"{number}. {plan.verb}: {shown_name(plan.target.name)}")
            click.echo(f"   {plan.id}, until {until}")

    def choose(self) -> Plan:
        """The plan to decide: the only one, or the one that the person picks."""
        plans = self.run(_pending)
        if not plans:
            self.list()
            sys.exit(0)
        if len(plans) == 1:
            return plans[0]
        self.list()
        numbers = click.IntRange(1, len(plans))
        return plans[click.prompt("Which one? Its number", type=numbers) - 1]

    def find(self, plan_id: str) -> Plan:
        """The plan of this id."""
        plan = self.run(lambda records: records.store.plan(plan_id.strip().lower()))
        if plan is None:
            raise click.UsageError("No plan here has this id; --list names those that wait.")
        return plan

    def show(self, plan: Plan) -> None:
        """Print what the page shows."""
        asked: Asked = self.run(lambda records: records.deciding.asked(plan))
        zone = self.settings.time_zone
        tell(_lines(sheet(plan, client=asked.client, time_zone=zone)))
        if plan.status != "pending":
            self._tell_state(plan)

    def decide(self, plan: Plan) -> None:
        """Show the plan, ask, and record the answer."""
        self.show(plan)
        if plan.status != "pending":
            sys.exit(1)
        click.echo()
        answer = click.prompt(
            "Approve or decline? Type a or d; Enter leaves it open",
            default="",
            show_default=False,
            type=click.Choice(["a", "d", "approve", "decline", ""], case_sensitive=False),
            show_choices=False,
        )
        if not answer:
            end("Nothing was decided. The question stands.")
        if answer.startswith("d"):
            self._tell_state(
                self.run(lambda r: r.deciding.decline(plan, way="terminal", by=person()))
            )
            return
        self._approve(plan)

    def _approve(self, plan: Plan) -> None:
        typed = click.prompt(
            f"Type {plan.phrase or 'yes'} to {plan.verb}", default="", show_default=False
        )
        if plan.phrase is None and typed.strip().lower() != "yes":
            end("That was not yes. Nothing was decided; the question stands.")
        needs = self.run(partial(_needs_pin, plan=plan, settings=self.settings))
        if needs == "unset":
            end("Approving takes the approval PIN, and none is set: see --set-pin.")
        pin = hidden("Your approval PIN") if needs == "set" else ""
        decided, slips = self.run(
            partial(_answered, plan=plan, typed=typed, pin=pin, always_pin=needs == "set")
        )
        if decided.status == "pending":
            end(problem_in_words(slips))
        self._tell_state(decided)
        if decided.status != "approved":
            sys.exit(1)

    def _tell_state(self, plan: Plan) -> None:
        slips = self.run(lambda records: records.deciding.slips(plan))
        state = state_of(plan, slips, self.settings.time_zone, LIMITS.refusal_seconds)
        click.echo()
        click.echo(f"{state['headline']}.")
        tell(wrapped(str(state["what_now"]), ""))
        if state["waits"]:
            click.echo("Go back to the assistant and tell it that you agreed.")
        if state["outcome"]:
            tell(data(str(state["outcome"])))

    # ---- PIN and lock ----------------------------------------------------------------------

    def set_pin(self) -> None:
        """Ask for the PIN twice, and for the one before it, if there is one."""
        self.check_pin("Your present PIN")
        pin = hidden("A new PIN, at least 6 characters")
        if problem := problem_with(pin):
            end(f"{problem} Nothing was changed.")
        if hidden("The same again") != pin:
            end("The two are not the same. Nothing was changed.")
        self.run(partial(_keep_pin, pin=pin))
        click.echo("The approval PIN is set. This terminal asks for it from now on; the page")
        click.echo("does so where the server has LOSANT_MCP_APPROVE=pin.")

    def unlock(self) -> None:
        """Allow deletions again."""
        self.check_pin("Your approval PIN")
        if click.prompt("Type unlock to allow deletions again", default="") != "unlock":
            end("Nothing was changed.")
        self.run(_unlock)
        click.echo("Deletions may be asked for again.")


async def _pending(records: Records) -> Sequence[Plan]:
    return await records.store.pending_plans()


async def _needs_pin(records: Records, *, plan: Plan, settings: Settings) -> str:
    """Whether a yes takes a PIN here: no, set or unset. One that is set is always asked for."""
    if await is_pin_set(records.store):
        return "set"
    asked = await records.deciding.asked(plan)
    return "unset" if asked.pin or settings.approve == "pin" else "no"


async def _answered(
    records: Records, *, plan: Plan, typed: str, pin: str, always_pin: bool
) -> tuple[Plan, Slips]:
    decided = await records.deciding.approve(
        plan, typed=typed, pin=pin, way="terminal", by=person(), always_pin=always_pin
    )
    return decided, await records.deciding.slips(plan)


async def _keep_pin(records: Records, *, pin: str) -> None:
    await set_pin(records.store, pin)
    await records.ledger.note("pin_set", way="terminal", by=person())


async def _unlock(records: Records) -> None:
    await records.store.unlock()
    await records.ledger.note("unlocked", way="terminal", by=person())


# ---- the sheet in lines --------------------------------------------------------------------


def _lines(words: Sheet) -> Iterator[str]:
    """What the page shows, for 80 columns."""
    yield "An AI assistant asks you to approve:"
    yield ""
    yield f"  {words.verb}"
    yield f"  {words.noun}: {words.name}"
    yield f"  {words.environment}"
    if words.mixed_alphabets:
        yield "  Look twice at this name: its letters come from more than one alphabet."
    if words.full_name is not None:
        yield "  The whole name as it is stored, without invisible characters; it is data:"
        yield from data(words.full_name)
    yield from _facts(words)
    if words.from_model:
        yield from _heading("What the assistant chose (its words, as data)")
        yield from _cells(words.from_model)
    if words.samples.count:
        yield from _heading(f"Samples: {words.samples.count} of {words.count:,} (data from Losant)")
        yield from _samples(words)
    yield from _heading("What happens, and what can be undone")
    for sentence in (words.backup, *(f"Not the same: {loss}." for loss in words.losses)):
        yield from wrapped(sentence, "  - ")
    for sentence in words.effects:
        yield from wrapped(sentence, "  - ")
    yield from _heading("What this server changed here in the last 24 hours")
    for change in words.changes or ("Nothing.",):
        yield from wrapped(change, "  - ")


def _facts(words: Sheet) -> Iterator[str]:
    yield ""
    facts = [
        ("Exact number", f"{words.count:,}, counted when the assistant asked"),
        *((cell.label, cell.text) for cell in words.breakdown),
        (f"{words.noun} id", words.target_id),
        ("In data table", words.table),
        ("Created", words.created),
        ("Former names", ", ".join(words.former_names)),
        ("Application id", words.application),
        ("Who asks", f"{words.client or 'an unnamed client'} (process {words.origin})"),
        ("Asked", words.asked_at),
        ("Until", words.expires_at),
    ]
    for label, text in facts:
        if text:
            yield from wrapped(text, f"  {label:<16}")


def _samples(words: Sheet) -> Iterator[str]:
    for number in range(words.samples.count):
        yield f"  Sample {number + 1}"
        for label, values in words.samples.rows:
            yield from data(f"{label}: {values[number]}")
    if words.samples.more:
        yield f"  and {words.samples.more} more fields that are not shown"


def _cells(cells: Sequence[Cell]) -> Iterator[str]:
    for cell in cells:
        yield from data(f"{cell.label}: {cell.text}")


def _heading(text: str) -> Iterator[str]:
    yield ""
    yield text
