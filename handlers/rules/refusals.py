"""Refusals: no, and why, and what to do next; values, never exceptions. Words of the journey stand in `journey_refusals`.

`refuse(Reason.X, service=..., ...)` fills the sentences with facts. The texts are plain: whoever shows them escapes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.rules import journey_refusals, refusal_reasons

Reason = refusal_reasons.Reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """`what` was not done, `why`, and the `remedy`: each one sentence, none empty. `facts`: what was filled into them, so that
    a surface may say the same in another language.
    """

    reason: Reason
    what: str
    why: str
    remedy: str
    facts: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sentence(self) -> str:
        return f"{self.what} {self.why} {self.remedy}"


_SHIFT_AGAIN = "Ask again with `/migrate shift {service} …`; that makes a new plan and needs a new approval."

WORDS: Mapping[Reason, tuple[str, str, str]] = {
    Reason.INVALID: (
        "Nothing was planned for {service}.",
        "{why}",
        "Correct it and ask again; `/migrate list` names the services and `/migrate help` the commands.",
    ),
    Reason.UNREAD: (
        "Nothing was planned for {service}.",
        "The cluster cannot be read completely, so nobody can say what is in force: {why}.",
        "Ask again when `/migrate list` says that it can be read; `/migrate rollback {service}` works meanwhile.",
    ),
    Reason.RUNS: (
        "This was not started for {service}.",
        "{who} runs {change} there since {since} ({phase}); one service has one operation.",
        "Wait until its card says done, or take the traffic back now with `/migrate rollback {service}`.",
    ),
    Reason.WAITS: (
        "This was not started for {service}.",
        "{change} by {who} already waits there ({phase}); one service has one operation.",
        "Decide or withdraw that one on its card first, or wait until it expires at {expires}.",
    ),
    Reason.OWN_REQUEST: (
        "The request for {service} was not approved.",
        "It is your own request, and a raise needs the eyes of another person.",
        "Ask somebody else from the approvers to press Approve.",
    ),
    Reason.PERSON: (
        "Nothing was changed for {service}.",
        "{who} may not do this: {why}.",
        "Ask a colleague with the right to do it; `/migrate whoami` shows what you may do, and taking traffic back stays open.",
    ),
    Reason.OUTSIDER: (
        "Nothing was changed for {service}.",
        "{who} is no full member of the workspace that Ferry serves: {why}.",
        "Ask one of its full members to do it.",
    ),
    Reason.NOT_APPROVER: (
        "The request for {service} was not decided.",
        "{who} is not one of its approvers.",
        "Ask one of the approvers; `/migrate whoami` shows your rights.",
    ),
    Reason.STALE: (
        "The click on the card of {service} was not counted.",
        "The card showed an older state (revision {clicked}, now {revision}): {newest}.",
        "Look at the card as it is now and press again if you still mean it.",
    ),
    Reason.ALREADY_APPROVED: (
        "Nothing was added to the request for {service}.",
        "It was already approved by {approvers}.",
        "Nothing more to approve: now {requester} confirms on the card before {expires}.",
    ),
    Reason.TWICE: (
        "Your second approval for {service} was not counted.",
        "You approved it at {at} already, and each of the {needed} approvals must come from another person.",
        "Ask another approver to press Approve.",
    ),
    Reason.EXPIRED: (
        "The request for {service} was not carried out.",
        "It expired at {expires}, and now it is {now}.",
        _SHIFT_AGAIN,
    ),
    Reason.DECIDED: (
        "The click on the card of {service} changed nothing.",
        "That request is closed: {outcome} ({because}).",
        "See `/migrate history {service}`, or ask for a new change with `/migrate shift {service} …`.",
    ),
    Reason.CONFIRMED: (
        "The click on the card of {service} changed nothing.",
        "That request was confirmed by {requester} at {at} and is {phase} now.",
        "Follow its card; to take the traffic back use `/migrate rollback {service}`.",
    ),
    Reason.UNKNOWN_OPERATION: (
        "The click on the card of {service} changed nothing.",
        "No request {operation} waits there: it was replaced, or the store that kept it came back empty.",
        "See `/migrate status {service}` and ask again with `/migrate shift {service} …`.",
    ),
    Reason.NOT_REQUESTER: (
        "The change of {service} was not confirmed.",
        "Only {requester}, who asked for it, confirms it.",
        "Ask {requester} to press Confirm, or reject it and ask for a change of your own.",
    ),
    Reason.NOT_APPROVED: (
        "The change of {service} was not confirmed.",
        "It has {have} of {needed} approvals that count for this very plan.",
        "Ask an approver who did not request it to press Approve on the card, then confirm.",
    ),
    Reason.DRIFTED: (
        "The change of {service} is void and nothing was moved.",
        "What was planned is no longer what would happen: {changed}.",
        _SHIFT_AGAIN,
    ),
    Reason.NOT_CHECKED: (
        "The change of {service} was not carried further.",
        "The plan could not be made again from the cluster, so nobody knows that it still says what was approved.",
        "See `/migrate status {service}` for what is unreadable, then press again.",
    ),
    Reason.HELD: (
        "The traffic of {service} was not raised.",
        "It is held at 100% old by {holds}.",
        "Release it first with `/migrate safe-mode off {service}`; the weight stays at 0 until a new shift.",
    ),
    Reason.CAUSE_FIRES: (
        "The hold of {service} was not released.",
        "What caused it still fires: {holds}.",
        "Repair the cause; when its alert is resolved, ask again with `/migrate safe-mode off {service}`.",
    ),
    Reason.NO_CHANGE: (
        "Nothing was planned for {service}.",
        "It is already at {weight}% with these very rules.",
        "Nothing to do; `/migrate status {service}` shows what is served.",
    ),
    Reason.BLOCKED: (
        "The traffic of {service} was not raised.",
        "Right now: {blockers}.",
        "Repair that and press or ask again; lowering stays open with `/migrate rollback {service}`.",
    ),
    Reason.NOT_RELEASED: (
        "The hold of {service} was not released.",
        "Right now: {blockers}.",
        "It stays at 100% old; repair that and press again, or ask again with `/migrate safe-mode off {service}`.",
    ),
    Reason.STEP_TOO_LARGE: (
        "Nothing was planned for {service}.",
        "From {before}% to {after}% is a step of {step} points, and one step may be at most {largest}.",
        "Ask for `/migrate shift {service} {suggestion}%` first.",
    ),
    Reason.STEPS_TOO_LARGE: (
        "No ladder was planned for {service}.",
        "Its step from {before}% to {after}% is one of {step} points, and one step may be at most {largest}.",
        "Write smaller steps into `ladder` of {service} in migration.yaml, or raise `trust.largest_step` in the settings.",
    ),
    Reason.PROTECTED: (
        "Nothing was changed for {service}.",
        "It is protected by the settings: nobody raises it, releases it or changes its entry.",
        "Whoever keeps the settings takes it out of `trust.protected`; taking traffic back stays open.",
    ),
    Reason.FROZEN: (
        "Nothing was changed for {service}.",
        "There is a freeze ({freeze}); it ends: {end}.",
        "Press or ask again after that; taking traffic back stays open with `/migrate rollback {service}`.",
    ),
    Reason.NOT_PREPARED: (
        "The traffic of {service} was not raised.",
        "Its host does not reach the proxies: {entry}.",
        "Ask for `/migrate prepare {service}` first; a weight that no request meets proves nothing.",
    ),
    Reason.NOT_SOAKED: (
        "The traffic of {service} was not raised.",
        "What new carries has not soaked: {left}.",
        "Wait for it, let `/migrate run {service}` climb, or ask for the next step with `/migrate run {service} skip reason…`.",
    ),
    Reason.GATES: (
        "The change of {service} was not carried further.",
        "Its gates do not pass: {gates}.",
        "See `/migrate status {service}` and press again when they pass; if new is the cause, `/migrate rollback {service}`.",
    ),
    Reason.TOO_FEW: (
        "The traffic of {service} was not raised.",
        "There are too few requests at new for a verdict: {gates}.",
        "Wait for more of them, or ask for the next step without with `/migrate run {service} skip reason…`.",
    ),
    Reason.STANDING_TOO_LONG: (
        "No ladder was planned for {service}.",
        "A standing approval until {until} would last longer than the {longest} that the settings allow.",
        "Ask again with an earlier end, or climb with approvals of every step: `/migrate run {service} ask`.",
    ),
    Reason.STANDING_OVER: (
        "No ladder was begun for {service}.",
        "Its standing approval would end at {until}, and now it is {now}.",
        "Ask again with `/migrate run {service} …` and a later end.",
    ),
    Reason.NOTHING_TO_RELEASE: (
        "Nothing was released for {service}.",
        "No hold stands for it.",
        "Nothing to do; raise it with `/migrate shift {service} …` when you are ready.",
    ),
    Reason.LATE: (
        "The report {message} for {service} was put aside.",
        "It belongs to {reported}, and {current} is what is under way.",
        "Nothing to do; it is kept in the log.",
    ),
    Reason.OUT_OF_PLACE: (
        "The message {message} for {service} was put aside.",
        "It has no meaning while the service is {phase}.",
        "Nothing to do if it came late; otherwise see `/migrate status {service}`.",
    ),
    **journey_refusals.WORDS,
}


def refuse(reason: Reason, **facts: object) -> Refusal:
    """A refusal with its sentences filled in. A fact that the words need and nobody gave is a KeyError: a mistake of ours."""
    what, why, remedy = (text.format_map(facts) for text in WORDS[reason])
    return Refusal(reason=reason, what=what, why=why, remedy=remedy, facts=facts)
