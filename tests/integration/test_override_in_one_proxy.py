"""A tester's override through a real agent and a real nginx: the signed hash and the secret in the folder, both or nothing."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s import client, holds, model
from tests.integration.one_proxy import NAMESPACE, OneProxy

SECRET, LATER = "0123456789abcdef" * 4, "fedcba9876543210" * 2


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class WithTesters(OneProxy):
    """A proxy with testers."""

    def put(self, secret: str) -> None:
        """Into the folder, as the kubelet does when the Secret changes."""
        (self.folder / "overrides").mkdir(exist_ok=True)
        fresh = self.folder / "overrides" / ".api"
        fresh.write_text(secret)
        fresh.replace(self.folder / "overrides" / "api")

    async def approved(self, weight: int, secret: str, *, expected: int, clears: tuple[str, ...] = ()) -> None:
        await self.record(weight, expected=expected, clears=clears, override_hash=sha256(secret))
        await self.wish(weight)
        await self.eventually(lambda report: report["services"]["api"]["generation"] == expected + 1)
        await self.eventually(lambda report: report["services"]["api"]["served"] == weight)

    async def eventually_knows(self, secret: str | None) -> None:
        """nginx serves a configuration with this secret (None: with none)."""
        config = self.folder / "run" / "nginx.conf"

        def so(text: str, generation: str) -> bool:
            known = {one for one in (SECRET, LATER) if one in text}
            return f'"{generation}"' in text and known == ({secret} if secret else set())

        await self.eventually(lambda report: so(config.read_text(), report["config"]))

    async def reached(self, side: str, token: str = SECRET, *, of: int = 40) -> int:
        """How many of these requests, each asking for `side`, reached new; all are answered well."""
        before = self.new.counts.total
        for _ in range(of):
            assert (await self.answer(**{"X-Migrate-To": side, "X-Migrate-Token": token}))[0] == 200
        return self.new.counts.total - before


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[WithTesters]:
    one = WithTesters(tmp_path)
    try:
        one.put(SECRET)
        await one.start()
        yield one
    finally:
        await one.stop()


async def test_a_tester_reaches_new_at_one_percent_and_nothing_reaches_it_at_zero_or_held(proxy: WithTesters) -> None:
    await proxy.approved(1, SECRET, expected=0)
    await proxy.eventually_knows(SECRET)
    assert await proxy.reached("new") == 40
    assert await proxy.reached("old") == 0
    assert await proxy.reached("new", LATER) < 20, "one percent, as everybody"
    await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.reached("new") == 0, "a hold is for testers too"
    await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-holds")
    await proxy.approved(1, SECRET, expected=1, clears=("oncall",))
    assert await proxy.reached("new") == 40
    await proxy.approved(0, SECRET, expected=2)
    await proxy.eventually_knows(SECRET)
    assert await proxy.reached("new") == 0, "nothing is approved to reach new"


async def test_a_secret_that_is_rotated_ends_with_the_signature_of_the_next_one(proxy: WithTesters) -> None:
    await proxy.approved(1, SECRET, expected=0)
    await proxy.eventually_knows(SECRET)
    await proxy.approved(1, LATER, expected=1)
    await proxy.eventually_knows(None)
    report = await proxy.report()
    assert [one for one in report["trouble"] if "not the secret whose hash was approved" in one]
    assert await proxy.reached("new") < 20, "its file is still there, its approval is not"
    proxy.put(LATER)
    await proxy.eventually_knows(LATER)
    assert await proxy.reached("new") < 20
    assert await proxy.reached("new", LATER) == 40
    await proxy.eventually(lambda report: report["trouble"] == [])


async def test_a_secret_in_the_folder_opens_nothing_by_itself_and_is_told_to_nobody(proxy: WithTesters) -> None:
    await proxy.raised(100, expected=0)
    await proxy.eventually_knows(None)
    assert await proxy.reached("old") == 40, "nobody has approved an override"
    await proxy.wish(0)
    await proxy.approved(100, SECRET, expected=1)
    await proxy.eventually_knows(SECRET)
    assert await proxy.reached("old") == 0
    assert (proxy.folder / "run" / "nginx.conf").stat().st_mode & 0o077 == 0
    told = [*(proxy.folder / "run").glob("*.log"), *(proxy.folder / "memory").iterdir(), proxy.folder / "agent.log"]
    assert len(told) > 3
    assert [str(one) for one in told if SECRET.encode() in one.read_bytes()] == []
    assert SECRET not in str(await proxy.report())
