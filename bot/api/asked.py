"""What may be asked, as it stands in a body. Unknown fields are refused, and no value is bent into another type."""

from typing import Annotated

import pydantic

from handlers import journey_messages
from k8s import model

LONGEST_REASON = 300
MOST_RULES = 500
Text = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=LONGEST_REASON)]


class Asked(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class Header(Asked):
    """Requests whose header `name` has one of `values`."""

    name: str
    values: Annotated[list[str], pydantic.Field(min_length=1, max_length=MOST_RULES)]


class User(Asked):
    """`source`: `cookie:NAME` or `header:NAME`. `ids` always go to new first, everybody else by hash."""

    source: str
    ids: Annotated[list[str], pydantic.Field(max_length=MOST_RULES)] = []


class Plan(Asked):
    """`weight`: percent of the requests that the strategy selects. Without a strategy: as migration.yaml says."""

    weight: Annotated[int, pydantic.Field(ge=0, le=100)]
    strategy: Annotated[model.Strategy | None, pydantic.Field(strict=False)] = None
    header: Header | None = None
    cidrs: Annotated[list[str], pydantic.Field(max_length=MOST_RULES)] = []
    user: User | None = None

    @pydantic.model_validator(mode="after")
    def _rules_fit(self) -> "Plan":
        needs = {model.Strategy.HEADER: "header", model.Strategy.IP: "cidrs", model.Strategy.USER: "user"}
        needed = needs.get(self.strategy) if self.strategy else None
        for name in needs.values():
            if getattr(self, name) and name != needed:
                has = f"strategy {self.strategy}" if self.strategy else "no strategy"
                fits = next(kind for kind, one in needs.items() if one == name)
                raise ValueError(f"{name} belongs to strategy {fits}, and this asks for {has}")
        if needed and not getattr(self, needed):
            raise ValueError(f"strategy {self.strategy} needs the field {needed}")
        return self

    def rules(self) -> tuple[model.HeaderRule | None, tuple[str, ...], model.UserRule | None]:
        """Raises model.ModelError."""
        header = model.HeaderRule(self.header.name, tuple(self.header.values)) if self.header else None
        user = model.UserRule(model.sticky_from(self.user.source), tuple(self.user.ids)) if self.user else None
        return header, tuple(self.cidrs), user


class Shift(Plan):
    """What a plan is, asked for."""

    reason: Annotated[Text, pydantic.Field(min_length=1)]


class Wave(Asked):
    """Several services to one weight, in one plan and one approval; each keeps the strategy that migration.yaml names."""

    services: Annotated[list[Annotated[str, pydantic.Field(min_length=1, max_length=253)]], pydantic.Field(max_length=1000)]
    weight: Annotated[int, pydantic.Field(ge=0, le=100)]
    reason: Annotated[Text, pydantic.Field(min_length=1)]

    @pydantic.model_validator(mode="after")
    def _several(self) -> "Wave":
        if len(set(self.services)) < 2:
            raise ValueError("services of a wave are two at least; one alone is a shift")
        return self


class Approval(Asked):
    """`revision`: of the operation as it was looked at; left out: as it is now."""

    revision: Annotated[int, pydantic.Field(ge=1)] | None = None


class Reasoned(Asked):
    reason: Text = ""


class Because(Asked):
    """With a reason, which whoever approves reads."""

    reason: Annotated[Text, pydantic.Field(min_length=1)]


class Run(Asked):
    """`mode`: `ask` before every step, or `auto` on one standing approval of them all, which ends at `until`.

    That is a day, a moment, or how long from now (`2026-12-31`, `2026-12-31T18:00Z`, `7d`); empty: as the settings say.
    """

    mode: Annotated[journey_messages.Mode, pydantic.Field(strict=False)] = journey_messages.Mode.ASK
    until: Annotated[str, pydantic.Field(max_length=40)] = ""
    reason: Text = ""

    @pydantic.model_validator(mode="after")
    def _only_what_stands_ends(self) -> "Run":
        if self.until and self.mode is journey_messages.Mode.ASK:
            raise ValueError("until is the end of a standing approval, which only mode auto has")
        return self


class Rollback(Asked):
    """Neither: 100% old, by a hold. `percent`: down to that. `generation`: to what was in force then, which may be a raise."""

    percent: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    generation: Annotated[int, pydantic.Field(ge=1)] | None = None
    reason: Text = ""

    @pydantic.model_validator(mode="after")
    def _one_goal(self) -> "Rollback":
        if self.percent is not None and self.generation is not None:
            raise ValueError("percent and generation are two goals; give one of them")
        return self


class Accept(Asked):
    """`names`: of proposals, as they are now; with `seen`, only as they were shown. `texts`: by name, documents as adjusted."""

    names: Annotated[list[str], pydantic.Field(max_length=1000)] = []
    texts: Annotated[dict[str, Annotated[str, pydantic.Field(max_length=20_000)]], pydantic.Field(max_length=100)] = {}
    seen: Annotated[str, pydantic.Field(max_length=64)] = ""


class SafeMode(Asked):
    """`service`: a service's name or old host, or `all`."""

    on: bool
    service: Annotated[str, pydantic.Field(min_length=1, max_length=253)] = model.ALL_SERVICES
    reason: Text = ""
