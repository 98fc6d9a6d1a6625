"""What files say of the switch in a NIC, as [pf.eswitch]."""

import pytest

from builders import PF, PF2, make_pf
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.switches import SwitchCommand, SwitchWish, eswitch_lines, switch_commands, switch_of

ON: SwitchWish = (("mode", "switchdev"),)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("mode", "switchdev", ON),
        ("mode", " Legacy ", (("mode", "legacy"),)),
        ("mode", "switchdev_inactive", ()),
        ("mode", "", ()),
        ("encap_mode", "enable", (("encap_mode", "basic"),)),
        ("encap_mode", "disable", (("encap_mode", "none"),)),
        ("mode", "1", ()),
    ],
)
def test_words_are_ours(key: str, text: str, expected: SwitchWish) -> None:
    assert switch_of({key: text}) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1", ON), ("0", (("mode", "legacy"),)), ("2", ()), ("-1", ()), ("switchdev", ())]
)
def test_networkmanager_has_numbers(text: str, expected: SwitchWish) -> None:
    assert switch_of({"mode": text}, by_number=True) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"devlink dev eswitch set pci/{PF} mode switchdev", ON),
        (f"/sbin/devlink -j dev eswitch set pci/{PF} mode legacy inline-mode transport encap enable", (
            ("mode", "legacy"), ("inline_mode", "transport"), ("encap_mode", "basic"))),
        (f'ExecStart=/bin/sh -c "devlink dev eswitch set pci/{PF} mode switchdev; sleep 2"', ON),
        (f"devlink dev param set pci/{PF} name flow_steering_mode value smfs cmode runtime", (
            ("flow_steering_mode", "smfs"),)),
        (f"devlink dev param set pci/{PF} name enable_roce value true cmode driverinit", ()),
        (f"# devlink dev eswitch set pci/{PF} mode switchdev", ()),
        ("devlink dev eswitch set pci/$pci mode switchdev", ()),
        ("devlink dev eswitch set pci/00.00.00.0 mode switchdev", ()),
        (f"devlink dev eswitch show pci/{PF}", ()),
    ],
)  # fmt: skip
def test_commands_of_a_script(line: str, expected: SwitchWish) -> None:
    survey = MastersSurvey((Source(Format.SCRIPT, "/etc/rc.local", f"#!/bin/sh\n{line}\n"),))
    found = (SwitchCommand("/etc/rc.local:2", PF, expected),) if expected else ()
    assert switch_commands(survey) == found


@pytest.mark.parametrize(
    ("line", "netdev", "value"),
    [
        ("ethtool -K ens1f0 hw-tc-offload on", "ens1f0", "true"),
        ("/sbin/ethtool --features 'ens1f0' rx on hw-tc-offload off; true", "ens1f0", "false"),
        ("ethtool -K $dev hw-tc-offload on", "$dev", "true"),
        ("ethtool -K ens1f0 hw-tc-offload", "", ""),
        ("ethtool -k ens1f0 | grep hw-tc-offload", "", ""),
        ("ethtool -K ens1f0 gro off # no hw-tc-offload", "", ""),
    ],
)
def test_ethtool_says_whether_flows_are_offloaded(line: str, netdev: str, value: str) -> None:
    survey = MastersSurvey((Source(Format.SCRIPT, "/etc/rc.local", f"#!/bin/sh\n{line}\n"),))
    found = (SwitchCommand("/etc/rc.local:2", "", (("hw_tc_offload", value),), netdev),) if netdev else ()
    assert switch_commands(survey) == found


def test_offload_by_the_netdev_of_the_pf_goes_with_its_mode() -> None:
    mode = SwitchCommand("/etc/rc.local:2", PF, ON)
    offload = SwitchCommand("/etc/rc.local:3", "", (("hw_tc_offload", "true"),), "ens1f0")
    of_another = SwitchCommand("/etc/rc.local:4", "", (("hw_tc_offload", "false"),), "ens1f1")
    replaces = "sets the switch of this PF: [pf.eswitch] replaces that"
    assert eswitch_lines((), (mode, offload, of_another), make_pf()) == (
        ("[pf.eswitch]", 'mode = "switchdev"', "hw_tc_offload = true"),
        (f"/etc/rc.local:2 {replaces} devlink command", f"/etc/rc.local:3 {replaces} ethtool command"),
    )
    assert eswitch_lines((), (offload,), make_pf()) == (
        (),
        ("/etc/rc.local:3 sets the switch of this PF with ethtool, and stays",),
    )


def test_what_is_said_is_one_table_and_a_disagreement_is_told() -> None:
    master = Master(Format.NETPLAN, "/etc/netplan/a.yaml", 3, "", eswitch=(*ON, ("encap_mode", "basic")))
    same = SwitchCommand("/etc/rc.local:2", PF, (*ON, ("encap_mode", "none")))
    other = SwitchCommand("/etc/rc.local:3", PF2, (("mode", "legacy"),))
    assert eswitch_lines((master,), (same, other), make_pf()) == (
        ("[pf.eswitch]", 'mode = "switchdev"'),
        (
            "/etc/netplan/a.yaml:3 and /etc/rc.local:2 disagree on the eswitch's encap_mode",
            "/etc/rc.local:2 sets the switch of this PF: [pf.eswitch] replaces that devlink command",
        ),
    )
    assert eswitch_lines((), (other,), make_pf()) == ((), ())
    assert eswitch_lines((master,), (same,), None)[0] == (
        "[pf.eswitch]",
        'mode = "switchdev"',
        'encap_mode = "basic"',
    )


def test_steering_alone_stays() -> None:
    alone = SwitchCommand("/etc/rc.local:2", PF, (("flow_steering_mode", "smfs"),))
    assert eswitch_lines((), (alone,), make_pf()) == (
        (),
        ("/etc/rc.local:2 sets the switch of this PF with devlink, and stays",),
    )
