"""Plans from the live view: what is frozen beside the exposure (the service's structure) and what people see (the diff)."""

import dataclasses
import difflib
import hashlib
import json

from handlers import messages
from handlers.rules import migration, planning
from k8s import model, nginx, views, wish_change

_OLD, _NEW = ("192.0.2.1:80",), ("192.0.2.2:443",)  # documentation addresses: agents resolve names, a plan must not depend on it


def plan_for(message: messages.Message, view: views.ServiceView, operation: migration.Operation | None) -> migration.Plan | None:
    """What is proposed, or what waits planned anew. None: no plan is needed, or none can be made (rules say so)."""
    try:
        match message:
            case messages.ProposeShift():
                return shift(view, message.target)
            case messages.ProposeRelease():
                return release(view)
            case messages.Approve() | messages.Confirm() if operation is not None:
                again = operation.plan
                return release(view) if again.kind is migration.Kind.RELEASE else shift(view, again.after)
            case _:
                return None
    except ValueError:  # NoPlanError, ModelError: nothing to plan from
        return None


def shift(view: views.ServiceView, target: model.Exposure) -> migration.Plan:
    """Raises planning.NoPlanError or model.ModelError."""
    return planning.plan(view, target=target, objects=objects(view), config_diff=config_diff(view, view.in_force, target))


def release(view: views.ServiceView) -> migration.Plan:
    """Raises planning.NoPlanError."""
    return planning.plan(view, release=True, objects=objects(view))


def objects(view: views.ServiceView) -> tuple[tuple[str, str], ...]:
    """The service's entry in the document by hash, without its weight (the plan names that itself); its strategy and rules
    again by themselves: they are what a shift writes over.
    """
    if view.wished is None:
        return ()
    structure = dataclasses.replace(view.wished, exposure=view.wished.exposure.at(0))
    text = json.dumps(dataclasses.asdict(structure), sort_keys=True, default=str)
    return (
        (f"migration.yaml: {view.name}", hashlib.sha256(text.encode()).hexdigest()),
        (_rules_of(view.name), wish_change.digest(view.wished.exposure)),
    )


def wished_rules(plan: migration.Plan) -> str:
    """Digest of the strategy and rules that the document named when the plan was made; empty where it named none."""
    return dict(plan.objects).get(_rules_of(plan.service), "")


def _rules_of(service: str) -> str:
    return f"migration.yaml: strategy and rules of {service}"


def config_diff(view: views.ServiceView, before: model.Exposure | None, after: model.Exposure) -> str:
    """Unified diff of the service's nginx text; where only the weight differs, the one line that says so."""
    if view.wished is None:
        return ""
    start = before or view.wished.exposure
    diff = "".join(difflib.unified_diff(_text(view.wished, start), _text(view.wished, after), "in force", "planned", n=2))
    from_weight = before.weight if before else 0
    weight = f"allow/{view.name}: buckets that go to new {from_weight} → {after.weight} of {nginx.BUCKETS} (a link; no reload)\n"
    return diff + (weight if from_weight != after.weight else "")


def _text(service: model.Service, exposure: model.Exposure) -> list[str]:
    config = nginx.ProxyConfig(
        run="/run/ferry",
        listen="0.0.0.0:8080",  # text for people: nothing listens here
        status_listen="127.0.0.1:9081",
        nginx_version=nginx.KEEPALIVE_MIN_TIMEOUT_SINCE,
        ca_folder="/etc/ferry/ca",
        default_ca="/etc/ssl/certs/ca-certificates.crt",
    )
    paths = tuple(_OLD for _ in service.paths)
    site = nginx.Site(service, exposure, old_addresses=_OLD, new_addresses=_NEW, path_addresses=paths)
    return nginx.render(config, [site]).text.splitlines(keepends=True)
