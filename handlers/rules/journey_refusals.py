"""Words of refusals on a service's journey: its objects, its ladder, its end. The others stand in `handlers.rules.refusals`."""

from collections.abc import Mapping

from handlers.rules import refusal_reasons

Reason = refusal_reasons.Reason

WORDS: Mapping[Reason, tuple[str, str, str]] = {
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
        "Ask for `/migrate shift {service} 100% strategy weight reason` first, and let that serve its backup time.",
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
    Reason.WEIGHT_FIRST: (
        "Nothing was changed for {service}.",
        "Its record says {weight}%, and its host does not enter through the proxies: an entry would bring all of it at once.",
        "Take the record to 0 with `/migrate rollback {service}`, then ask for `/migrate prepare {service}` again.",
    ),
    Reason.OLD_IS_GONE: (
        "The entry of {service} was left as it is.",
        "Its old application has no ready endpoint: without the proxies every request of it would fail.",
        "Bring the old application back first; `/migrate rollback {service}` leads what the proxies get to old meanwhile.",
    ),
    Reason.NOT_ADDED: (
        "Nothing was added to migration.yaml.",
        "This stands in the way: {why}.",
        "Correct that and accept again; what was not added stays proposed.",
    ),
    Reason.NOT_ADDED_NOW: (
        "Nothing was added to migration.yaml.",
        "The cluster did not do it: {why}.",
        "Accept again when that is settled; what was not added stays proposed.",
    ),
    Reason.OPEN_ENDS: (
        "The old application of {service} was not removed.",
        "Not every proxy says that it is finished, so requests may still go to old: {who}.",
        "Wait until all of them do, or mend those that do not (`/migrate status {service}`), then ask or press again.",
    ),
    Reason.NO_FORWARD: (
        "The old application of {service} was not removed.",
        "Its entry is no forward to new, or nobody knows where it leads: {entry}.",
        "See `/migrate status {service}`; what was changed by hand is to be put right first, then ask or press again.",
    ),
    Reason.NOT_FINISHED: (
        "The old application of {service} was not removed.",
        "The service is not finished, so requests may still have to go back to old.",
        "Ask for `/migrate finish {service}` first; it says what is missing.",
    ),
}
