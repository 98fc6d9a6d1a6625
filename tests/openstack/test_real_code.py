"""What `render` writes, read by nova's and neutron's own code of two releases, and by libvirt's schema."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builders import PF, PF2, vf_address
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.openstack_releases import NEWEST, PCI_SCAN_CACHED_SINCE, parse
from sriov_bootstrap.formats.installed_packages import dist_version

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

BUILD = Path(__file__).parents[2] / "build" / "openstack"
RELEASES = {"newest": "2026.2", "older": "2023.2"}
OTHER = "0000:5e:00.0"
PFS = {PF: "ens1f0", PF2: "ens1f1", OTHER: "ens7"}
RULES = f"""\
[[pf]]
name = "tenant-a"
match = {{ pci_address = "{PF}" }}
num_vfs = 3
physical_network = "physnet2"
EXTRA
[[pf]]
name = "tenant-b"
match = {{ netdev = "ens1f1" }}
num_vfs = 3
physical_network = "physnet2"
bandwidth_kbps = 10000000
[openstack]
"""


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """A release that is installed."""
    return str(request.param)


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    """Two PFs with rules and one without, of the same chip, three VFs each."""
    tree.write("etc/os-release", "ID=ubuntu\n")
    for address, netdev in PFS.items():
        folder = tree.add_pf(address, netdev=netdev, num_vfs=0)
        (folder / "sriov_vf_device").write_text("10ca\n")
        (folder / "net" / netdev / "device").symlink_to(f"../../../{address}")
        for index in range(3):
            tree.link(f"{folder}/virtfn{index}", tree.add_function(f"{vf_place(address, index)}"))
    return tree


def vf_place(pf: str, index: int) -> str:
    """VFs of the two ports of a card are interleaved, as on real ones."""
    return vf_address(pf, index * 2 + int(pf[-1]))


def ask(release: str, what: str, **question: object) -> Any:  # noqa: ANN401
    """Their answer."""
    script = Path(__file__).with_name("ask.py")
    home = {"HOME": str(question.pop("home", "/nonexistent")), "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [BUILD / release / "bin" / "python", "-W", "ignore", script],
        input=json.dumps({"what": what, **question}),
        capture_output=True,
        check=False,
        env=home,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.rpartition("\nANSWER ")[2])


def write(tree: HostTree, target: str) -> str:
    """Renders, and returns where it was written."""
    before = set((tree.root / "etc").rglob("*.conf"))
    assert main(["render", target, "--write"], root=str(tree.root)) == 0
    (path,) = set((tree.root / "etc").rglob("*.conf")) - before
    return str(path)


def validate(release: str, path: str, *namespaces: str) -> None:
    """oslo-config-validator knows every option, removed and deprecated ones too."""
    words = [word for name in namespaces for word in ("--namespace", name)]
    ended = subprocess.run(
        [BUILD / release / "bin" / "oslo-config-validator", "--input-file", path, *words],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (ended.returncode, "WARNING" in ended.stderr, "ERROR" in ended.stderr) == (0, False, False), ended.stderr


def devices() -> list[dict[str, str]]:
    """Everything on the host, as nova's libvirt driver describes it."""
    pfs = [{"address": pf, "vendor_id": "8086", "product_id": "10c9"} for pf in PFS]
    vfs = [
        {"address": vf_place(pf, index), "vendor_id": "8086", "product_id": "10ca", "parent_addr": pf}
        for pf in PFS
        for index in range(3)
    ]
    others = [
        {"address": "0000:af:00.0", "vendor_id": "10de", "product_id": "25b6"},
        {"address": "0000:00:1f.0", "vendor_id": "8086", "product_id": "a1c1"},
    ]
    return [*pfs, *vfs, *others]


def expected(*, without: tuple[int, ...] = (), pfs: tuple[str, ...] = (PF, PF2)) -> set[str]:
    """Exactly our VFs; `without` are left out of the first PF."""
    return {vf_place(pf, index) for pf in pfs for index in range(3) if pf != PF or index not in without}


@pytest.mark.parametrize("style", ["pf_address", "devname", "vf_address"])
@pytest.mark.parametrize("excluded", [(), (0, 2)])
def test_nova_takes_exactly_our_vfs(tree: HostTree, release: str, style: str, excluded: tuple[int, ...]) -> None:
    table = f'release = "{RELEASES[release]}"\nspec_style = "{style}"\n'
    tree.configure(RULES.replace("EXTRA", f"trusted = true\nexclude_vfs = {list(excluded)}") + table)
    path = write(tree, "nova-compute")
    validate(release, path, "nova.conf")
    answer = ask(release, "nova", files=[path], root=str(tree.root), devices=devices())
    assert set(answer) == expected(without=excluded)
    assert answer[vf_place(PF, 1)] == {"physical_network": "physnet2", "trusted": "true"}
    assert answer[vf_place(PF2, 1)] == {"physical_network": "physnet2"}


def test_nova_takes_the_chip_alone_where_it_is_only_ours(tree: HostTree, release: str) -> None:
    tree.remove(OTHER)
    table = f'release = "{RELEASES[release]}"\nspec_style = "vendor_product"\n'
    tree.configure(RULES.replace("EXTRA", "") + table)
    path = write(tree, "nova-compute")
    validate(release, path, "nova.conf")
    here = [one for one in devices() if OTHER not in {one["address"], one.get("parent_addr")}]
    assert set(ask(release, "nova", files=[path], root=str(tree.root), devices=here)) == expected()


def test_an_alias_is_one_that_nova_understands(tree: HostTree, release: str) -> None:
    extra = f'[openstack]\nreport_in_placement = true\nrelease = "{RELEASES[release]}"\n'
    rule = RULES.partition('[[pf]]\nname = "tenant-b"')[0].replace('physical_network = "physnet2"', 'alias = "vf"')
    tree.configure(rule.replace("EXTRA", 'resource_class = "CUSTOM_VF"\ntraits = ["CUSTOM_FAST"]\n') + extra)
    path = write(tree, "nova-compute")
    validate(release, path, "nova.conf")
    assert ask(release, "aliases", files=[path]) == ["vf"]
    answer = ask(release, "nova", files=[path], root=str(tree.root), devices=devices())
    assert set(answer) == expected(pfs=(PF,))


def test_nova_keeps_its_first_scan_since_the_release_that_we_think(release: str) -> None:
    folders = (BUILD / release / "lib").glob("python3*/site-packages")
    version = NovaVersion(dist_version([path.name for folder in folders for path in folder.iterdir()], "nova"), "")
    assert version.nova == (parse(RELEASES[release]) or NEWEST).nova
    assert ask(release, "scan") is (version.nova >= PCI_SCAN_CACHED_SINCE)


@pytest.mark.parametrize(
    ("tag", "is_refused"), [('"live_migratable": "yes"', True), ('"live_migratable": "no"', True), ('"a": "b"', False)]
)
def test_any_word_of_live_migratable_asks_for_a_newer_libvirt(tmp_path: Path, tag: str, *, is_refused: bool) -> None:
    conf = tmp_path / "nova.conf"
    conf.write_text(f'[pci]\ndevice_spec = {{"vendor_id": "8086", "physical_network": "p", {tag}}}\n')
    said = ask("newest", "old_libvirt", files=[str(conf)])
    assert ("live_migratable but it's not supported by libvirt" in said) is is_refused


def test_the_agent_understands_networks_exclusions_and_bandwidths(tree: HostTree, release: str) -> None:
    tree.configure(RULES.replace("EXTRA", "exclude_vfs = [0, 2]") + f'release = "{RELEASES[release]}"\n')
    path = write(tree, "sriov-agent")
    # The agent reads [securitygroup] in the older one, too, but only neutron.ml2 lists it.
    validate(release, path, "neutron.ml2.sriov.agent", "neutron.ml2")
    mappings, excluded, bandwidths = ask(release, "agent", files=[path])
    assert mappings == {"physnet2": ["ens1f0", "ens1f1"]}
    assert excluded == {"ens1f0": [vf_place(PF, 0), vf_place(PF, 2)]}
    assert bandwidths == {"ens1f1": {"egress": 10000000, "ingress": 10000000}}


def test_the_agent_reads_its_folder_by_itself(tree: HostTree, release: str) -> None:
    """Beside the --config-file of its unit: oslo.config looks in the home directory as it does in /etc."""
    tree.configure(RULES.replace("EXTRA", ""))
    installed = Path(write(tree, "sriov-agent"))
    home = tree.root / "home"
    tree.write(f"home/.neutron/{installed.parent.name}/{installed.name}", installed.read_text())
    empty = str(tree.write("neutron.conf", "[DEFAULT]\n"))
    other = str(tree.write("sriov_agent.ini", "[sriov_nic]\nphysical_device_mappings = old:eth0\n"))
    ours = ["physnet2:ens1f0", "physnet2:ens1f1"]
    assert ask(release, "folders", files=[empty], home=str(home)) == ours
    assert ask(release, "folders", files=[empty, other], home=str(home)) == ["old:eth0"]


@pytest.mark.parametrize(
    ("target", "namespaces"), [("nova-scheduler", ("nova.conf",)), ("neutron-server", ("neutron", "neutron.ml2"))]
)
def test_the_controllers_files_have_options_that_exist(
    tree: HostTree, release: str, target: str, namespaces: tuple[str, ...]
) -> None:
    table = (
        'mechanism_drivers = ["openvswitch"]\nnetwork_vlan_ranges = ["physnet2:1:99"]\nflat_networks = ["physnet9"]\n'
    )
    tree.configure(RULES.replace("EXTRA", "") + f'release = "{RELEASES[release]}"\n' + table)
    validate(release, write(tree, target), *namespaces)


DOMAIN = """\
<domain type='kvm'><name>x</name><memory>1024</memory><os><type>hvm</type></os><devices>{}</devices></domain>"""


@pytest.mark.parametrize(
    "words", ["libvirt", "libvirt-hostdev", "libvirt 0000:3b:02.2 --mac 52:54:00:12:34:56 --vlan 7"]
)
def test_libvirts_own_schema_takes_the_xml(tree: HostTree, capsys: pytest.CaptureFixture[str], words: str) -> None:
    tree.configure(RULES.replace("EXTRA", '[[pf.vf]]\nvfs = "all"\nvlan = 100\nmac = "stable"'))
    tree.write("etc/machine-id", f"{'5e' * 16}\n")
    assert main(["render", *words.split()], root=str(tree.root)) == 0
    schema = str(BUILD / "schemas" / "domain.rng")
    assert ask("newest", "schema", schema=schema, text=DOMAIN.format(capsys.readouterr().out)) == []
    assert ask("newest", "schema", schema=schema, text=DOMAIN.format("<interface type='nonsense'/>")) != []
