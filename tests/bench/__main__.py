"""`python -m tests.bench SUBJECT…`: 0 when every row was measured, whatever it says; 1 when something could not be; 2 usage."""

import asyncio
import sys
import traceback

from tests.bench import agent_log, agent_rounds, changes, faults, rename, rows, services, shares, soak, throughput

SUBJECTS = {
    "throughput": throughput.measure,
    "shares": shares.measure,
    "changes": changes.measure,
    "rename": rename.measure,
    "faults": faults.measure,
    "services": services.measure,
    "agent-log": agent_log.measure,
    "agent-rounds": agent_rounds.measure,
    "soak": soak.measure,
}
GROUPS = {
    "data-plane": [name for name in SUBJECTS if name != "soak"],
    "agent": ["agent-log", "agent-rounds"],
}


def main(words: list[str]) -> int:
    names = [name for word in words or ["data-plane"] for name in GROUPS.get(word, [word])]
    if unknown := [name for name in names if name not in SUBJECTS]:
        rows.say(f"{', '.join(unknown)} is no subject; there are {', '.join([*GROUPS, *SUBJECTS])}")
        return 2
    failed = []
    for name in names:
        rows.say(name)
        try:
            asyncio.run(SUBJECTS[name]())
        except Exception:  # noqa: BLE001 the other subjects are measured all the same, and the exit code says it
            traceback.print_exc()
            failed.append(name)
    if failed:
        rows.say(f"could not be measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
