"""What the switch of a PF says of the function behind a VF's port: RoCE, live migration, event queues.

Set at the port, so only in switchdev mode, and read by the VF's driver while it binds: before that, or for nothing. The
address is not here: a VF's `mac` is the same to the switch (mlx5/core/eswitch.c, mlx5_eswitch_set_vport_mac).
"""

from msgspec import Struct
from msgspec.structs import asdict, replace


class PortFunction(Struct, frozen=True, omit_defaults=True):
    """Of one VF; None is not said, or not known. `max_io_eqs`: event queues, one for each vector that it can have."""

    roce: bool | None = None
    migratable: bool | None = None
    max_io_eqs: int | None = None

    @property
    def said(self) -> dict[str, bool | int]:
        """Every one that is said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def difference(self, actual: "PortFunction") -> "PortFunction":
        """What of it is not so."""
        return replace(
            NOTHING_SAID, **{name: value for name, value in self.said.items() if getattr(actual, name) != value}
        )

    def merge(self, later: "PortFunction") -> "PortFunction":
        """With what `later` says, which counts."""
        return replace(self, **later.said)

    def __str__(self) -> str:
        """For people: `roce off, max_io_eqs 8`."""
        words = {True: "on", False: "off"}
        said = ((name, words[value] if isinstance(value, bool) else value) for name, value in self.said.items())
        return ", ".join(f"{name} {value}" for name, value in said)


NOTHING_SAID = PortFunction()
