"""Whether this machine's nginx keeps idle connections at a reload, as the image that ships does (`keepalive_min_timeout`)."""

import os
import shutil

from k8s import nginx
from k8s.agent.__main__ import version_of


async def keeps_idle() -> bool:
    """False: what is written into a connection while it is closed is lost, now and then where many tests share the machine."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "nginx"
    return await version_of(program) >= nginx.KEEPALIVE_MIN_TIMEOUT_SINCE
