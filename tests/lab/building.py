"""Programs that build root file systems: what they mount and start ends with them, however they end."""

import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

# setpriv: were we killed, the kernel would end unshare, and with it all that runs in these namespaces; then the mounts
# are gone, too. In this machine's own they would stay, and removing the folder would go through them into the machine.
ISOLATED: Final = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


def run_isolated(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a program in namespaces of its own; takes root."""
    subprocess.run([*ISOLATED, *command], check=True, env=environment)
