"""Each format with samples as they are found on hosts: what its reader makes of them."""

import pytest

from builders import PF, make_netdev, make_pf
from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master, count
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, without_overridden
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import LinkState, VfTable, VlanProtocol
from sriov_bootstrap.edges.yaml_text import parse_located

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
UNIT = "/etc/systemd/system/vfs.service"
ENS1F0 = (Match(netdev="ens1f0"),)
ALL = (Match(pci_address="*"),)


def find(*sources: Source, wanted: frozenset[str] = frozenset({"vfs.service"})) -> tuple[Master, ...]:
    return find_masters(MastersSurvey(sources, wanted), (make_pf(),))


def brief(*sources: Source) -> list[tuple[int, tuple[Match, ...], int | None, bool]]:
    return [(one.line, one.devices, one.num_vfs, one.is_certain) for one in find(*sources)]


@pytest.mark.parametrize(
    ("path", "devices"),
    [
        (FILE, ENS1F0),
        ("/sys/class/net/ens*/device/sriov_numvfs", (Match(netdev="ens*"),)),
        ("/sys/bus/pci/devices/0000:3B:00.0/sriov_numvfs", (Match(pci_address=PF),)),
        ("/sys/bus/pci/devices/*/sriov_numvfs", ALL),
        ("/sys/bus/pci/devices/10000:e1:00.0/sriov_numvfs", (Match(pci_address="10000:e1:00.0"),)),
        ("/sys/bus/pci/drivers/igb/0000:3b:00.0/sriov_numvfs", (Match(pci_address=PF),)),
        ("/sys/bus/pci/drivers/igb/*/sriov_numvfs", (Match(driver="igb"),)),
        ("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/sriov_numvfs", (Match(pci_address=PF),)),
        ("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/net/ens1f0/device/sriov_numvfs", ENS1F0),
        ("/sys/class/net/ens1f0/device/../sriov_numvfs", ENS1F0),
        ("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/virtio1/net/ens1f0/device/../sriov_numvfs", ENS1F0),
        ("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/virtio1/../sriov_numvfs", (Match(pci_address=PF),)),
        ("/sys/bus/pci/devices/0000:3b:00.0/virtio*/../sriov_numvfs", (Match(pci_address=PF),)),
        ("/sys/bus/virtio/devices/virtio1/../sriov_numvfs", ()),
        ("/sys/bus/pci/devices/3b:00.0/sriov_numvfs", ()),
        ("/sys/class/net/$1/device/sriov_numvfs", ()),
        ("$ROOT/sys/class/net/ens1f0/device/sriov_numvfs", ENS1F0),
        ("$DIR/sriov_numvfs", ()),
    ],
)
def test_the_device_is_in_the_path(path: str, devices: tuple[Match, ...]) -> None:
    assert brief(Source(Format.SCRIPT, "/etc/rc.local", f"echo 8 > {path}")) == [(1, devices, 8, True)]


def test_what_is_no_network_device_is_not_ours() -> None:
    assert not find(Source(Format.SCRIPT, "/etc/rc.local", "echo 8 > /sys/class/drm/card0/device/sriov_numvfs"))
    assert not find(Source(Format.UNIT, UNIT, "[Service]\nExecStart=sh -c 'echo 1 > /sys/class/drm/x/sriov_numvfs'\n"))


PUT_COLON = "in an editor, replace the command that sets VFs in line 1 of /etc/rc.local with : (which does nothing)"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (f"echo 8 > {FILE}\n", "delete line 1 of /etc/rc.local: sed -i 1d /etc/rc.local"),
        (f"if true; then echo 8 > {FILE}; fi\n", PUT_COLON),
        (f"  echo 8 > {FILE}\n", "delete line 1 of /etc/rc.local: sed -i 1d /etc/rc.local"),
        (f"echo 8 > {FILE} \\\n\n", PUT_COLON),
        (f"modprobe igb; echo 8 > {FILE}\n", PUT_COLON),
        (f"modprobe igb && echo 8 > {FILE}\n", PUT_COLON),
        (f"sh -c 'echo 8 > {FILE}'\n", PUT_COLON),
        (f"{{ echo 8 > {FILE}; }}\n", PUT_COLON),
    ],
)
def test_a_line_is_deleted_where_it_stands_alone(text: str, remedy: str) -> None:
    assert find(Source(Format.SCRIPT, "/etc/rc.local", text))[0].remedy == remedy


def test_a_script_that_nobody_may_execute_is_a_doubt() -> None:
    (found,) = find(Source(Format.SCRIPT, "/etc/rc.local", f"echo 8 > {FILE}", is_run=False))
    assert (found.is_certain, found.doubt) == (False, "/etc/rc.local is not executable, so it is not run now")


def test_a_binary_is_no_script() -> None:
    assert not find(Source(Format.SCRIPT, "/etc/network/if-up.d/x", f"\x7fELF\0echo 8 > {FILE}"))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/crontab", f"@reboot root echo 8 > {FILE}"),
        ("/etc/cron.d/vfs", f"*/5 * * * * root /bin/sh -c 'echo 8 > {FILE}'"),
        ("/var/spool/cron/crontabs/root", f"@reboot sleep 30 && echo 8 > {FILE}"),
        ("/var/spool/cron/root", f"0 * * * * echo 8 > {FILE}"),
    ],
)
def test_cron_tables(path: str, line: str) -> None:
    text = f"# echo 4 > {FILE}\nSHELL=/bin/bash # sriov_numvfs\n{line}\n"
    assert brief(Source(Format.CRON, path, text)) == [(3, ENS1F0, 8, True)]


@pytest.mark.parametrize(
    ("time", "is_often"),
    [
        ("@reboot", True),
        ("@hourly", True),
        ("17 * * * *", True),
        ("*/5 */2 * * *", True),
        ("0 4 * * *", False),
        ("0 * * * 1", False),
        ("* * 1 * *", False),
        ("@daily", False),
        ("@weekly", False),
    ],
)
def test_a_job_that_is_run_later_is_a_doubt(time: str, *, is_often: bool) -> None:
    (found,) = find(Source(Format.CRON, "/etc/crontab", f"{time} root echo 8 > {FILE}\n"))
    assert (found.num_vfs, found.doubt) == (8, "" if is_often else "cron runs it at its time, not at boot")


@pytest.mark.parametrize("when", ["daily", "weekly", "monthly"])
def test_a_script_that_cron_runs_later_is_a_doubt(when: str) -> None:
    (found,) = find(Source(Format.SCRIPT, f"/etc/cron.{when}/vfs", f"echo 8 > {FILE}\n"))
    assert (found.is_certain, found.doubt) == (False, f"cron runs it {when}, not at boot")
    assert find(Source(Format.SCRIPT, "/etc/cron.hourly/vfs", f"echo 8 > {FILE}\n"))[0].is_certain


def test_interfaces() -> None:
    text = (
        "auto ens1f0\niface ens1f0 inet manual\n  pre-up echo 8 > /sys/class/net/$IFACE/device/sriov_numvfs\n"
        f"  # up echo 4 > {FILE}\n  up ip link set $IFACE up\niface\n  post-up echo 2 > {FILE}\n"
    )
    source = Source(Format.INTERFACES, "/etc/network/interfaces", text)
    assert brief(source) == [(3, ENS1F0, 8, True), (7, ENS1F0, 2, True)]
    assert find(source)[0].text == f"echo 8 > {FILE}"


SERVICE = "[Unit]\nDescription=VFs\n[Service]\nType=oneshot\nExecStart={}\n[Install]\nWantedBy=multi-user.target\n"


@pytest.mark.parametrize(
    ("command", "number"),
    [
        pytest.param(f"/bin/bash -c 'echo 8 > {FILE}'", 8, id="bash"),
        pytest.param(f'-/bin/sh -ec "echo 8 | tee {FILE}"', 8, id="sh"),
        pytest.param(f"/bin/sh -c 'for i in ens1f0; do \\\n echo 8 > {FILE}; done'", 8, id="continued"),
        pytest.param(f"/bin/sh -c 'for i in ens1f0; do \\\n# why\n echo 8 > {FILE}; done'", 8, id="a comment in it"),
        pytest.param("/bin/sh -c 'N=8; echo $$N > /sys/class/net/ens1f0/device/sriov_numvfs'", 8, id="doubled dollar"),
    ],
)
def test_units(command: str, number: int) -> None:
    (found,) = find(Source(Format.UNIT, UNIT, SERVICE.format(command)))
    assert (found.line, found.devices, found.num_vfs) == (5, ENS1F0, number)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"/bin/echo 8 > {FILE}", id="systemd does not redirect"),
        pytest.param(f"/bin/cat {FILE}", id="read"),
    ],
)
def test_units_that_set_nothing(command: str) -> None:
    assert not find(Source(Format.UNIT, UNIT, SERVICE.format(command)))


def test_only_units_that_are_wanted_count() -> None:
    text = SERVICE.format(f"/bin/sh -c 'echo 8 > {FILE}'")
    source = Source(Format.UNIT, UNIT, text)
    for key in ("WantedBy", "RequiredBy", "UpheldBy"):
        assert not find(Source(Format.UNIT, UNIT, text.replace("WantedBy", key)), wanted=frozenset())
    assert find(source)
    assert find(Source(Format.UNIT, UNIT, text.replace("WantedBy", "Alias")), wanted=frozenset())
    assert find(Source(Format.UNIT, UNIT, text.partition("[Install]")[0]), wanted=frozenset())
    assert not find(Source(Format.UNIT, "/etc/systemd/system/sriov-bootstrap.service", text))


def test_a_unit_in_a_higher_folder_hides_another() -> None:
    text = SERVICE.format(f"/bin/sh -c 'echo 8 > {FILE}'")
    assert not find(Source(Format.UNIT, UNIT), Source(Format.UNIT, "/usr/lib/systemd/system/vfs.service", text))


def test_instances_of_a_template() -> None:
    text = (
        "[Service]\nExecStart=/bin/sh -c 'if grep -q x /x; then echo 4 > /sys/class/net/%i/device/sriov_numvfs; fi'\n"
    )
    source = Source(Format.UNIT, "/etc/systemd/system/vfs@.service", text)
    found = find(source, wanted=frozenset({"vfs@ens1f0.service", "vfs@ens1f1.service", "x.service"}))
    assert [one.devices for one in found] == [ENS1F0, (Match(netdev="ens1f1"),)]
    assert [one.doubt for one in found] == ["it is in a block that is not always run"] * 2


WHY = "it does nothing else"
DISABLE = f"systemctl disable vfs.service ({WHY}), and remove {UNIT}"
RELOAD = "then: systemctl daemon-reload"


@pytest.mark.parametrize(
    ("path", "more", "remedy"),
    [
        (UNIT, "", DISABLE),
        (UNIT, "ExecStart=/bin/true\n", DISABLE),
        (
            UNIT,
            "ExecStart=/usr/sbin/ethtool -K ens1f0 gro on\n",
            f"remove the command that sets VFs from line 3 of {UNIT}, {RELOAD}; what else it runs stays: ethtool",
        ),
        (
            "/etc/systemd/system/vfs.service.d/a.conf",
            "",
            f"remove the command that sets VFs from line 2 of /etc/systemd/system/vfs.service.d/a.conf, {RELOAD}",
        ),
    ],
)
def test_what_to_do_about_a_unit(path: str, more: str, remedy: str) -> None:
    text = f"[Service]\n{more}ExecStart=/bin/sh -c 'echo 8 > {FILE}'\n"
    assert [one.remedy for one in find(Source(Format.UNIT, path, text))] == [remedy]


def test_scripts_are_followed_once() -> None:
    survey = MastersSurvey(
        (
            Source(Format.UNIT, UNIT, SERVICE.format("/usr/local/sbin/vfs.sh ens1f0")),
            Source(
                Format.SCRIPT,
                "/etc/rc.local",
                "#!/bin/sh\n/opt/vfs.sh\nsh /usr/local/sbin/vfs.sh\n/etc/rc.local\n"
                "for s in /etc/a.d/*; do . $s; done\n",
            ),
            Source(Format.SCRIPT, "/etc/x", "/opt/x.sh", is_run=False),
            Source(Format.SCRIPT, "/etc/y", "/opt/y.sh\0"),
            Source(Format.UDEV, "/etc/udev/rules.d/a.rules", 'RUN+="/etc/vfs %k"\nNAME="/etc/z"\n'),
        ),
        frozenset({"vfs.service"}),
    )
    assert {path: call.place for path, call in called_scripts(survey, print).items()} == {
        "/usr/local/sbin/vfs.sh": f"{UNIT}:5",
        "/opt/vfs.sh": "/etc/rc.local:2",
        "/etc/vfs": "/etc/udev/rules.d/a.rules:1",
    }
    (found,) = find(Source(Format.SCRIPT, "/opt/vfs.sh", f"echo 8 > {FILE}\n", caller="/etc/rc.local:2"))
    assert found.remedy == "delete line 1 of /opt/vfs.sh (run by /etc/rc.local:2): sed -i 1d /opt/vfs.sh"


@pytest.mark.parametrize(
    ("command", "is_named"),
    [
        ("sh /opt/vfs", True),
        (". '/opt/vfs'", True),
        ("/usr/bin/bash -e /opt/vfs", True),
        ("test -e /etc/x\n(perl5.36 -w /opt/vfs)", True),
        ("/opt/vfs", False),
        ("cat /opt/vfs", False),
        ("sh\n  /opt/vfs", False),
        ("sh -x; cat /opt/vfs", False),
    ],
)
def test_a_file_after_a_language_is_a_script_whatever_it_looks_like(command: str, *, is_named: bool) -> None:
    called = called_scripts(MastersSurvey((Source(Format.SCRIPT, "/etc/rc.local", f"#!/bin/sh\n{command}\n"),)), print)
    assert called["/opt/vfs"].is_named is is_named


def test_a_path_of_a_kilobyte_is_a_file_and_a_longer_one_is_none() -> None:
    longest = f"/{'x' * 1023}"
    survey = MastersSurvey((Source(Format.SCRIPT, "/etc/rc.local", f"#!/bin/sh\nsh {longest}\nsh {longest}x\n"),))
    assert [*called_scripts(survey, print)] == [longest]


NET = 'ACTION=="add", SUBSYSTEM=="net", '
SET = 'ATTR{device/sriov_numvfs}="8"'


@pytest.mark.parametrize(
    ("rule", "devices", "certain"),
    [
        pytest.param(NET + 'KERNEL=="ens1f0", ' + SET, ENS1F0, True, id="name"),
        pytest.param(NET + 'ENV{ID_NET_DRIVER}=="igb", ' + SET, (Match(driver="igb"),), True, id="Red Hat's"),
        pytest.param(NET + 'KERNELS=="0000:3B:00.0", ' + SET, (Match(pci_address=PF),), True, id="address"),
        pytest.param(NET + 'ENV{ID_PATH}=="pci-0000:3b:00.0", ' + SET, (Match(pci_address=PF),), True, id="path"),
        pytest.param(NET + 'ENV{ID_NET_NAME_PATH}=="ens1f0", ' + SET, ENS1F0, True, id="udev's name"),
        pytest.param(
            NET + 'ATTR{address}=="3c:fd:fe:aa:bb:00", NAME="ens1f0", ' + SET,
            (Match(mac="3c:fd:fe:aa:bb:00"),),
            True,
            id="MAC",
        ),
        pytest.param(
            NET + 'ATTR{address}=="3C:fd:fe:aa:bb:00", NAME="ens1f0", ' + SET,
            (Match(mac="3c:fd:fe:aa:bb:00"),),
            False,
            id="MAC with a capital, which udev never finds",
        ),
        pytest.param(
            NET + 'KERNEL=="ens1f0|ens1f1", ' + SET, (*ENS1F0, Match(netdev="ens1f1")), True, id="alternatives"
        ),
        pytest.param(
            'SUBSYSTEM=="pci", KERNEL=="0000:3b:00.0", DRIVER=="igb", ATTR{sriov_numvfs}="8"',
            (Match(pci_address=PF, driver="igb"),),
            True,
            id="PCI device",
        ),
        pytest.param(
            'SUBSYSTEM=="pci", ATTR{vendor}=="0x8086", ATTR{device}=="0x10c9", ATTR{sriov_numvfs}:="8"',
            (Match(vendor_id="8086", device_id="10c9"),),
            True,
            id="ids",
        ),
        pytest.param(
            'SUBSYSTEM=="pci", ATTR{vendor}=="0x8086", ATTR{device}=="0x10C9", ATTR{sriov_numvfs}:="8"',
            (Match(vendor_id="8086", device_id="10c9"),),
            False,
            id="ids in capitals",
        ),
        pytest.param(NET + SET, ALL, True, id="all"),
        pytest.param(NET + 'KERNEL=="ens1f0", ENV{X}=="1", ' + SET, ENS1F0, False, id="a condition"),
        pytest.param(NET + 'KERNEL!="eno*", ' + SET, ALL, False, id="an exception"),
        pytest.param(
            NET + 'KERNEL=="ens1f0", ATTR{device/sriov_totalvfs}=="?*", ' + SET, ENS1F0, True, id="it has VFs"
        ),
        pytest.param(
            NET + 'KERNEL=="ens1f0", ATTR{device/../sriov_totalvfs}=="?*", ATTR{device/../sriov_numvfs}="8"',
            ENS1F0,
            True,
            id="a virtio device is in between",
        ),
        pytest.param(
            NET + 'KERNEL=="ens1f0", RUN+="/bin/sh -c \'echo 8 > /sys/class/net/%k/device/sriov_numvfs\'"',
            ENS1F0,
            True,
            id="run",
        ),
        pytest.param(
            NET + 'KERNEL=="ens1f0", RUN+="/bin/sh -c \'echo 8 > /sys$devpath/device/sriov_numvfs\'"',
            ENS1F0,
            True,
            id="run, by path",
        ),
        pytest.param(
            NET + f"RUN{{program}}+=\"/bin/sh -c 'echo 8 > {FILE}'\"", ENS1F0, True, id="run, for a device of its own"
        ),
        pytest.param(
            NET + 'KERNEL=="ens1f0", RUN+="/bin/os-net-config-sriov -n %k:8"', ENS1F0, True, id="os-net-config's"
        ),
        pytest.param(NET + 'RUN+="/bin/os-net-config-sriov -n ens1f0:8"', ENS1F0, True, id="with a name"),
        pytest.param(NET + 'KERNEL=="ens1f0", \\\n  ' + SET, ENS1F0, True, id="continued"),
        pytest.param(NET + 'KERNEL=="ens1f0", \\\n# why\n' + SET, ENS1F0, True, id="continued after a comment"),
    ],
)
def test_udev_rules(rule: str, devices: tuple[Match, ...], *, certain: bool) -> None:
    text = f"# {rule.rpartition(chr(10))[2]}\n{rule}\n"
    assert brief(Source(Format.UDEV, "/etc/udev/rules.d/a.rules", text)) == [(2, devices, 8, certain)]


@pytest.mark.parametrize(
    "rule",
    [
        'ACTION=="remove", SUBSYSTEM=="net", ' + SET,
        'SUBSYSTEM=="drm", ' + SET,
        NET + 'ATTR{device/sriov_numvfs}=="8", NAME="x"',
        NET + 'RUN+="/bin/cat /sys/class/net/%k/device/sriov_numvfs"',
        NET + "RUN+=\"/bin/sh -c 'echo 1 > /sys/class/drm/card0/device/sriov_numvfs'\"",
        'LABEL="end"',
        "\x00\x01",
    ],
)
def test_udev_rules_that_set_nothing(rule: str) -> None:
    assert not find(Source(Format.UDEV, "/etc/udev/rules.d/a.rules", rule))


def test_a_jump_may_leave_out_a_rule() -> None:
    rule = NET + 'KERNEL=="ens1f0", ' + SET
    usual = f'SUBSYSTEM!="net", GOTO="end"\n{rule}\nLABEL="end"\n'
    doubtful = f'ENV{{X}}=="1", GOTO="end"\n{rule}\nLABEL="end"\n'
    assert [brief(Source(Format.UDEV, "/a", text))[0][3] for text in (usual, doubtful)] == [True, False]


def test_tripleos_rule_names_no_number() -> None:
    rule = 'KERNEL=="ens1f0", RUN+="/etc/sysconfig/allocate_vfs %k"'
    assert brief(Source(Format.UDEV, "/a.rules", rule)) == [(1, ENS1F0, None, True)]


ON_PF = (Match(pci_address=PF),)
RELOAD_PROFILES = "nmcli connection reload (a profile that is active now still sets 0 once, when it goes down)"
RELOAD_LINKS = "udevadm control --reload; it takes effect at the next boot"


@pytest.mark.parametrize(
    ("match", "certain"),
    [
        pytest.param("Path=pci-0000:3b:00.0", True, id="path"),
        pytest.param("Path=pci-0000:5e:00.0 pci-0000:3b:*", True, id="globs"),
        pytest.param("MACAddress=3C-FD-FE-AA-BB-00", True, id="MAC"),
        pytest.param("MACAddress=3cfd.feaa.bb00", True, id="MAC with dots"),
        pytest.param("PermanentMACAddress=3c:fd:fe:aa:bb:00\nDriver=igb\nType=ether", True, id="several"),
        pytest.param("Driver=!ixgbe", True, id="not another driver"),
        pytest.param("Driver=!ixgbe ice", True, id="neither of two"),
        pytest.param("Driver=ixgbe\nDriver=igb", True, id="another line"),
        pytest.param("Driver=ixgbe\nDriver=\nType=ether", True, id="an empty line drops those before"),
        pytest.param("Path=\"pci-0000:3b:00.0\" 'x y'", True, id="quotes"),
        pytest.param('Driver="!ixgbe"', True, id="inverted in quotes"),
        pytest.param("MACAddress=02:00:00:00:00:01\nMACAddress=3c:fd:fe:aa:bb:00", True, id="MACs"),
        pytest.param("OriginalName=*", True, id="any"),
        pytest.param("OriginalName=ens1f0", False, id="its name now"),
        pytest.param("OriginalName=eth0", False, id="a kernel's name"),
        pytest.param("OriginalName=!eth0 ens1f0", False, id="neither a kernel's name nor its name now"),
        pytest.param("Driver=igb\nVirtualization=no", False, id="what only udev knows"),
    ],
)
def test_link_files(match: str, *, certain: bool) -> None:
    text = f"[Match]\n{match}\n\n[Link]\n# SR-IOVVirtualFunctions=3\nSR-IOVVirtualFunctions=8\n"
    (found,) = find(Source(Format.LINK, "/etc/systemd/network/10-pf.link", text))
    assert (found.devices, found.num_vfs, found.is_certain) == (ON_PF, 8, certain)
    assert bool(found.doubt) is not certain
    assert found.evidence == "SR-IOVVirtualFunctions=8"


@pytest.mark.parametrize(
    "match",
    [
        "",
        "[Match]",
        "[Match]\nDriver=ixgbe",
        "[Match]\nOriginalName=eno1",
        "[Match]\nDriver=!igb",
        "[Match]\nDriver=!ixgbe igb",
        "[Match]\nDriver=igb\nDriver=!igb",
        "[Match]\nDriver=igb\nDriver=",
        "[Match]\nDriver=igb\nType=wlan",
        '[Match]\nOriginalName="ens1f0"',
    ],
)
def test_link_files_for_others(match: str) -> None:
    assert not find(
        Source(Format.LINK, "/etc/systemd/network/10-pf.link", f"{match}\n[Link]\nSR-IOVVirtualFunctions=8\n")
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("[Link]\nSR-IOVVirtualFunctions=\n[SR-IOV]\nVirtualFunction=2\nTrust=yes\n[SR-IOV]\nVirtualFunction=1\n", 3),
        ("[SR-IOV]\nVirtualFunction=0\n", 1),
        ("[Link]\nSR-IOVVirtualFunctions=many\n", None),
        ("[Link]\nSR-IOVVirtualFunctions=many\ngarbage\nSR-IOVVirtualFunctions=2\n", 2),
        ("[SR-IOV]\nVirtualFunction=x\nVirtualFunction=0x4\n", 5),
        *(
            (f"[Link]\nSR-IOVVirtualFunctions=4\nSR-IOVVirtualFunctions={text}\n", number)
            for text, number in {
                "8": 8,
                "0x8": 8,
                "0X8": 8,
                "010": 8,
                "0b11": 3,
                "0B11": 3,
                "0o7": 7,
                "0O7": 7,
                "+8": 8,
                " 8 ": 8,
                "0": 0,
                "08": 4,
                '"8"': 4,
                "8 # x": 4,
                "8.0": 4,
                "1_0": 4,
                "-1": 4,
                "2147483648": 4,
            }.items()
        ),
        ("[Link]\nSR-IOVVirtualFunctions=4\nSR-IOVVirtualFunctions=\nSR-IOVVirtualFunctions=08\n", None),
        ("[Link]\nSR-IOVVirtualFunctions=4\n[SR-IOV]\nVirtualFunction=7\n", 4),
    ],
)
def test_the_number_of_a_link_file(text: str, number: int | None) -> None:
    """Each number was tried with udevadm test-builtin of 252."""
    source = Source(Format.LINK, "/etc/systemd/network/10-pf.link", f"[Match]\nDriver=igb\n{text}")
    assert [one.num_vfs for one in find(source)] == [number]


@pytest.mark.parametrize(
    "text",
    [
        "[Link]\nSR-IOVVirtualFunctions=\n",
        "[Link]\nSR-IOVVirtualFunctions=4\nSR-IOVVirtualFunctions=\n",
        "[SR-IOV]\nTrust=yes\n",
        "[SR-IOV]\nVirtualFunction=x\n",
        "[Network]\nSR-IOVVirtualFunctions=4\n",
    ],
)
def test_link_files_that_set_no_number(text: str) -> None:
    assert not find(Source(Format.LINK, "/etc/systemd/network/10-pf.link", f"[Match]\nDriver=igb\n{text}"))


LINK = "/etc/systemd/network/10-a.link"
KEEP = (
    "set SR-IOVVirtualFunctions= in {} to the num_vfs of the rule, and keep it: the [SR-IOV] sections need VFs, and"
    " udev changes nothing while the number is right; or remove both, once the rule sets what they set"
)


@pytest.mark.parametrize(
    ("texts", "remedy"),
    [
        (
            ["[Link]\nSR-IOVVirtualFunctions=4\nSR-IOVVirtualFunctions=08\n", "[Link]\nSR-IOVVirtualFunctions=3\n"],
            f"remove SR-IOVVirtualFunctions= from line 2 of {LINK}.d/0.conf and line 5 of {LINK} and line 4 of {LINK}",
        ),
        (
            ["[Link]\nSR-IOVVirtualFunctions=4\n[SR-IOV]\nVirtualFunction=0\nTrust=yes\n"],
            KEEP.format(f"line 4 of {LINK}"),
        ),
        (["[SR-IOV]\nVirtualFunction=0\nTrust=yes\n"], KEEP.format(f"[Link] of {LINK}")),
    ],
)
def test_what_to_do_about_all_of_a_link_file(texts: list[str], remedy: str) -> None:
    main = Source(Format.LINK, LINK, f"[Match]\nDriver=igb\n{texts[0]}")
    drop_ins = [Source(Format.LINK, f"{LINK}.d/{number}.conf", text) for number, text in enumerate(texts[1:])]
    (found,) = find(main, *drop_ins)
    assert found.remedy.partition(", then: ")[0].partition("; then: ")[0] == remedy
    assert found.remedy.endswith(f"then: {RELOAD_LINKS}")


def test_what_a_link_file_sets_for_vfs() -> None:
    text = (
        "[SR-IOV]\nTrust=yes\nVirtualFunction=3\nMACSpoofCheck=no\nLinkState=yes\nMACAddress=02:00:00:00:00:01\n"
        "[SR-IOV]\nVirtualFunction=0\nVLANId=5\nQualityOfService=1\nVLANProtocol=802.1ad\nLinkState=auto\n"
        "QueryReceiveSideScaling=1\n[SR-IOV]\nVirtualFunction=1\n[SR-IOV]\nVirtualFunction=2\nVLANId=many\n"
    )
    (found,) = find(Source(Format.LINK, "/a.link", f"[Match]\nDriver=igb\n{text}"))
    assert found.vfs == (
        VfTable(
            vfs="0",
            vlan=5,
            vlan_qos=1,
            vlan_protocol=VlanProtocol.DOT1AD,
            link_state=LinkState.AUTO,
            query_rss=True,
        ),
        VfTable(vfs="3", trust=True, spoofchk=False, link_state=LinkState.ENABLE, mac="02:00:00:00:00:01"),
    )
    assert found.besides == ("vlan of VF 2",)


@pytest.mark.parametrize(("driver", "is_taken"), [("virtio_net", True), ("virtio-pci", False), ("igb", False)])
def test_a_link_file_means_the_driver_of_the_netdev(driver: str, *, is_taken: bool) -> None:
    pf = make_pf(driver="virtio-pci", netdevs=(make_netdev(device="virtio1", driver="virtio_net"),))
    text = f"[Match]\nDriver={driver}\n[Link]\nSR-IOVVirtualFunctions=8\n"
    found = find_masters(MastersSurvey((Source(Format.LINK, "/etc/systemd/network/a.link", text),)), (pf,))
    assert [one.devices for one in found] == ([(Match(pci_address=PF),)] if is_taken else [])


def test_the_first_link_file_that_matches_wins() -> None:
    match, more = "[Match]\nDriver=igb\n", "[Link]\nSR-IOVVirtualFunctions=8\n"
    early = Source(Format.LINK, "/usr/lib/systemd/network/05-a.link", match)
    late = Source(Format.LINK, "/etc/systemd/network/10-b.link", match + more)
    assert not find(late, early)
    maybe = Source(Format.LINK, "/etc/systemd/network/05-a.link", "[Match]\nHost=x\n")
    (found,) = find(late, maybe)
    assert found.doubt == "udev takes /etc/systemd/network/05-a.link instead if that applies to this PF"
    masked = Source(Format.LINK, "/etc/systemd/network/05-a.link")
    assert len(find(late, masked, early)) == 1


def test_drop_ins_of_a_link_file_are_merged() -> None:
    main = Source(Format.LINK, "/etc/systemd/network/10-a.link", "[Match]\nDriver=igb\n")
    mine = Source(Format.LINK, "/etc/systemd/network/10-a.link.d/n.conf", "[Link]\nSR-IOVVirtualFunctions=8\n")
    others = Source(Format.LINK, "/etc/systemd/network/11-a.link.d/n.conf", "[Link]\nSR-IOVVirtualFunctions=9\n")
    assert [one.place for one in find(main, mine, others)] == ["/etc/systemd/network/10-a.link.d/n.conf:2"]


PROFILE = "/etc/NetworkManager/system-connections/ens1f0.nmconnection"


@pytest.mark.parametrize(
    ("text", "devices", "certain"),
    [
        pytest.param("[connection]\nid=a\ntype=ethernet\ninterface-name=ens1f0\n", ENS1F0, True, id="name"),
        pytest.param("[ethernet]\nmac-address=3C:FD:FE:AA:BB:00\n", (Match(mac="3c:fd:fe:aa:bb:00"),), True, id="MAC"),
        pytest.param(
            "[match]\ndriver=igb;\npath=pci-0000:3b:00.0;\n", (Match(driver="igb", pci_address=PF),), True, id="match"
        ),
        pytest.param(
            "[match]\ninterface-name=ens1f0;ens1f1;\n", (*ENS1F0, Match(netdev="ens1f1")), True, id="several names"
        ),
        pytest.param("[connection]\nid=a\n", (), False, id="any"),
        pytest.param("[connection]\ninterface-name=ens1f0\nautoconnect=false\n", ENS1F0, False, id="by hand"),
    ],
)
def test_profiles(text: str, devices: tuple[Match, ...], *, certain: bool) -> None:
    (found,) = find(Source(Format.NETWORK_MANAGER, PROFILE, f"{text}\n[sriov]\nautoprobe-drivers=0\ntotal-vfs=8\n"))
    assert (found.devices, found.num_vfs, found.is_certain) == (devices, 8, certain)
    assert bool(found.doubt) is not certain
    assert found.remedy == f"remove the section [sriov] from {PROFILE}, then: {RELOAD_PROFILES}"


def test_ifcfg_files() -> None:
    path = "/etc/sysconfig/network-scripts/ifcfg-ens1f0"
    texts = ('DEVICE="ens1f0"\nSRIOV_TOTAL_VFS=8\n', "SRIOV_TOTAL_VFS=8\nONBOOT=no\n", "DEVICE=ens1f0\ngarbage\n")
    found = [brief(Source(Format.IFCFG, path, text)) for text in texts]
    assert found == [[(2, ENS1F0, 8, True)], [(1, (), 8, False)], []]
    assert find(Source(Format.IFCFG, path, texts[1]))[0].doubt == "the profile does not connect automatically"


def document(kind: Format, path: str, text: str) -> Source:
    return Source(kind, path, text, parse_located(text.encode(), path, merges=kind is Format.NETPLAN))


NETPLAN = """\
network:
  version: 2
  ethernets:
    ens1f0:
      virtual-function-count: 8
      embedded-switch-mode: switchdev
    pf2:
      match: {macaddress: "3C:FD:FE:AA:BB:01", driver: [igb, i*]}
      set-name: ens2
      virtual-function-count: 2
    vf0:
      link: ens1f0
    v1: {link: pf3}
    v2: {link: pf3}
    garbage: 3
    pf3: {}
  vlans:
    vlan7: {link: ens1f0, id: 7}
"""


def test_netplan() -> None:
    main = document(Format.NETPLAN, "/etc/netplan/01-site.yaml", NETPLAN)
    mac = "3c:fd:fe:aa:bb:01"
    assert brief(main) == [
        (5, ENS1F0, 8, True),
        (10, (Match(mac=mac, driver="igb"), Match(mac=mac, driver="i*"), Match(netdev="ens2")), 2, True),
        (13, (Match(netdev="pf3"),), 2, True),
    ]
    remedies = [master.remedy for master in find(main)]
    assert remedies[0] == (
        'in /etc/netplan/01-site.yaml, set "virtual-function-count" of ens1f0 to the num_vfs of its rule, and'
        ' keep it: netplan needs it for "link: ens1f0", and changes nothing while the number is right, and'
        ' remove "embedded-switch-mode"'
    )
    assert remedies[1] == (
        'remove "virtual-function-count" of pf2 from /etc/netplan/01-site.yaml, then: netplan generate'
    )


def test_later_netplan_files_are_merged_over_earlier_ones() -> None:
    main = document(Format.NETPLAN, "/etc/netplan/50-a.yaml", NETPLAN)
    more = document(
        Format.NETPLAN, "/etc/netplan/90-b.yaml", "network: {ethernets: {ens1f0: {virtual-function-count: x}}}"
    )
    assert find(main, more)[0].place == "/etc/netplan/90-b.yaml:1"
    assert find(main, more)[0].num_vfs is None
    assert len(find(document(Format.NETPLAN, "/run/netplan/50-a.yaml", "x: 1"), main)) == 0


@pytest.mark.parametrize("text", ["", "3", "network: 3", "network: {ethernets: []}", "- a"])
def test_documents_of_another_shape_set_nothing(text: str) -> None:
    kinds = (Format.NETPLAN, Format.OS_NET_CONFIG, Format.SHIM, Format.OPERATOR)
    assert not find(*(document(kind, f"/{kind}", text) for kind in kinds))


def test_os_net_config() -> None:
    text = """\
network_config:
- type: ovs_bridge
  name: br-ex
  members:
  - type: ovs_bond
    members: [{type: interface, name: eno1}, &pf {type: sriov_pf, name: ens1f0, numvfs: 8, use_dhcp: false}]
- type: sriov_pf
  name: nic3
  numvfs: 4
- *pf
- {type: sriov_vf, device: ens1f0, vfid: 1}
"""
    json = '[{"device_type": "pf", "name": "ens1f0", "numvfs": 8, "link_mode": "legacy"}, {"device_type": "vf"}]'
    found = brief(
        document(Format.OS_NET_CONFIG, "/etc/os-net-config/config.yaml", text),
        document(Format.OS_NET_CONFIG, "/var/lib/os-net-config/sriov_config.yaml", json),
    )
    assert sorted(found) == sorted([(6, ENS1F0, 8, True), (9, (), 4, True), (1, ENS1F0, 8, True)])


def test_the_shim() -> None:
    other = "  a:\n    match: {pciaddress: '0000:3B:00.0'}\n    num_vfs: 4\n  b: 1\n  ens1f0np0:\n    num_vfs: [8]\n"
    text = f"interfaces:\n  ens1f0:\n    num_vfs: 8\n{other}"
    source = document(Format.SHIM, "/etc/sriov-netplan-shim/interfaces.yaml", text)
    of_list = (8, (Match(netdev="ens1f0np0"),), None, False)
    assert brief(source) == [(3, ENS1F0, 8, True), (6, ON_PF, 4, True), of_list]


def test_the_operator() -> None:
    spec = """\
spec:
    interfaces:
        - pciaddress: "0000:3b:00.0"
          numvfs: 8
          name: ens1f0
        - pciaddress: "0000:3b:00.1"
          numvfs: 8
          externallymanaged: true
"""
    document_with_more = """\
spec:
  interfaces:
    - pciaddress: "0000:3b:00.0"
      numvfs: 8
      eswitchmode: switchdev
      mtu: 9000
      linktype: hunter2
      vfgroups:
        - {resourcename: a, devicetype: vfio-pci, vfrange: 0-3, mtu: 1500, isrdma: false}
        - {resourcename: b, devicetype: netdevice, vfrange: 4-7}
        - {vfrange: hunter2, isrdma: true}
        - 3
"""
    (more,) = find(document(Format.OPERATOR, "/etc/sriov-operator/sriov-interface-config.yaml", document_with_more))
    assert more.eswitch == (("mode", "switchdev"),)
    assert more.besides == (
        "linkType",
        "mtu: 9000",
        "deviceType: vfio-pci, mtu: 1500 of VFs 0-3",
        "isRdma: true of VFs ...",
    )
    applied = '{"pciAddress": "0000:3b:00.0", "numVfs": 8, "mtu": 1500}'
    sources = (
        document(Format.OPERATOR, "/etc/sriov-operator/sriov-interface-config.yaml", spec),
        document(Format.OPERATOR, "/etc/sriov-operator/pci/0000:3b:00.0", applied),
    )
    assert brief(*sources) == [(4, ON_PF, 8, True), (1, ON_PF, 8, False)]
    assert [master.doubt for master in find(*sources)] == ["", "it is what the operator set last"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("options igb max_vfs=8", [("igb", 8)]),
        ("options igb debug=16 max_vfs=8 # why", [("igb", 8)]),
        ("options igb \\\n max_vfs=8", [("igb", 8)]),
        ("options igb max_vfs=8 \\", [("igb", 8)]),
        ("install igb /sbin/modprobe --ignore-install igb max_vfs=8; true", [("igb", 8)]),
        ("options igb debug=16", []),
        ("options igb", []),
        ("alias igb max_vfs=7 x", []),
        ("# options igb max_vfs=8", []),
    ],
)
def test_module_options(line: str, expected: list[tuple[str, int | None]]) -> None:
    found = find(Source(Format.MODPROBE, "/etc/modprobe.d/igb.conf", line))
    assert [(one.devices[0].driver, one.num_vfs) for one in found] == expected


REMEDIES = {
    Format.UDEV: (
        Source(Format.UDEV, "/etc/udev/rules.d/a.rules", 'KERNEL=="ens1f0", ATTR{device/sriov_numvfs}="8"\n'),
        "remove that assignment from line 1 of /etc/udev/rules.d/a.rules, then: udevadm control --reload",
    ),
    Format.LINK: (
        Source(Format.LINK, "/a.link", "[Match]\nDriver=igb\n[Link]\nSR-IOVVirtualFunctions=8\n"),
        f"remove SR-IOVVirtualFunctions=8 from /a.link, then: {RELOAD_LINKS}",
    ),
    Format.IFCFG: (
        Source(Format.IFCFG, "/etc/ifcfg-ens1f0", "DEVICE=ens1f0\nSRIOV_TOTAL_VFS=8\n"),
        f"remove the lines SRIOV_* from /etc/ifcfg-ens1f0, then: {RELOAD_PROFILES}",
    ),
    Format.OS_NET_CONFIG: (
        document(Format.OS_NET_CONFIG, "/etc/c.yaml", "network_config: [{type: sriov_pf, name: ens1f0, numvfs: 8}]\n"),
        "remove ens1f0 from /etc/c.yaml, and sriov_pf from the template that it comes from",
    ),
    Format.SHIM: (
        document(Format.SHIM, "/etc/i.yaml", "interfaces: {ens1f0: {num_vfs: 8}}\n"),
        "remove ens1f0 from /etc/i.yaml, or: systemctl disable sriov-netplan-shim",
    ),
    Format.OPERATOR: (
        document(Format.OPERATOR, "/etc/s.yaml", 'spec: {interfaces: [{pciaddress: "0000:3b:00.0", numvfs: 8}]}\n'),
        "leave this PF out of every SriovNetworkNodePolicy, or set externallyManaged: true in it",
    ),
    Format.MODPROBE: (
        Source(Format.MODPROBE, "/etc/modprobe.d/igb.conf", "options igb max_vfs=8\n"),
        "remove max_vfs from line 1 of /etc/modprobe.d/igb.conf",
    ),
    Format.KERNEL: (
        Source(Format.KERNEL, "/proc/cmdline", "igb.max_vfs=8"),
        "remove igb.max_vfs=8 from the kernel command line in the boot loader's config, and reboot",
    ),
}


@pytest.mark.parametrize("kind", REMEDIES)
def test_what_to_do_about_a_line(kind: Format) -> None:
    source, remedy = REMEDIES[kind]
    assert [master.remedy for master in find(source)] == [remedy]


def test_our_own_module_options_are_no_second_master() -> None:
    text = "options igb max_vfs=8\n"
    assert not find(Source(Format.MODPROBE, "/etc/modprobe.d/sriov-bootstrap-igb.conf", text))
    assert not find(
        Source(Format.MODPROBE, "/etc/modprobe.d/igb.conf"),
        Source(Format.MODPROBE, "/usr/lib/modprobe.d/igb.conf", text),
    )


def test_the_kernel_command_line() -> None:
    (found,) = find(Source(Format.KERNEL, "/proc/cmdline", 'quiet igb.max_vfs=8 "x.y=z" max_vfs=3'))
    assert (found.place, found.devices, found.num_vfs) == ("/proc/cmdline", (Match(driver="igb"),), 8)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("8", 8), (" 8 ", 8), ("+8", 8), ("0x8", 8), ("0X1f", 31), ("010", 8), ("0", 0), ("00", 0), ("65535", 65535)),
        *((text, None) for text in ("", "-1", "08", "0x", "0b1", "0o7", "1_0", "8.0", "8 9", "٣", "65536", "1" * 99)),
    ],
)
def test_a_number(text: str, number: int | None) -> None:
    assert count(text) == number


def test_evidence_is_one_short_line() -> None:
    text = "echo\t8\x1b[31m > " + "x" * 300
    assert Master(Format.SCRIPT, "/a", 1, text).evidence == "echo 8 [31m > " + "x" * 186 + "..."


def test_the_first_of_a_name_counts() -> None:
    high, low = Source(Format.UDEV, "/etc/udev/rules.d/b", "1"), Source(Format.UDEV, "/usr/lib/udev/rules.d/b", "2")
    other = Source(Format.UDEV, "/usr/lib/udev/rules.d/a", "3")
    assert without_overridden((high, low, other)) == (other, high)


def test_a_netdev_without_a_name_takes_no_link_file_by_name() -> None:
    source = Source(Format.LINK, "/a.link", "[Match]\nOriginalName=ens1f0\n[Link]\nSR-IOVVirtualFunctions=8\n")
    survey = MastersSurvey((source,))
    assert not find_masters(survey, (make_pf(netdevs=()),))
    assert find_masters(survey, (make_pf(netdevs=(make_netdev(name="ens1f0"),)),))
