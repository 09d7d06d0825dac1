"""Who shows that it is the new cluster, in the real nginx: everybody else never gets a request."""

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration import nginx_backends, one_nginx


def other_name(run: Path) -> ssl.SSLContext:
    return one_nginx.certificate(run, "other.new.example")


def unknown_authority(run: Path) -> ssl.SSLContext:
    (run / "elsewhere").mkdir()
    return one_nginx.certificate(run / "elsewhere", one_nginx.NEW_HOST)


def expired(run: Path) -> ssl.SSLContext:
    return one_nginx.certificate(run, one_nginx.NEW_HOST, days=(-3, -1))  # nginx trusts it: only its time is over


def not_yet(run: Path) -> ssl.SSLContext:
    return one_nginx.certificate(run, one_nginx.NEW_HOST, days=(1, 3))


def too_old(run: Path) -> ssl.SSLContext:
    context = one_nginx.certificate(run, one_nginx.NEW_HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def right(run: Path) -> ssl.SSLContext:
    return one_nginx.certificate(run, one_nginx.NEW_HOST)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("shown", [right, other_name, unknown_authority, expired, not_yet, too_old])
async def test_who_is_not_proven_to_be_the_new_cluster_never_gets_a_request(
    tmp_path: Path, shown: Callable[[Path], ssl.SSLContext]
) -> None:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as proxy:
        proxy.weigh(100)
        other = nginx_backends.Cluster("other")
        proxy.more.append(other)
        await other.start(shown(tmp_path))
        where = f"127.0.0.1:{other.port}"
        await proxy.start(replace(proxy.site, new_addresses=(where,)))
        answers = [await proxy.ask(method) for method in ("GET", "POST")]
        if shown is right:
            assert answers == [(200, "other")] * 2
            return
        assert answers == [(200, "old")] * 2
        assert other.seen == []
        if shown is too_old:  # the server is there: who allows such a version is served
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
            async with proxy.client.get(f"https://{where}/", ssl=context) as reply:
                assert await reply.text() == "other"


async def test_connections_to_new_are_kept_and_its_sessions_taken_up_again(tmp_path: Path) -> None:
    async with one_nginx.between(nginx_backends.CountingCluster("old"), nginx_backends.CountingCluster("new"), tmp_path) as proxy:
        proxy.weigh(100)
        await proxy.start()
        assert await proxy.sides([{}] * 1000) == ["new"] * 1000
        assert (proxy.new.total, proxy.new.connections) == (1000, 1)
        assert proxy.tls.session_stats()["accept_good"] == 1
        for times in range(1, 13):
            proxy.new.close_connections()
            assert await proxy.sides([{}]) == ["new"]
            assert proxy.new.connections == times + 1
        again = proxy.tls.session_stats()
        assert again["accept_good"] == 13
        assert again["hits"] >= 10  # each of the three servers of the upstream begins with a session of its own
