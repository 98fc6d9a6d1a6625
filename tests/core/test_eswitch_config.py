"""[pf.eswitch] and [pf.devlink_params]: what is valid, and what is said of the rest."""

import pytest

from builders import make_rule
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.config import Match, Method
from sriov_bootstrap.core.decode import ConfigFile, decode, decode_without_bad_tables
from sriov_bootstrap.core.eswitch_config import (
    DevlinkParam,
    EncapMode,
    Eswitch,
    EswitchMode,
    InlineMode,
    ParamMode,
    ParamValue,
    SteeringMode,
)
from sriov_bootstrap.core.validate import driver_doubts, pf_problems
from sriov_bootstrap.core.vf_attributes import VfTable

RULE = '[[pf]]\nname = "a"\nmatch = { netdev = "ens1f0" }\nnum_vfs = 4\n'
WHERE = 'site.toml: [[pf]] "a"'
SWITCHDEV = Eswitch(EswitchMode.SWITCHDEV)


def decoded(text: str) -> tuple[Eswitch | None, dict[str, DevlinkParam]]:
    [rule] = decode([ConfigFile("site.toml", (RULE + text).encode())]).pf
    return rule.eswitch, rule.params


def test_everything_that_can_be_said() -> None:
    text = (
        '[pf.eswitch]\nmode = "switchdev"\ninline_mode = "transport"\nencap_mode = "basic"\n'
        'flow_steering_mode = "smfs"\nhw_tc_offload = true\n'
        '[pf.devlink_params]\nenable_roce = false\nmax_macs = 4\nsome_text = "x"\n'
        'total_vfs = { value = 16, cmode = "permanent" }\n'
    )
    assert decoded(text) == (
        Eswitch(EswitchMode.SWITCHDEV, InlineMode.TRANSPORT, EncapMode.BASIC, SteeringMode.SMFS, hw_tc_offload=True),
        {
            "enable_roce": DevlinkParam(value=False),
            "max_macs": DevlinkParam(4),
            "some_text": DevlinkParam("x"),
            "total_vfs": DevlinkParam(16, ParamMode.PERMANENT),
            "flow_steering_mode": DevlinkParam("smfs"),
        },
    )


def test_a_rule_without_it_asks_nothing_of_devlink() -> None:
    assert decoded("") == (None, {})
    assert not make_rule().asks_devlink
    assert make_rule(eswitch=SWITCHDEV).asks_devlink
    assert make_rule(devlink_params={"a": 1}).asks_devlink


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[pf.eswitch]\nmode = "offload"', "eswitch.mode: invalid enum value 'offload': valid here: legacy, switchdev"),
        ("[pf.eswitch]\nhw_tc_offload = true", "eswitch: object missing required field"),
        ('[pf.eswitch]\nmod = "legacy"', '[pf.eswitch]: unknown key "mod": did you mean "mode"?'),
        ('eswitch = "switchdev"', "eswitch: expected object, got str"),
        (
            '[pf.eswitch]\nmode = "legacy"\ninline_mode = "all"',
            "eswitch.inline_mode: invalid enum value 'all': valid here: none, link, network, transport",
        ),
        ("[pf.devlink_params]\na = 1.5", "devlink_params"),
        ('[pf.devlink_params]\na = { value = 1, cmode = "now" }', "cmode: invalid enum value 'now'"),
        ("[pf.devlink_params]\na = [1]", "devlink_params"),
    ],
)
def test_a_mistake_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        decoded(text)
    assert WHERE in str(raised.value)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"a b": 1}, '[pf.devlink_params]: "a b" is not a parameter: devlink dev param show lists them'),
        ({"a": ""}, "[pf.devlink_params]: a: must be 1 to 31 printable ASCII characters"),
        ({"a": "x" * 32}, "[pf.devlink_params]: a: must be 1 to 31 printable ASCII characters"),
        ({"a": "x\n"}, "[pf.devlink_params]: a: must be 1 to 31 printable ASCII characters"),
        ({"a": -1}, "[pf.devlink_params]: a: must be a number from 0 to 18446744073709551615"),
        ({"a": 1 << 64}, "[pf.devlink_params]: a: must be a number from 0 to 18446744073709551615"),
    ],
)
def test_a_parameter_is_one_that_a_device_could_have(params: dict[str, ParamValue], problem: str) -> None:
    assert pf_problems(make_rule(devlink_params={**params})) == [problem]


def test_what_does_not_go_together() -> None:
    assert pf_problems(make_rule(eswitch=SWITCHDEV, method=Method.MAX_VFS)) == [
        '[pf.eswitch] does not work with method = "max_vfs": the mode is set between VFs and drivers'
    ]
    both = Eswitch(EswitchMode.LEGACY, flow_steering_mode=SteeringMode.DMFS)
    assert pf_problems(make_rule(eswitch=both, devlink_params={"flow_steering_mode": "smfs"})) == [
        "flow_steering_mode is in both [pf.eswitch] and [pf.devlink_params]: remove one of them"
    ]
    assert pf_problems(make_rule(eswitch=both)) == []
    assert pf_problems(make_rule(eswitch=Eswitch(EswitchMode.LEGACY, vf_lag=True))) == [
        '[pf.eswitch]: vf_lag needs mode = "switchdev"'
    ]


@pytest.mark.parametrize(("driver", "is_said"), [("ice", True), ("mlx5_core", False), ("", False), ("tomorrow", False)])
def test_a_driver_that_tells_nothing_of_bonds_is_a_doubt(driver: str, *, is_said: bool) -> None:
    doubts = driver_doubts(make_rule(match=Match(driver=driver), eswitch=Eswitch(EswitchMode.SWITCHDEV, vf_lag=True)))
    assert doubts == ([f"{driver} does not tell whether a bond is offloaded: vf_lag does nothing"] if is_said else [])


@pytest.mark.parametrize(("driver", "is_refused"), [("igb", True), ("ice", False), ("ig*", False), ("tomorrow", False)])
def test_a_driver_without_an_eswitch_is_refused_but_its_vfs_are_made(driver: str, *, is_refused: bool) -> None:
    text = f'[[pf]]\nname = "a"\nmatch = {{ driver = "{driver}" }}\nnum_vfs = 4\n[pf.eswitch]\nmode = "switchdev"\n'
    config, mistakes = decode_without_bad_tables([ConfigFile("site.toml", text.encode())])
    assert [rule.eswitch for rule in config.pf] == [SWITCHDEV]
    problem = f"{WHERE}: [pf.eswitch]: {driver} has no eswitch mode that can be set: remove it, or name another driver"
    assert mistakes == ((problem,) if is_refused else ())


@pytest.mark.parametrize(
    ("vf_driver", "tables", "name"),
    [
        ("vfio-pci", (), "vfio-pci"),
        ("none", (), "none"),
        ("kernel", (VfTable(vfs="0", driver="vfio-pci"),), "vfio-pci"),
        ("kernel", (VfTable(vfs="0", max_tx_rate=100),), ""),
    ],
)
def test_vfs_without_a_netdev_are_no_ports_to_nova(vf_driver: str, tables: tuple[VfTable, ...], name: str) -> None:
    doubts = driver_doubts(make_rule(eswitch=SWITCHDEV, vf_driver=vf_driver, vf=tables))
    assert [doubt.partition('"')[2].partition('"')[0] for doubt in doubts] == ([name] if name else [])
    assert driver_doubts(make_rule(eswitch=Eswitch(EswitchMode.LEGACY), vf_driver="vfio-pci")) == []
