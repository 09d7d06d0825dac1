"""The cluster addresses and node ports of Services: given out once, kept for as long as the Service has a use for them."""

import ipaddress
from collections.abc import Iterable, Iterator

from deploy.playground.kubernetes.failures import Causes
from deploy.playground.kubernetes.kinds import Json

_NETWORK = ipaddress.ip_network("10.96.0.0/12")
_NODE_PORTS = range(30000, 32768)


def keep(live: Json, proposed: Json) -> None:
    """An update that leaves the address out keeps it; a Service that becomes an ExternalName gives it back."""
    old, new = live["spec"], proposed["spec"]
    if new.get("type") == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if new.get(name) == old.get(name):
                new.pop(name, None)
        return
    if not new.get("clusterIP") and old.get("clusterIP"):
        new["clusterIP"], new["clusterIPs"] = old["clusterIP"], old["clusterIPs"]
    known = {(port.get("port"), port.get("protocol")): port.get("nodePort") for port in old.get("ports") or ()}
    if new.get("type") in {"NodePort", "LoadBalancer"}:
        for port in new.get("ports") or ():
            node_port = known.get((port.get("port"), port.get("protocol")))
            if node_port and not port.get("nodePort"):
                port["nodePort"] = node_port


def assign(item: Json, others: Iterable[Json], causes: Causes) -> None:
    """Gives a Service what it needs and does not have. An address or port that another Service has is noted in `causes`."""
    spec = item["spec"]
    if spec.get("type") == "ExternalName":
        return
    specs = [other["spec"] for other in others if other["metadata"]["name"] != item["metadata"]["name"]
             or other["metadata"]["namespace"] != item["metadata"]["namespace"]]  # fmt: skip
    taken = {address for other in specs for address in other.get("clusterIPs") or ()} | {"10.96.0.1", "10.96.0.10"}
    address = spec.get("clusterIP")
    if not address:
        spec["clusterIP"] = next(free for free in _hosts() if free not in taken)
    elif address != "None" and address in taken:
        causes.invalid("spec.clusterIPs", [address], "failed to allocate IP: provided IP is already allocated")
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] not in {"NodePort", "LoadBalancer"}:
        return
    used = {port.get("nodePort") for other in specs for port in other.get("ports") or ()}
    for number, port in enumerate(spec.get("ports") or ()):
        if not port.get("nodePort"):
            port["nodePort"] = next(free for free in _NODE_PORTS if free not in used)
        elif port["nodePort"] in used:
            causes.invalid(f"spec.ports[{number}].nodePort", port["nodePort"], "provided port is already allocated")
        used.add(port["nodePort"])


def _hosts() -> Iterator[str]:
    # From the middle of the range: addresses people write by hand are usually near its start.
    first = int(_NETWORK.network_address) + 1024
    return (str(ipaddress.ip_address(number)) for number in range(first, int(_NETWORK.broadcast_address)))
