"""Where the proxies' connections come from, for whoever opens the firewall."""

from k8s import client, proxies


async def origins(api: client.ClusterClient, namespace: str) -> tuple[str, ...]:
    """`pods 10.1.0.5, 10.1.0.6` and `nodes 192.0.2.4`, as far as they are known now: pods come again with other addresses, so the
    networks of both belong into the rule. Raises errors.ClusterError.
    """
    items = (await api.list(client.PODS, namespace, labels=proxies.SELECTOR))["items"]
    statuses = [one.get("status") or {} for one in items]
    found = {
        "pods": sorted({str(one["podIP"]) for one in statuses if one.get("podIP")}),
        "nodes": sorted({str(one["hostIP"]) for one in statuses if one.get("hostIP")}),
    }
    return tuple(f"{what} {', '.join(addresses)}" for what, addresses in found.items() if addresses)
