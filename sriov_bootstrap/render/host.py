"""The nouns of `render`: what is known of the host, and what a target is made of."""

from collections.abc import Mapping

from msgspec import Struct

from sriov_bootstrap.core.config import Config, Distribution
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.openstack_releases import NEWEST, OpenStackRelease, parse
from sriov_bootstrap.core.packagings import recognize
from sriov_bootstrap.core.state import State


class VfLayout(Struct, frozen=True):
    """What a PF says of VFs that need not be there: `device` is their device id, offset and stride place them."""

    device: str = ""
    offset: int = 0
    stride: int = 0


class Host(Struct, frozen=True):
    """Everything that decides what is rendered. `paths`: which of the paths that matter are there.

    `machine_id`: machine-id(5), "" if there is none, or no rule needs it.

    For doctor alone, whose looks stand on it as well: `state`, what the last pass left, and `units`, what systemd says
    of each, {} where it was not asked. `unseen`: what of these could not be read, and why.
    """

    config: Config
    wishes: tuple[DesiredPf, ...] = ()
    pfs: tuple[PfFacts, ...] = ()
    layouts: dict[str, VfLayout] = {}
    os_release: dict[str, str] = {}
    paths: frozenset[str] = frozenset()
    cpu_vendor: str = ""
    kernel_config: str = ""
    machine_id: str = ""
    state: State = State()
    units: dict[str, dict[str, str]] = {}
    unseen: tuple[str, ...] = ()

    @property
    def release(self) -> OpenStackRelease:
        """The config has been checked: it is one."""
        return parse(self.config.openstack.release) or NEWEST

    @property
    def distribution(self) -> Distribution:
        """As the config says, or as /etc and os-release(5) show."""
        said = self.config.openstack.distribution
        if said is not Distribution.AUTO:
            return said
        ids = f"{self.os_release.get('ID', '')} {self.os_release.get('ID_LIKE', '')}".split()
        return Distribution(recognize(self.paths, ids).name)


class Ask(Struct, frozen=True):
    """What the command line says for one target: a VF's PCI address, "" for all free ones; MAC and VLAN for it."""

    vf: str = ""
    mac: str = ""
    vlan: int = 0


class Draft(Struct, frozen=True):
    """One file before its template is filled in. `path` "": it has no place on this host, and is only printed.

    `template` "": its text is the context's `text`, and no site may change it.
    """

    template: str
    context: Mapping[str, object]
    path: str = ""


class Rendering(Struct, frozen=True):
    """A target. `problems`: what could not be told, so that the files are not complete.

    `after`: what has to be done when a file changed, in words; `commands`: what does it, where --apply may run it.
    `obsolete`: our files that should not exist. `notes` are shown if there is no file.
    """

    drafts: tuple[Draft, ...] = ()
    problems: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    obsolete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def parse_os_release(text: str) -> dict[str, str]:
    """os-release(5), as far as ID and ID_LIKE need it."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def parse_layout(device: str, offset: str, stride: str) -> VfLayout:
    """The texts of sriov_vf_device, sriov_offset and sriov_stride; garbage counts as unknown."""
    numbers = [int(text) if text.isascii() and text.isdigit() else 0 for text in (offset, stride)]
    return VfLayout(device.lower(), *numbers)
