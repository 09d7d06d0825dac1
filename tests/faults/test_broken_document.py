"""migration.yaml is lost or ruined and nobody puts it back: everything goes to old, held only where it cannot be read."""

from pathlib import Path

from k8s import client
from tests.faults.faulty_proxy import FaultyProxy, faulty
from tests.integration.one_proxy import NAMESPACE

PATIENCE = {"FERRY_DOCUMENT_PATIENCE": "1"}


def holds_of(report: dict[str, object]) -> list[str]:
    services: dict[str, dict[str, list[str]]] = report["services"]  # type: ignore[assignment] # the report is JSON
    return services["api"]["holds"]


async def test_an_unreadable_document_holds_everything_after_its_patience_and_stays_held_when_it_is_whole_again(
    tmp_path: Path,
) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.agent_restarted(**PATIENCE)
        await proxy.raised(100, expected=0)
        await proxy.apply("services: [oh no\n")
        await proxy.eventually(lambda report: any(one.startswith("document-") for one in holds_of(report)))
        (hold,) = holds_of(await proxy.report())
        assert await proxy.served(50) == 0
        report = await proxy.report()
        assert report["services"]["api"]["pushed"][0]["by"] == report["pod"]
        await proxy.wish(100)
        await proxy.eventually(lambda report: any("can be read again" in one and hold in one for one in report["trouble"]))
        assert (await proxy.served(50), holds_of(await proxy.report())) == (0, [hold])
        await proxy.wish(0)
        await proxy.raised(100, expected=1, clears=(hold,))
        await proxy.eventually(lambda report: report["trouble"] == [])
        assert await proxy.served(20) == 20


async def test_a_deleted_document_means_old_without_a_hold_and_is_raised_again_by_a_record_alone(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.agent_restarted(FERRY_DOCUMENT_PATIENCE="0")  # at once, if it held at all
        await proxy.raised(100, expected=0)
        await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-config")
        await proxy.eventually(lambda report: any("migration.yaml is missing" in one for one in report["trouble"]))
        for _ in range(10):
            assert (await proxy.served(10), holds_of(await proxy.report())) == (0, [])
        await proxy.wish(100)
        await proxy.eventually(lambda report: not any("migration.yaml is missing" in one for one in report["trouble"]))
        assert (await proxy.served(20), holds_of(await proxy.report())) == (0, []), "only a record raises again"
        await proxy.raised(100, expected=1)
        assert await proxy.served(20) == 20


async def test_a_hold_of_one_refused_service_keeps_no_agent_from_holding_all_when_nothing_can_be_read(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.agent_restarted(**PATIENCE)
        await proxy.raised(100, expected=0)
        assert await proxy.push("shop", "document-abc", reason="its entry was refused", by="ferry") == 200
        await proxy.eventually(lambda report: any("shop: held at old by document-abc" in one for one in report["trouble"]))
        assert await proxy.served(20) == 20
        await proxy.apply("services: [oh no\n")
        await proxy.eventually(lambda report: holds_of(report) != [])
        assert await proxy.served(20) == 0
        trouble = (await proxy.report())["trouble"]
        (said,) = [one for one in trouble if "document-abc" in one]
        assert f"everything goes to old by {holds_of(await proxy.report())[0]}:" in said


async def test_while_the_api_is_away_the_document_is_not_at_fault(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.agent_restarted(**PATIENCE)
        await proxy.raised(100, expected=0)
        await proxy.cluster.stop()
        await proxy.eventually(lambda report: any("cannot be watched" in one for one in report["trouble"]))
        for _ in range(30):
            assert await proxy.served(10) == 10
            assert holds_of(await proxy.report()) == []
        await proxy.cluster.start()


async def test_a_fresh_installation_has_nothing_to_hold(tmp_path: Path) -> None:
    proxy = FaultyProxy(tmp_path)
    try:
        await proxy.start_world()
        await proxy.start_agent(FERRY_DOCUMENT_PATIENCE="0")
        await proxy.begin()
        await proxy.wish(0)
        await proxy.raised(100, expected=0)
        assert await proxy.served(20) == 20
    finally:
        await proxy.stop()
