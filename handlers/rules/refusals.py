"""Refusals: no, and why, and what to do next. All their words stand here; a refusal is a value, never an exception.

`refuse(Reason.X, service=..., ...)` fills the sentences with facts. The texts are plain: whoever shows them escapes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    INVALID = "invalid"
    UNREAD = "cluster_unread"
    RUNS = "operation_runs"
    WAITS = "operation_waits"
    OWN_REQUEST = "own_request"
    PERSON = "person_refused"
    OUTSIDER = "outsider"
    NOT_APPROVER = "not_approver"
    STALE = "stale_card"
    ALREADY_APPROVED = "already_approved"
    TWICE = "approved_twice"
    EXPIRED = "expired"
    DECIDED = "already_decided"
    CONFIRMED = "already_confirmed"
    UNKNOWN_OPERATION = "unknown_operation"
    NOT_REQUESTER = "not_requester"
    NOT_APPROVED = "not_approved"
    DRIFTED = "drifted"
    NOT_CHECKED = "plan_not_checked"
    HELD = "held"
    CAUSE_FIRES = "cause_fires"
    NO_CHANGE = "no_change"
    BLOCKED = "blocked"
    NOT_RELEASED = "release_blocked"
    STEP_TOO_LARGE = "step_too_large"
    STEPS_TOO_LARGE = "steps_too_large"
    PROTECTED = "protected_service"
    FROZEN = "frozen"
    NOT_PREPARED = "not_prepared"
    NOT_SOAKED = "not_soaked"
    GATES = "gates_do_not_pass"
    TOO_FEW = "too_few_requests"
    STANDING_TOO_LONG = "standing_too_long"
    STANDING_OVER = "standing_over"
    NOTHING_TO_RELEASE = "nothing_to_release"
    LATE = "late_report"
    OUT_OF_PLACE = "out_of_place"
    FINISHED = "finished"
    NO_LADDER = "no_ladder"
    NO_STEP = "no_step"
    NOT_JUDGED = "not_judged"
    PAUSED_ALREADY = "paused_already"
    CLIMBS_ALREADY = "climbs_already"
    STANDING_GONE = "standing_gone"
    STEP_NOT_DUE = "step_not_due"
    NO_REASON = "no_reason"
    NOTHING_TO_SKIP = "nothing_to_skip"
    OBJECTS_UNKNOWN = "objects_unknown"
    OBJECTS_IN_THE_WAY = "objects_in_the_way"
    OBJECTS_ARE_SO = "objects_are_so"
    NOT_HUNDRED = "not_at_100"
    NOT_EVERY_REQUEST = "not_every_request"
    BACKUP_RUNS = "backup_runs"
    ENTRY_NOT_READY = "entry_not_ready"
    NOT_FINISHED = "not_finished"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`what` was not done, `why`, and the `remedy`: each one sentence, none empty."""

    reason: Reason
    what: str
    why: str
    remedy: str

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
    Reason.FINISHED: (
        "Nothing was changed for {service}.",
        "It is finished: all of it is at the new cluster for good, and there is no old to go to any more.",
        "Nothing to do; `/migrate history {service}` shows its way, and what is wrong now is to be repaired at the new cluster.",
    ),
    Reason.NO_LADDER: (
        "Nothing was changed for {service}.",
        "No ladder climbs there.",
        "Begin one with `/migrate run {service}`.",
    ),
    Reason.NO_STEP: (
        "No step was planned for {service}.",
        "Its ladder has no step above the {weight}% in force.",
        "See `ladder` of {service} in migration.yaml; from 100% on, `/migrate finish {service}` is next.",
    ),
    Reason.NOT_JUDGED: (
        "No ladder was planned for {service}.",
        "Prometheus is not asked here, and without its numbers nothing climbs by itself.",
        "Set `prometheus.url` in the settings, or climb with approvals of every step: `/migrate run {service} ask`.",
    ),
    Reason.PAUSED_ALREADY: (
        "The ladder of {service} was left as it is.",
        "It is paused already: {why}.",
        "Let it climb on with `/migrate resume {service}` when that is settled.",
    ),
    Reason.CLIMBS_ALREADY: (
        "The ladder of {service} was left as it is.",
        "It is not paused.",
        "See `/migrate status {service}` for what its next step waits for.",
    ),
    Reason.STANDING_GONE: (
        "The ladder of {service} does not climb on.",
        "Its standing approval is not enough: {why}.",
        "Ask for a new one with `/migrate run {service} auto`, or approve every step: `/migrate run {service} ask`.",
    ),
    Reason.STEP_NOT_DUE: (
        "The step of {service} to {weight}% was not taken.",
        "It is not due: {why}.",
        "Nothing to do if the ladder only waits; `/migrate status {service}` shows what for.",
    ),
    Reason.NO_REASON: (
        "No step was planned for {service}.",
        "Who passes over a soak says why, so that those who approve know it.",
        "Ask again with `/migrate run {service} skip reason…`.",
    ),
    Reason.NOTHING_TO_SKIP: (
        "No step was planned for {service}.",
        "There is nothing to pass over: {weight}% needs no more soak and no more requests.",
        "Ask for `/migrate shift {service} {next}%`, or let `/migrate run {service}` climb.",
    ),
    Reason.OBJECTS_UNKNOWN: (
        "Nothing was changed for {service}.",
        "What `{stage}` would change could not be found out by a dry run.",
        "See `/migrate status {service}` for what is unreadable, then ask or press again.",
    ),
    Reason.OBJECTS_IN_THE_WAY: (
        "Nothing was changed for {service}.",
        "Something is in the way of `{stage}`: {troubles}.",
        "Settle that, then ask or press again; nothing that belongs to somebody else is forced.",
    ),
    Reason.OBJECTS_ARE_SO: (
        "Nothing was planned for {service}.",
        "Every object is as `{stage}` would make it already.",
        "Nothing to do; `/migrate status {service}` shows its entry.",
    ),
    Reason.NOT_HUNDRED: (
        "{service} was not finished.",
        "Its weight in force is {weight}%, and the end needs 100%.",
        "Raise it first, with `/migrate run {service}` or `/migrate shift {service} 100%`.",
    ),
    Reason.NOT_EVERY_REQUEST: (
        "{service} was not finished.",
        "Its 100% are of the requests that strategy {strategy} selects; all others still go to old.",
        "Ask for `/migrate shift {service} 100% weight` first, and let that serve its soak and backup time.",
    ),
    Reason.BACKUP_RUNS: (
        "{service} was not finished.",
        "Its backup time is not over: {left}.",
        "Wait for it; old stays ready meanwhile, and `/migrate rollback {service}` still works.",
    ),
    Reason.ENTRY_NOT_READY: (
        "{service} was not finished.",
        "Its entry does not lead to the proxies, or nobody knows where it leads: {entry}.",
        "See `/migrate status {service}`; `/migrate prepare {service}` makes the entry what it must be.",
    ),
    Reason.NOT_FINISHED: (
        "The old application of {service} was not removed.",
        "The service is not finished, so requests may still have to go back to old.",
        "Ask for `/migrate finish {service}` first; it says what is missing.",
    ),
}


def refuse(reason: Reason, **facts: object) -> Refusal:
    """A refusal with its sentences filled in. A fact that the words need and nobody gave is a KeyError: a mistake of ours."""
    what, why, remedy = (text.format_map(facts) for text in WORDS[reason])
    return Refusal(reason=reason, what=what, why=why, remedy=remedy)
