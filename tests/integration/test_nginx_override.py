"""A tester's override in the real nginx: with the service's secret a request goes where it says, and nobody sees the secret."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from k8s import model, nginx
from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.Cluster]
SECRET, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 2
HASH = hashlib.sha256(SECRET.encode()).hexdigest()


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as running:
        yield running


def overridden(proxy: Proxy, secret: str = SECRET, **more: Any) -> nginx.Site:
    return one_nginx.with_secret(proxy.ruled(override_hash=HASH, **more), secret)


def asking(side: str, token: str = SECRET) -> dict[str, str]:
    return {"X-Migrate-To": side, "X-Migrate-Token": token}


RULES: list[dict[str, Any]] = [
    {},
    {"strategy": model.Strategy.HEADER, "header": model.HeaderRule("X-Canary", ("never",))},
    {"strategy": model.Strategy.IP, "cidrs": ("192.0.2.0/24",)},
    {"strategy": model.Strategy.USER, "user": model.UserRule(model.sticky_from("cookie:id"))},
]


@pytest.mark.parametrize("rule", RULES)
async def test_the_secret_takes_a_request_to_either_side_whatever_the_rule_says(proxy: Proxy, rule: dict[str, Any]) -> None:
    await proxy.start(overridden(proxy, **rule))
    proxy.weigh(1)
    assert [await proxy.ask(**asking("new")) for _ in range(20)] == [(200, "new")] * 20
    proxy.weigh(100)
    assert [await proxy.ask(**asking("old")) for _ in range(20)] == [(200, "old")] * 20


@pytest.mark.parametrize("weight", [0, 100])
async def test_without_the_secret_the_headers_mean_nothing(proxy: Proxy, weight: int) -> None:
    proxy.weigh(weight)
    await proxy.start(overridden(proxy))
    expected = "new" if weight else "old"
    tried = [asking(side, token) for side in ("old", "new", "", "x") for token in (OTHER, "", SECRET[:-1], f"{SECRET}|{side}")]
    tried += [{"X-Migrate-To": f"{SECRET}|old", "X-Migrate-Token": ""}, {"X-Migrate-Token": SECRET}]
    assert [await proxy.ask(**headers) for headers in tried] == [(200, expected)] * len(tried)


async def test_the_secret_of_one_service_opens_no_other(proxy: Proxy) -> None:
    proxy.weigh(1, "api", "shop")
    canary: dict[str, Any] = {"strategy": model.Strategy.HEADER, "header": model.HeaderRule("X-Canary", ("never",))}
    other = one_nginx.with_secret(proxy.ruled("shop", override_hash=hashlib.sha256(OTHER.encode()).hexdigest(), **canary), OTHER)
    await proxy.start(overridden(proxy, **canary), other, proxy.ruled("plain", **canary))
    hosts = [f"{name}.old.example" for name in ("api", "shop", "plain")]
    assert [(await proxy.ask(host=host, **asking("new")))[1] for host in hosts] == ["new", "old", "old"]


async def test_a_secret_whose_hash_nobody_signed_is_not_in_the_text(proxy: Proxy) -> None:
    rendered = nginx.render(proxy.config, [overridden(proxy, OTHER)])
    assert OTHER not in rendered.text
    assert rendered == nginx.render(proxy.config, [proxy.ruled(override_hash=HASH)])
    assert SECRET not in repr(overridden(proxy))
    with pytest.raises(model.ModelError) as refused:
        nginx.render(proxy.config, [overridden(proxy, "not-a-secret; include")])
    assert "include" not in str(refused.value)


@pytest.mark.parametrize("spelling", ["X-Migrate-Token", "X_Migrate_Token", "x-migrate_token", "X_MIGRATE-TOKEN"])
@pytest.mark.parametrize("side", ["old", "new"])
async def test_neither_cluster_and_no_log_sees_the_secret(proxy: Proxy, side: str, spelling: str) -> None:
    proxy.weigh(50)
    await proxy.start(overridden(proxy))
    assert await proxy.ask(**{spelling.replace("oken", "o").replace("TOKEN", "TO"): side, spelling: SECRET}) == (200, side)
    names = {name.lower().replace("_", "-") for one in proxy.old.seen + proxy.new.seen for name, _ in one.headers}
    assert "host" in names
    assert not {"x-migrate-to", "x-migrate-token"} & names
    await proxy.quit()
    logs = (proxy.run / "access.log").read_text() + (proxy.run / "error.log").read_text()
    assert '"service":"api"' in logs
    assert SECRET not in logs
