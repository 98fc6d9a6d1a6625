"""What reading others' files costs grows with their bytes and no faster: counted in steps and values, no seconds."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from builders import make_config, make_netdev, make_pf, make_rule, make_wish
from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.checks import check_masters, find_masters, masters_on
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core import similar_names as likeness
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.doctor.diagnose import check_openstack
from sriov_bootstrap.doctor.neutron import networks
from sriov_bootstrap.doctor.nic.survey import MANAGED
from sriov_bootstrap.doctor.nova import view as nova_view
from sriov_bootstrap.doctor.nova.checks import check_nova
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.edges.yaml_text import parse_located
from sriov_bootstrap.formats import ini, init_script, kolla, modprobe, oslo_files, unit_files
from sriov_bootstrap.formats.shell import writes
from sriov_bootstrap.formats.steps import MOST, Steps, TooMuch
from sriov_bootstrap.render.host import Host

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
ECHO = f"echo 8 > {FILE}"
TABLE = "/var/spool/cron/crontabs/mallory"
UNIT = "/etc/systemd/system/vfs.service"
MANY = "A={0..99}{0..99}{0..99}; " * 2000
UNLIMITED = 1 << 40


# -- values are bounded while they are made --

BOMBS: dict[str, Callable[[int], str]] = {
    "brace lists": lambda size: f"X={'{a,b,c,d}' * size}; {ECHO}",
    "a long brace list": lambda size: f"X={{{','.join('a' * size)}}}{{{','.join('b' * size)}}}; {ECHO}",
    "ranges": lambda size: f"X={'{0..9999}' * size}; {ECHO}",
    "doubling variables": lambda size: f"A=aaaaaaaa; {'A=$A$A; ' * size}{ECHO}",
    "multiplying variables": lambda size: f"A={{a,b}}; {'A=$A$A$A; ' * size}{ECHO}",
    "loops over loops": lambda size: f"A='a b c d'; {'for B in $A $A; do A=$B$A; done; ' * size}{ECHO}",
    "eval in eval": lambda size: f"{'eval ' * size}{ECHO}",
    "assignments": lambda size: f"{'A=1 ' * size}; {ECHO}",
    "words before a command": lambda size: f"{'! ' * size}{ECHO}",
    "open blocks": lambda size: f"{'if x; then ' * size}{ECHO}",
    "open braces": lambda size: f"X={'{,' * size} Y={'${' * size}; {ECHO}",
    "words that are no functions": lambda size: f"{'a' * size} {' ' * size}; {ECHO}",
    "here-documents": lambda size: f"cat {'<<a ' * size}; {ECHO}",
    "a long pipe": lambda size: f"{'x | ' * size}{ECHO}",
    "many writes": lambda size: f"{ECHO}; " * size,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_twice_the_text_is_twice_the_steps(bomb: Callable[[int], str]) -> None:
    def taken(size: int) -> int:
        steps = Steps(UNLIMITED)
        list(writes(bomb(size), steps=steps))
        return steps.taken

    assert taken(400) <= 2.2 * taken(200)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_twice_the_text_is_twice_the_lines_of_our_code(bomb: Callable[[int], str]) -> None:
    def work(size: int) -> None:
        list(writes(bomb(size), steps=Steps(UNLIMITED)))

    assert lines_run(work, 400) <= 2.2 * lines_run(work, 200)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (f"for i in {'{a,b}' * 9}; do echo 8 > /sys/class/net/$i/device/sriov_numvfs; done", 64),
        ("for i in {0..9999}; do echo 8 > /sys/class/net/e$i/device/sriov_numvfs; done", 64),
        ("A=aaaaaaaa\n" + "A=$A$A\n" * 30 + "echo 8 > /sys/class/net/$A/device/sriov_numvfs", 1),
        (f"echo 8 > /sys/class/net/{'a' * 9999}/device/sriov_numvfs", 1),
        ("echo 8 | tee " + " ".join(FILE.replace("ens", f"e{number}ns") for number in range(99)), 64),
    ],
)
def test_a_write_goes_to_as_many_files_as_anybody_can_look_at(text: str, most: int) -> None:
    steps = Steps()
    found = [path for one in writes(text, steps=steps) for path in one.paths]
    assert len(found) <= most
    assert all(len(path) <= 1 << 12 for path in found)
    assert steps.is_cut


def test_exactly_as_many_as_may_be_are_no_cut() -> None:
    steps = Steps()
    found = writes("for i in {0..63}; do echo 8 > /sys/class/net/e$i/device/sriov_numvfs; done", steps=steps)
    assert (len(found), steps.is_cut) == (64, False)


# -- a budget for each file --


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        (Format.CRON, TABLE, f"{ECHO}\n@reboot {MANY}{ECHO}\n@reboot {ECHO}\n"),
        (Format.SCRIPT, "/etc/rc.local", f"{ECHO}\n#{'x' * MOST}"),
        (Format.INTERFACES, "/etc/network/interfaces", f"iface {'x' * 99}\nup {MANY}{ECHO}\n"),
        (Format.UDEV, "/etc/udev/rules.d/a.rules", f"RUN+=\"/bin/sh -c '{MANY}{ECHO}'\"\n"),
        (Format.UNIT, UNIT, f"[Service]\nExecStart=/bin/sh -c '{MANY}{ECHO}'\n"),
    ],
    ids=["cron", "script", "interfaces", "udev", "unit"],
)
def test_what_is_too_much_to_follow_is_named(kind: Format, path: str, text: str) -> None:
    notes: list[str] = []
    find_masters(MastersSurvey((Source(kind, path, text),)), (make_pf(),), notes.append)
    assert notes == [f"{path}: too much to follow: not everything that it sets is known"]


def test_doctor_is_told_as_well() -> None:
    notes: list[str] = []
    config = make_config(make_rule())
    pfs = (make_pf(),)
    source = Source(Format.SCRIPT, "/etc/rc.local", f"{ECHO}\n" * 70)
    host, survey = Host(config, resolve(config, pfs), pfs), MastersSurvey((source,))
    found = list(check_masters(host, survey, masters_on(host, survey, notes.append)))
    assert len(found) == 64
    assert notes == ["/etc/rc.local: too much to follow: it sets more VFs than are listed"]


def test_all_files_together_have_a_bound_too() -> None:
    notes: list[str] = []
    sources = tuple(Source(Format.SCRIPT, f"/etc/{number}", f"{ECHO}\n" * 60) for number in range(10))
    assert len(find_masters(MastersSurvey(sources), (), notes.append)) == 512
    assert {note.partition(":")[0] for note in notes} == {"/etc/8", "/etc/9"}
    assert len(notes) <= 60 * 2


def test_names_that_no_device_has_are_none() -> None:
    rule = f'SUBSYSTEM=="net", KERNEL=="{"x" * 300}", ATTR{{device/sriov_numvfs}}="8"\n'
    (one,) = find_masters(MastersSurvey((Source(Format.UDEV, "/a.rules", rule),)), ())
    assert one.devices == ()


def test_a_file_runs_as_many_scripts_as_anybody_can_read() -> None:
    notes: list[str] = []
    text = f"/opt/{'x' * 2000}\n/opt/a /opt/a\n" + "".join(f"/opt/{number}\n" for number in range(99))
    sources = (Source(Format.SCRIPT, "/etc/rc.local", text), Source(Format.SCRIPT, "/etc/x", "/opt/a /opt/b"))
    called = called_scripts(MastersSurvey(sources), notes.append)
    assert len(called) == 64 + 1
    assert called["/opt/b"].place == "/etc/x:1"
    assert notes == ["/etc/rc.local: runs more than 64 scripts: the others were not read"]


def test_a_unit_with_too_many_instances_is_left() -> None:
    wanted = frozenset(f"vfs@{number}.service" for number in range(300))
    text = f"[Service]\nExecStart=/opt/{'x' * 9000} %i\n"
    source = Source(Format.UNIT, "/etc/systemd/system/vfs@.service", text)
    assert called_scripts(MastersSurvey((source,), wanted), print) == {}


def test_an_instance_may_have_a_backslash() -> None:
    """systemd escapes with them what a name may not have."""
    text = f"[Service]\nExecStart=/bin/sh -c '{ECHO.replace('ens1f0', 'ens%i')}'\n"
    source = Source(Format.UNIT, "/etc/systemd/system/vfs@.service", text)
    assert find_masters(MastersSurvey((source,), frozenset({"vfs@1\\x2df0.service"})), ())


def test_a_glob_that_no_driver_has_takes_none() -> None:
    """fnmatch looks for the end of each of its brackets anew."""
    text = f"[Match]\nDriver={'*' * 300}\n[Link]\nSR-IOVVirtualFunctions=8\n"
    assert find_masters(MastersSurvey((Source(Format.LINK, "/a.link", text),)), (make_pf(),)) == ()


def test_names_of_other_lengths_are_not_compared_letter_by_letter() -> None:
    assert lines_run(lambda _: nearest("x" * 60, ["y" * 9] * 9), 1) < 100


def test_an_answer_of_network_manager_is_a_line() -> None:
    """Not all of a file of empty lines, from each of them."""
    assert not MANAGED.search("managed=\n\ntrue")


# -- every reader, by the lines of our code that run --


def lines_run(work: Callable[[int], object], size: int) -> int:
    count = 0

    def trace(_frame: FrameType, event: str, _value: object) -> Any:  # noqa: ANN401 - typeshed's own
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(size)
    finally:
        sys.settrace(before)
    return count


def found(kind: Format, path: str, text: str) -> None:
    config = make_config(make_rule())
    pfs = (make_pf(netdevs=(make_netdev(),)),)
    document = parse_located(text.encode(), path) if path.endswith(".yaml") else None
    survey = MastersSurvey((Source(kind, path, text, document),), frozenset({"vfs.service"}))
    host = Host(config, resolve(config, pfs), pfs)
    list(check_masters(host, survey, masters_on(host, survey)))
    called_scripts(survey, print)


def refused_specs(size: int) -> None:
    text = "[pci]\n" + "device_spec = x\n" * size
    compute = Service("nova-compute", "u", True, argv=("nova-compute",), files=(ini.parse_ini("/n", text),))  # noqa: FBT003
    list(check_nova(Host(make_config(make_rule())), OpenStackSurvey(compute), print))


def nested_ifs(size: int) -> None:
    init_script.script_argv("NAME=a\n" + "if [ -f /a ]; then\n" * size + "A=$A\n" * size, {}, frozenset({"/a"}))


def of(kind: Format, path: str, line: str, *, head: str = "") -> Callable[[int], object]:
    return lambda size: found(kind, path, head + line * size)


def netdefs(size: int) -> None:
    lines = "".join(f"  a{number}: {{link: b}}\n" for number in range(size))
    found(Format.NETPLAN, "/a.yaml", f"network:\n ethernets:\n{lines}")


def command_line(size: int) -> None:
    words = oslo_files.service_argv(("env", *("-x",) * size, "a", *("--config-file",) * size))
    oslo_files.reading_steps(words, "nova", "/")


# -- lists of nova and neutron, on a host that grows with them --


def openstack(size: int, ini_text: str) -> None:
    """As many PFs with a rule as there are eighths of the items, and nothing of the file fits any of them."""
    pfs, wishes = [], []
    for number in range(max(1, size // 8)):
        dev = make_netdev(name=f"ens{number}f0", altnames=(f"enp{number}s0",))
        pf = make_pf(pci_address=f"0000:{number:02x}:00.0", netdevs=(dev,), vfs=())
        pfs.append(pf)
        wishes.append(make_wish(pf=pf, name=f"rule-{number}", physical_network=f"physnet{number}", alias=f"a{number}"))
    host = Host(Config(pf=tuple(one.rule for one in wishes)), wishes=tuple(wishes), pfs=tuple(pfs))
    files = (ini.parse_ini("/f", ini_text),)
    names = ("nova-compute", "nova-scheduler", "sriov-agent", "neutron-server")
    services = [Service(name, f"{name}.service", is_installed=True, argv=(name,), files=files) for name in names]
    compute, scheduler, agent, server = services
    survey = OpenStackSurvey(compute, scheduler, agent, server, strays=(ini.parse_ini("/g", ini_text),))
    list(check_openstack(host, survey, print))


def one_list(head: str, item: Callable[[int], str], *, tail: str = "") -> Callable[[int], object]:
    return lambda size: openstack(size, f"{head}{','.join(map(item, range(size)))}{tail}\n")


MAPPED = "[sriov_nic]\nphysical_device_mappings = "
SPEC = "[pci]\ndevice_spec = "
LISTS: dict[str, Callable[[int], object]] = {
    "mappings": one_list(MAPPED, lambda n: f"network-{n}:e{n}"),
    "mappings of renamed netdevs": one_list(MAPPED, lambda n: f"network-{n}:ens{n}f0np0"),
    "mappings like a netdev": one_list(MAPPED, lambda n: f"physnet{n}x:ens{n}f1"),
    "bad mappings": one_list(MAPPED, lambda n: f"a:{n}:b"),
    "exclusions": one_list("[sriov_nic]\nexclude_devices = ", lambda n: f"ens{n}f0:0000:ff:00.0;x"),
    "bandwidths": one_list("[sriov_nic]\nresource_provider_bandwidths = ", lambda n: f"a{n}:1:1"),
    "specs": one_list(SPEC + "[", lambda n: f'{{"address": "0000:{n % 256:02x}:1f.7"}}', tail="]"),
    "networks of specs": one_list(SPEC + "[", lambda n: f'{{"devname": "a{n}", "physical_network": "n{n}"}}', tail="]"),
    "keys of specs": one_list(SPEC + "{", lambda n: f'"addres{n}": 1', tail="}"),
    "ranges": one_list("[ml2_type_vlan]\nnetwork_vlan_ranges = ", lambda n: f"n{n}:1:2"),
    "flat networks": one_list("[ml2_type_flat]\nflat_networks = ", lambda n: f"n{n}"),
    "filters": one_list("[filter_scheduler]\nenabled_filters = ", lambda n: f"PciPassthroughFilt{n:02}"),
    "options": lambda size: openstack(size, "[sriov_nic]\n" + "".join(f"exclude_device{n} = a\n" for n in range(size))),
    "options of nova": lambda size: openstack(size, "[pci]\n" + "".join(f"device_spe{n} = a\n" for n in range(size))),
    "lists again": lambda size: openstack(size, "".join(f"{MAPPED}a{n}:b\n" for n in range(size))),
    "aliases": lambda size: openstack(size, "[pci]\n" + "".join(f'alias={{"name":"a{n}"}}\n' for n in range(size))),
    "filters of one's own": lambda size: openstack(
        size,
        f"[filter_scheduler]\nenabled_filters = {'RamFilter,' * size}\n" + "available_filters = a.b\n" * size,
    ),
}


@pytest.mark.parametrize("of_list", LISTS.values(), ids=LISTS)
def test_every_list_is_linear_in_its_items_and_the_devices_together(
    monkeypatch: pytest.MonkeyPatch, of_list: Callable[[int], object]
) -> None:
    monkeypatch.setattr(likeness, "GUESSES", 2)  # so that a small list is a long one
    monkeypatch.setattr(likeness, "COMPARED", 2)
    monkeypatch.setattr(networks, "MAX_NAMES", 2)
    monkeypatch.setattr(nova_view, "LOOKS", 64)
    of_list(8)
    assert lines_run(of_list, 320) <= 2.3 * lines_run(of_list, 160)


def test_what_a_long_value_shows_is_made_once() -> None:
    (entry,) = ini.parse_ini("/f", f"[a]\nb = {'x' * 999}\n").entries
    assert entry.text is entry.text
    assert entry.place is entry.place


RULE = 'KERNEL=="a", RUN+="x", ATTR{sriov_numvfs}="8"\n'
READERS: dict[str, Callable[[int], object]] = {
    "script": of(Format.SCRIPT, "/etc/rc.local", f"{ECHO}\n/opt/x\n"),
    "cron": of(Format.CRON, TABLE, f"@reboot {ECHO}; {ECHO}\n"),
    "interfaces": of(Format.INTERFACES, "/etc/network/interfaces", f"iface a\nup {ECHO}\n"),
    "unit": of(Format.UNIT, UNIT, f'ExecStart=/bin/sh -c "{ECHO}"\n', head="[Service]\n"),
    "udev": of(Format.UDEV, "/a.rules", RULE),
    "link": of(Format.LINK, "/a.link", "SR-IOVVirtualFunctions=8\n", head="[Match]\nDriver=igb\n[Link]\n"),
    "profile": of(Format.NETWORK_MANAGER, "/a", "total-vfs=8\n", head="[connection]\ninterface-name=a\n[sriov]\n"),
    "ifcfg": of(Format.IFCFG, "/ifcfg-a", "SRIOV_TOTAL_VFS=8\\\n\n"),
    "netplan": netdefs,
    "operator": of(Format.OPERATOR, "/a.yaml", "- {pciAddress: a, numVfs: 8}\n"),
    "modprobe.d": of(Format.MODPROBE, "/a.conf", "options igb \\\n max_vfs=8\n"),
    "loops over folders": of(Format.SCRIPT, "/etc/rc.local", "for s in /a/*; do . $s; done\nrun-parts /b\n"),
    "files that are given": of(
        Format.SCRIPT, "/etc/rc.local", f"{ECHO}\nN=$(cat /a)\nsystemd-tmpfiles --create /b\nansible-playbook /c.yml\n"
    ),
    "lists of files": of(Format.SCRIPT, "/etc/rc.local", "ls /a | sh\nfind /b -exec sh {} +\n"),
    "conditions": of(
        Format.UNIT, UNIT, "ConditionPathExists=/a\n", head=f"[Service]\nExecStart=sh -c '{ECHO}'\n[Unit]\n"
    ),
    "output": of(Format.UNIT, UNIT, f"ExecStart=echo 8\nStandardOutput=file:{FILE}\n", head="[Service]\n"),
    "tmpfiles.d": of(Format.TMPFILES, "/a.conf", f"w {FILE} - - - - 8\n"),
    "tuned": of(Format.TUNED, "/etc/tuned/a/tuned.conf", f"script=a\n{FILE}=8\ninclude=b\n", head="[main]\n"),
    "boot loader": of(Format.KERNEL, "/etc/default/grub", 'A="igb.max_vfs=8"\n'),
    "list of modules": of(Format.MODULE_LIST, "/etc/modules", "igb max_vfs=8\n"),
    "nmstate": of(
        Format.NMSTATE,
        "/a.yaml",
        "- {name: a, ethernet: {sr-iov: {total-vfs: 8, vfs: [{id: 0, trust: true}]}}}\n",
        head="interfaces:\n",
    ),
    "playbook": of(Format.PLAYBOOK, "/a.yml", "num_vfs: 8\n"),
    "joined lines": lambda size: modprobe.parse({"/a": "x\\\n" * size}, ()),
    "ini": lambda size: ini.parse_ini("/a", "[a]\nb=c\n d\n" * size),
    "device_spec": refused_specs,
    "unit's values": lambda size: unit_files.service_values(("[Service]\n" + "ExecStart=a\n" * size,), "ExecStart"),
    "init script": nested_ifs,
    "command line": command_line,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_every_reader_is_linear_in_bytes(reader: Callable[[int], object]) -> None:
    reader(1)  # what is compiled and remembered once
    assert lines_run(reader, 400) <= 2.2 * lines_run(reader, 200)


# -- how a service is started --


def test_variables_of_an_init_script_do_not_double_for_ever() -> None:
    script = "NAME=a\nDAEMON_ARGS=aaaaaaaa\n" + 'DAEMON_ARGS="$DAEMON_ARGS$DAEMON_ARGS"\n' * 30
    assert sum(map(len, init_script.script_argv(script, {}, frozenset()))) <= 1 << 15


def test_scripts_that_read_each_other_again_and_again_are_too_much() -> None:
    text = "NAME=a\n" + ". /etc/default/a\n" * 50
    assert init_script.script_argv(text, {"/etc/default/a": text}, frozenset()) == ()


def test_a_command_is_no_longer_than_one_can_be() -> None:
    words = unit_files.exec_start((f"[Service]\nExecStart=/a {'${A}' * 9}\n",), {"A": "x" * 4000})
    assert sum(map(len, words)) <= 1 << 14
    assert oslo_files.split("a 'b c'" + " " * (1 << 14)) == ("a", "'b", "c'")


def test_a_container_copies_nothing_from_outside_of_its_folder() -> None:
    container = kolla.Container("", (kolla.Copy(f"{kolla.INSIDE}../../root/x", "/etc/x"),))
    assert kolla.on_host("/etc/x", container, "/etc/kolla/nova-compute") == ""


def test_steps_end_in_too_much() -> None:
    steps = Steps(3)
    steps.take(3)
    with pytest.raises(TooMuch):
        steps.take(1)


@pytest.mark.parametrize("kind", [Format.SCRIPT, Format.CRON, Format.INTERFACES, Format.UNIT])
def test_a_file_without_the_word_sets_nothing(kind: Format) -> None:
    assert find_masters(MastersSurvey((Source(kind, "/etc/a", "up true\n"),)), ()) == ()
