"""What a pass can do to the host: one small class for each thing, and how long it may take."""

from msgspec import Struct

SHORT_SECONDS = 30.0  # for what waits for no VF


class SetLinkUp(Struct, frozen=True, tag="set_link_up"):
    """Bring the PF's netdev up."""

    pci_address: str
    netdev: str

    def __str__(self) -> str:
        """For people."""
        return f"bring {self.netdev} up"


class SetAutoprobe(Struct, frozen=True, tag="set_autoprobe"):
    """Say whether new VFs get a driver by themselves."""

    pci_address: str
    enabled: bool

    def __str__(self) -> str:
        """For people."""
        return f"set sriov_drivers_autoprobe to {self.enabled:d}"


class SetNumVfs(Struct, frozen=True, tag="set_num_vfs"):
    """Write sriov_numvfs, if it still says `before`."""

    pci_address: str
    before: int
    after: int
    allow_in_use: bool = False

    def __str__(self) -> str:
        """For people."""
        return f"set sriov_numvfs from {self.before} to {self.after}"


class WriteFile(Struct, frozen=True, tag="write_file"):
    """Put `text` into `path`, atomically."""

    pci_address: str
    path: str
    text: str

    def __str__(self) -> str:
        """For people."""
        return f"write {self.path}"


class ReloadDriver(Struct, frozen=True, tag="reload_driver"):
    """Unload and load a module; every PF in `pci_addresses` is gone in between."""

    pci_address: str
    driver: str
    pci_addresses: tuple[str, ...]
    expected: int

    def __str__(self) -> str:
        """For people."""
        return f"reload the driver {self.driver} ({', '.join(self.pci_addresses)})"


Action = SetLinkUp | SetAutoprobe | SetNumVfs | WriteFile | ReloadDriver


def deadline_seconds(action: Action) -> float:
    """After how long an action counts as stuck. It is not ended then: nobody can. mlx5 needs 0.5 s a VF, ixgbe 1 s."""
    match action:
        case SetNumVfs(before=before, after=after):
            return 60.0 + 5.0 * max(before, after)
        case ReloadDriver(pci_addresses=addresses, expected=expected):  # every VF of every PF goes and comes
            return 60.0 + 5.0 * 2 * expected * len(addresses)
        case _:
            return SHORT_SECONDS


def settle_deadline_seconds(num_vfs: int) -> float:
    """How long VFs may take to appear after the write returned: udev may have to load their driver first."""
    return 20.0 + 2.0 * num_vfs
