"""What a pass needs of the machine. Restarts and presence, which most passes do without, say so themselves."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sriov_bootstrap.core import decode, facts
from sriov_bootstrap.core.actions import Action, BindVfs
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam, ModuleFacts
from sriov_bootstrap.core.suspects import Suspects
from sriov_bootstrap.core.vf_attributes import PfLinks
from sriov_bootstrap.core.vf_users import Holders, Owners

if TYPE_CHECKING:
    from sriov_bootstrap.core.obstacles import Platform


class SettleMachine(Protocol):
    """What waiting needs of the machine."""

    def read_pfs(self, only: tuple[str, ...] = ()) -> tuple[facts.RawPf, ...]:
        """Every PF in /sys, or those of these PCI addresses that are there."""

    def expects_driver(self, modalias: str) -> bool:
        """Whether a module on this host would bind to such a VF."""

    def monotonic(self) -> float:
        """Seconds."""

    def pause(self, seconds: float) -> None:
        """Waits."""

    def say(self, text: str) -> None:
        """Progress, for whoever is watching."""


class GuardedAction(NamedTuple):
    """An action, and who uses a VF that it would destroy or move, "" if nobody does; that is asked right before."""

    action: Action
    guard: Callable[[], str]


class ActionMachine(SettleMachine, Protocol):
    """What carrying out plans needs: something that acts, and what waiting needs."""

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        """Carries out the first of these steps and tells how each ended, at least one; ends with one that failed.

        A step is begun as soon as the one before has ended well, whether its result has been taken or not. Each result
        comes when the step has ended, or its deadline has passed. Never raises one of our own errors: a failure is a
        result, and so is a hang.
        """

    def begin(self, action: BindVfs, *, guard: Callable[[], str]) -> Callable[[], Result]:
        """Begins it and does not wait: the function that it returns does that. `guard`: as in GuardedAction."""


class PassMachine(ActionMachine, Protocol):
    """The machine as a pass needs it."""

    def pass_lock(self) -> AbstractContextManager[None]:
        """One pass at a time, over all processes. BusyError when the other one does not end."""

    def read_pfs(
        self,
        only: tuple[str, ...] = (),
        *,
        others: Callable[[str, str, str], bool] | None = None,
        serial_numbers: bool = False,
        vf_ifindexes: bool = True,
    ) -> tuple[facts.RawPf, ...]:
        """Every NIC that is a PF, and other PFs that `others` says, by address and ids; or `only` these addresses.

        With what costs a read more, for each PF or VF, only if it is asked for.
        """

    def read_config(self) -> tuple[decode.ConfigFile, ...]:
        """Every config file, lowest folder first."""

    def read_functions(
        self, only: Iterable[str] = (), *, without: Container[str] = (), serial_numbers: bool = False
    ) -> tuple[facts.RawPf, ...]:
        """See presence.PresenceMachine."""

    def read_config_space(self, address: str) -> bytes:
        """See presence.PresenceMachine."""

    def read_stray_netdev(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """See presence.PresenceMachine."""

    def read_platform(self) -> "Platform":
        """See presence.PresenceMachine."""

    def read_links(self) -> facts.Links:
        """altnames, addresses, XDP, names of ports."""

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        """These netdevs of PFs, and what they have set for their VFs."""

    def read_eswitches(self, questions: tuple[facts.DevlinkQuestion, ...]) -> facts.Eswitches:
        """The switches of these PFs, as devlink tells them."""

    def read_mtus(self, netdevs: tuple[str, ...]) -> dict[str, int]:
        """Of those of these netdevs that are here."""

    def machine_id(self) -> str:
        """machine-id(5), "" if there is none."""

    def read_holders(self) -> Holders:
        """Who has a VF open."""

    def read_owners(self, *, shut_off: bool) -> Owners:
        """Which running VMs VFs are assigned to; with `shut_off` also those that do not run."""

    def read_suspects(self) -> Suspects:
        """What doctor's last look has found that sets VFs of PFs with a rule."""

    def read_jam(self) -> Jam | None:
        """The write that has not returned, if there is one."""

    def read_module(self, driver: str) -> ModuleFacts:
        """Of a driver whose rule says max_vfs."""

    def has_driver(self, name: str) -> bool:
        """Whether the kernel has this driver by now."""

    def read_bindings(self) -> dict[str, Jam]:
        """PCI address of a PF -> the process in which its VFs are being bound now."""

    def names_follow_probes(self) -> bool:
        """Whether netdevs are named in the order in which they are created (net.ifnames=0)."""

    def default_routes(self) -> facts.Routes:
        """Where the default routes leave."""

    def load_state(self) -> tuple[State, str]:
        """state.json and a note about what was wrong with it."""

    def save_state(self, value: State) -> str:
        """Writes state.json; why it could not be, "" when it could. Never raises."""

    def time(self) -> float:
        """Unix seconds."""
