"""nginx's text for a set of sites, made beside the event loop: a thousand take half a second, and a hold must not wait for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from k8s import nginx


@dataclass(frozen=True, slots=True)
class _Made:
    config: nginx.ProxyConfig
    sites: Mapping[str, nginx.Site]
    rendered: nginx.Rendered


class Rendering:
    """Remembers the last text: most rounds ask for the same sites again, and more than once. One caller at a time."""

    def __init__(self) -> None:
        self._last: _Made | None = None

    async def text_of(self, config: nginx.ProxyConfig, sites: Mapping[str, nginx.Site]) -> nginx.Rendered:
        """Raises model.ModelError when a value cannot be rendered."""
        last = self._last
        if last is not None and last.config == config and last.sites == sites:
            return last.rendered
        asked = dict(sites)  # whoever asks may go on with it while this waits
        rendered = await asyncio.to_thread(nginx.render, config, list(asked.values()))
        self._last = _Made(config, asked, rendered)
        return rendered
