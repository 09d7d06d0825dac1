"""What a cluster that cannot be reached is called: an address and a cause, and nothing of this program's inside."""

import re
import socket

import pytest

from k8s import client, credentials, errors


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_there_is_said_with_the_address_and_without_an_object_of_memory(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = taken.getsockname()[1]
        async with client.ClusterClient(credentials.Explicit(f"{scheme}://127.0.0.1:{port}", token="t")) as api:
            with pytest.raises(errors.Unreachable) as read:
                await api.get(client.CONFIG_MAPS, "default", "any")
            with pytest.raises(errors.Unreachable) as written:
                await api.patch(client.CONFIG_MAPS, "default", "any", {"data": {}})
    for caught in (read, written):
        assert f"no connection to 127.0.0.1:{port} (connection refused)" in str(caught.value)
        assert not re.search(r"<|0x|Error", str(caught.value))
    assert "may or may not have happened" in str(written.value)
    assert "may or may not" not in str(read.value), "nothing was asked to change"
