"""What `doctor` knows of our own service: what systemd says, what the last pass left, what is on disk."""

from msgspec import Struct

from sriov_bootstrap.core.state import State
from sriov_bootstrap.doctor.service.now import Now

UNIT = "sriov-bootstrap.service"
HOLDERS_UNIT = "sriov-bootstrap-holders.service"
RELOAD_UNIT = "sriov-bootstrap-reload@.service"
LOAD_UNIT = "sriov-bootstrap-load@.service"


class ServiceSurvey(Struct, frozen=True):
    """`state` None: not read, or there is no config to compare it with.

    `unit`: properties of our unit as `systemctl show` says them, {} where systemd could not be asked. `is_installed`:
    its file is there; `is_wanted`: some target pulls it in; `masked`: units of ours that are linked to /dev/null.
    `config_files`: those that count now, and their checksums; None where the config was named on the command line, so
    that it need not be what the service reads.
    `not_loaded`: the drivers that rules name in vf_driver and that the kernel does not have.
    `access_problems`: what is wrong with [metrics] web_config. `outdated`: rendered files that the config has outgrown.
    `library`: why the D-Bus library does not load, and what to do, None if it does.
    """

    state: State | None = None
    now: Now = Now()
    unit: dict[str, str] = {}
    is_installed: bool = False
    is_wanted: bool = False
    masked: tuple[str, ...] = ()
    config_files: dict[str, int] | None = None
    not_loaded: tuple[str, ...] = ()
    access_problems: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    library: tuple[str, str] | None = None
