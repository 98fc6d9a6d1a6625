"""/sys is read here, but for the VFs' drivers (vf_drivers.py) and what most passes do without (pci.py).

Never sriov_numvfs: that read waits for the PF's device lock, which any write or probe of the PF holds
(drivers/pci/iov.c). sriov_totalvfs, the virtfn links and the driver link do not. Nor phys_port_name: that asks the
driver under rtnl, and begins anew until it has that lock (net/core/net-sysfs.c). rtnetlink.py tells it.
"""

import os
from collections.abc import Callable, Collection, Container, Iterable, Iterator

from msgspec.structs import replace

from sriov_bootstrap.base.vanishing import attribute_text, link_name, link_of, name_text, names_in
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import RawChild, RawNetdev, RawPf, RawVf
from sriov_bootstrap.core.parse import is_network_class, vf_places

PF_ATTRIBUTES = ("class", "sriov_totalvfs", "vendor", "device", "numa_node", "sriov_drivers_autoprobe")
SERIAL_NUMBER = "serial_number"  # only root may read it, and it is read from config space
PLACE_ATTRIBUTES = ("sriov_totalvfs", "sriov_offset", "sriov_stride")
MODALIAS = "modalias"
NODE_CLASSES = frozenset({"vfio-dev", "infiniband", "infiniband_verbs"})  # of devices that VFs may have
EVERYTHING, IFINDEX, NOTHING = frozenset({"address", "ifindex"}), frozenset({"ifindex"}), frozenset[str]()
INNER_BUSES = ("virtio", "vdpa")  # between a function and its netdevs; not auxiliary: subfunctions are functions

# PCI address -> where its children are below its folder: `virtio2`, `vdpa0/virtio3`
Places = dict[str, tuple[str, ...]]
# Folder of a device, as realpath spells it -> its netdevs
NetdevsByFolder = dict[str, list[str]]
# Whether a PF that is no NIC is asked for: by PCI address, vendor and device id as /sys has them
IsAskedFor = Callable[[str, str, str], bool]


class Overview:
    """What is read once for all functions, from the side of buses and classes.

    `netdevs`: none where too few functions are read for that to pay.
    `classes`: of which this host has devices; what is asked of a VF on a vfio driver depends on nothing read before.
    `vf_ifindexes`: whether those of VFs' netdevs are asked for.
    """

    __slots__ = ("classes", "netdevs", "places", "vf_ifindexes")

    def __init__(
        self, places: Places, netdevs: NetdevsByFolder, classes: Collection[str], *, vf_ifindexes: bool = True
    ) -> None:
        """Reads nothing."""
        self.places, self.netdevs, self.classes, self.vf_ifindexes = places, netdevs, classes, vf_ifindexes


class SharedModalias:
    """That of a PF's VFs, which all have the same (drivers/pci/iov.c, pci_read_vf_config_common), read when needed."""

    __slots__ = ("_text",)

    def __init__(self) -> None:
        """Reads nothing yet."""
        self._text = ""

    def read(self, folder: str) -> str:
        """Asked of this VF, unless another one has answered."""
        self._text = self._text or attribute_text(f"{folder}/{MODALIAS}")
        return self._text


class Sysfs:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/sys") -> None:
        """Reads nothing yet."""
        self._root = root
        self._devices = f"{root}/bus/pci/devices"
        self._drivers = f"{root}/bus/pci/drivers"
        self._modules = f"{root}/module"
        self._classes = f"{root}/class"
        self._inner = tuple(f"{root}/bus/{bus}/devices" for bus in INNER_BUSES)

    def read_pfs(
        self,
        only: tuple[str, ...] = (),
        *,
        others: IsAskedFor | None = None,
        serial_numbers: bool = False,
        vf_ifindexes: bool = True,
    ) -> tuple[RawPf, ...]:
        """Every NIC that offers VFs, with or without driver or netdev, and of other PFs those that `others` says.

        Or `only` these addresses, whatever they are. With their `serial_numbers`, and the indexes of their VFs'
        netdevs, if these are asked for.
        """
        is_asked_for = (lambda *_: True) if only else others
        attributes = (*PF_ATTRIBUTES, SERIAL_NUMBER) if serial_numbers else PF_ATTRIBUTES
        overview = self._read_overview(has_many_functions=not only, vf_ifindexes=vf_ifindexes)
        pfs: list[RawPf] = []
        vfs: set[str] = set()  # a VF is not a PF, and most come after theirs
        for address in sorted(only or names_in(self._devices)):
            if address not in vfs and (pf := self._read_pf(address, overview, is_asked_for, attributes)):
                pfs.append(pf)
                vfs.update(vf.pci_address for vf in pf.vfs)
        return tuple(pfs)

    def read_functions(
        self, only: Iterable[str] = (), *, without: Container[str] = (), serial_numbers: bool = False
    ) -> tuple[RawPf, ...]:
        """Every PCI function, PF or not, NIC or not, `without` some; or `only` these, as far as they are there.

        The attribute `physfn` of a VF is the address of its PF.
        """
        found, overview = [], self._read_overview()
        attributes = (*PF_ATTRIBUTES, SERIAL_NUMBER) if serial_numbers else PF_ATTRIBUTES
        for address in sorted(only or names_in(self._devices)):
            folder = f"{self._devices}/{address}"
            if address not in without and os.path.exists(folder):
                raw = self._read_function(address, overview, attributes)
                found.append(replace(raw, attributes=raw.attributes | {"physfn": link_name(f"{folder}/physfn")}))
        return tuple(found)

    def read_others(self, known: frozenset[str]) -> tuple[RawPf, ...]:
        """Functions that are not `known`: network functions, and whatever else offers VFs."""
        overview = self._read_overview()
        return tuple(
            self._read_function(address, overview, PF_ATTRIBUTES)
            for address in sorted(names_in(self._devices))
            if address not in known
            and (
                os.access(f"{self._devices}/{address}/sriov_totalvfs", os.F_OK)
                or is_network_class(attribute_text(f"{self._devices}/{address}/class"))
            )
        )

    def read_functions_of(self, pf: str) -> tuple[RawVf, ...]:
        """Its VFs by their place on the bus: while one is destroyed, its links to the PF disappear first.

        drivers/pci/iov.c, pci_iov_remove_virtfn: virtfn and physfn are gone before the VF's driver is waited for.
        """
        texts = {name: attribute_text(f"{self._devices}/{pf}/{name}") for name in PLACE_ATTRIBUTES}
        there = [place for place in vf_places(pf, texts) if os.path.exists(f"{self._devices}/{place}")]
        overview, modalias = self._read_overview(), SharedModalias()
        return tuple(self._read_vf(self._devices, address, overview, modalias) for address in there)

    def count_vfs(self, address: str) -> int:
        """How many VFs a PF has now. Does not block: a write creates and removes the links before it returns."""
        return sum(name.startswith("virtfn") for name in names_in(f"{self._devices}/{address}"))

    def has_driver(self, name: str) -> bool:
        """Whether the kernel has a PCI driver of exactly this name now, from a module or built in."""
        return os.path.exists(f"{self._drivers}/{name}")

    def drivers_of(self, module: str) -> tuple[str, ...]:
        """The PCI drivers that a loaded module has registered: kernel/module/sysfs.c and drivers/base/module.c."""
        names = names_in(f"{self._modules}/{module.replace('-', '_')}/drivers")
        return tuple(sorted(name.removeprefix("pci:") for name in names if name.startswith("pci:")))

    def children_of(self, address: str) -> tuple[str, ...]:
        """Where the devices that this function has on another bus are, below its folder."""
        return self._find_children().get(address, ())

    def _read_overview(self, *, has_many_functions: bool = False, vf_ifindexes: bool = True) -> Overview:
        classes = frozenset(name for name in NODE_CLASSES if names_in(f"{self._classes}/{name}"))
        netdevs = self._find_netdevs() if has_many_functions else {}
        return Overview(self._find_children(), netdevs, classes, vf_ifindexes=vf_ifindexes)

    def _find_netdevs(self) -> NetdevsByFolder:
        """One link for each netdev is a quarter of what one listing for each device costs."""
        found: NetdevsByFolder = {}
        root = os.path.realpath(self._root)
        for name in names_in(f"{self._classes}/net"):
            folder, _, netdev = link_of(f"{self._classes}/net/{name}").removeprefix("../..").rpartition("/net/")
            found.setdefault(f"{root}{folder}", []).append(netdev)
        return found

    def _find_children(self) -> Places:
        """From the side of their buses, once for all functions: next to nothing where these have no devices."""
        links = {link for bus in self._inner for name in names_in(bus) if (link := link_of(f"{bus}/{name}"))}
        found: Places = {}
        for link in sorted(links):
            parent, _, place = link.rpartition("/")
            while parent in links:
                parent, _, name = parent.rpartition("/")
                place = f"{name}/{place}"
            address = parent.rpartition("/")[2]
            found[address] = (*found.get(address, ()), place)
        return found

    def _read_pf(
        self, address: str, overview: Overview, is_asked_for: IsAskedFor | None, attributes: tuple[str, ...]
    ) -> RawPf | None:
        folder = f"{self._devices}/{address}"
        if not os.access(f"{folder}/sriov_totalvfs", os.F_OK):
            return None
        if not is_network_class(attribute_text(f"{folder}/class")):
            ids = (attribute_text(f"{folder}/{name}") for name in ("vendor", "device"))
            if not is_asked_for or not is_asked_for(address, *ids):
                return None
        return self._read_function(address, overview, attributes)

    def _read_function(self, address: str, overview: Overview, attributes: tuple[str, ...]) -> RawPf:
        folder = f"{self._devices}/{address}"
        names = names_in(folder)
        children = overview.places.get(address, ())
        own = self._read_netdevs(folder, names_in(f"{folder}/net")) if "net" in names else ()
        return RawPf(
            pci_address=address,
            attributes={name: attribute_text(f"{folder}/{name}") for name in attributes if name in names},
            driver=link_name(f"{folder}/driver"),
            netdevs=(*own, *self._read_netdevs_of(folder, children)),
            vfs=self._read_vfs(folder, names, overview),
            children=_read_children(folder, children),
        )

    def _read_vfs(self, pf_folder: str, names: list[str], overview: Overview) -> tuple[RawVf, ...]:
        """A VF without its folder disappeared after the names were read: counted, it would be lost a second time."""
        links = [name for name in names if name.startswith("virtfn")]
        if not links:
            return ()
        folder = os.path.realpath(pf_folder)  # each link on the way costs as much as all that is read of a VF's
        modalias = SharedModalias()
        return tuple(vf for link in links if (vf := self._read_vf(folder, link, overview, modalias)).inode)

    def _read_vf(self, pf_folder: str, link: str, overview: Overview, modalias: SharedModalias) -> RawVf:
        target = link_of(f"{pf_folder}/{link}")
        if not target:
            return RawVf(link.removeprefix("virtfn"), "")
        address = target.rpartition("/")[2]
        folder = f"{pf_folder.rpartition('/')[0]}/{target[3:]}" if target.startswith("../") else f"{pf_folder}/{target}"
        driver = link_name(f"{folder}/driver")
        children = overview.places.get(address, ()) if driver else ()
        netdevs = self._read_vf_netdevs(folder, children, overview) if driver else ()
        classes = NODE_CLASSES if is_vfio(driver) else overview.classes
        has_devices = bool(driver and (classes or children))
        return RawVf(
            index=link.removeprefix("virtfn"),
            pci_address=address,
            driver=driver,
            iommu_group=link_name(f"{folder}/iommu_group"),
            inode=_inode(folder),
            modalias="" if driver else modalias.read(folder),
            netdevs=netdevs,
            nodes=_read_nodes(folder, classes, children) if has_devices else (),
            infiniband=tuple(map(name_text, _names_if_any(folder, "infiniband", classes))) if has_devices else (),
            children=_read_children(folder, children) if children else (),
            has_net=bool(netdevs) or not driver or is_vfio(driver) or _has_net(folder, children),
        )

    def _read_vf_netdevs(self, folder: str, children: Iterable[str], overview: Overview) -> tuple[RawNetdev, ...]:
        """Of those that are known one may have been renamed or moved to a VM's namespace since: it has no flags."""
        wanted = IFINDEX if overview.vf_ifindexes else NOTHING
        known = overview.netdevs.get(folder, [])
        own = self._read_netdevs(folder, known, wanted=wanted) if known else ()
        if not own or not all(dev.flags for dev in own):
            own = self._read_netdevs(folder, names_in(f"{folder}/net"), wanted=wanted)
        return (*own, *self._read_netdevs_of(folder, children, wanted=wanted)) if children else own

    def _read_netdevs_of(
        self, folder: str, children: Iterable[str], *, wanted: Container[str] = EVERYTHING
    ) -> Iterator[RawNetdev]:
        for place in children:
            device = place.rpartition("/")[2]
            names = names_in(f"{folder}/{place}/net")
            yield from self._read_netdevs(f"{folder}/{place}", names, device=device, wanted=wanted)

    def _read_netdevs(
        self, folder: str, names: list[str], *, device: str = "", wanted: Container[str] = EVERYTHING
    ) -> tuple[RawNetdev, ...]:
        return tuple(
            RawNetdev(
                name=name_text(name),
                address=attribute_text(f"{folder}/net/{name}/address") if "address" in wanted else "",
                flags=attribute_text(f"{folder}/net/{name}/flags"),
                ifindex=attribute_text(f"{folder}/net/{name}/ifindex") if "ifindex" in wanted else "",
                device=device,
            )
            for name in names
        )


def _read_children(folder: str, places: Iterable[str]) -> tuple[RawChild, ...]:
    return tuple(_read_child(f"{folder}/{place}", place.rpartition("/")[2]) for place in places)


def _read_child(folder: str, name: str) -> RawChild:
    driver = link_name(f"{folder}/driver")
    return RawChild(name, driver, "" if driver else attribute_text(f"{folder}/{MODALIAS}"))


def _read_nodes(folder: str, classes: Collection[str], children: Iterable[str]) -> tuple[str, ...]:
    """The device nodes through which a process, such as a VM, has only this VF."""
    vfio = [f"/dev/vfio/devices/{name}" for name in _names_if_any(folder, "vfio-dev", classes)]
    rdma = [f"/dev/infiniband/{name}" for name in _names_if_any(folder, "infiniband_verbs", classes)]
    inner = (name for place in children for name in names_in(f"{folder}/{place}"))
    return (*vfio, *rdma, *(f"/dev/{name}" for name in inner if name.startswith("vhost-vdpa-")))


def _has_net(folder: str, children: Iterable[str]) -> bool:
    """drivers/base/core.c, get_device_parent: it is there as long as a netdev is, in whatever namespace."""
    return any(os.access(f"{place}/net", os.F_OK) for place in (folder, *(f"{folder}/{child}" for child in children)))


def _names_if_any(folder: str, kind: str, classes: Collection[str]) -> list[str]:
    """The devices of a class that most VFs have none of: to look first costs half of what an exception does."""
    return names_in(f"{folder}/{kind}") if kind in classes and os.access(f"{folder}/{kind}", os.F_OK) else []


def _inode(path: str) -> int:
    """kernfs gives every new folder a new number (fs/kernfs/dir.c), so a VF that was created again can be told."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
