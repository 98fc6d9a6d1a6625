"""What a value in the config may be."""

import pytest

from builders import PF, make_rule
from sriov_bootstrap.core import validate
from sriov_bootstrap.core.config import Boot, Match, Method, Metrics, PfRule, Services, VfBinding
from sriov_bootstrap.core.drivers import is_module_name

KEYS = "netdev, altname, pci_address, mac, driver, vendor_id, device_id, serial_number"

NO_TEXTFILE = "must be an absolute path without .. that ends in .prom, as node_exporter reads it"
NO_WEB_CONFIG = "must be an absolute path of printable characters: the service has no folder of its own"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (Match(pci_address="3B:00.0"), Match(pci_address=PF)),
        (Match(pci_address="0000:3B:00.0"), Match(pci_address=PF)),
        (Match(pci_address="10000:3b:00.0"), Match(pci_address="10000:3b:00.0")),
        (Match(pci_address="00010000:3B:00.0"), Match(pci_address="10000:3b:00.0")),
        (Match(pci_address="1000?:3b:00.0"), Match(pci_address="1000?:3b:00.0")),
        (Match(pci_address="*:3B:00.?"), Match(pci_address="*:3b:00.?")),
        (Match(mac="3C:FD:FE:AA:BB:00"), Match(mac="3c:fd:fe:aa:bb:00")),
        (Match(vendor_id="0X8086", device_id="0x10C9"), Match(vendor_id="8086", device_id="10c9")),
        (Match(netdev="Ens1F0"), Match(netdev="Ens1F0")),
    ],
    ids=str,
)
def test_a_match_is_spelt_as_sys_spells_it(given: Match, normal: Match) -> None:
    assert validate.normalise(make_rule(match=given)) == make_rule(match=normal)


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        (make_rule(), []),
        (make_rule(name=""), ["name: must be 1 to 64 printable characters: it is a label in metrics and logs"]),
        (make_rule(name="a\nb"), ["name: must be 1 to 64 printable characters: it is a label in metrics and logs"]),
        (make_rule(name="x" * 65), ["name: must be 1 to 64 printable characters: it is a label in metrics and logs"]),
        (make_rule(name="Mandant Ä/1"), []),
        (make_rule(physical_network="a\tb"), ["physical_network: must be at most 64 printable characters"]),
        (make_rule(num_vfs=-1), ["num_vfs: -1 is negative"]),
        (
            make_rule(reload_driver=True),
            ['reload_driver only works with method = "max_vfs": sriov_numvfs needs no reload'],
        ),
        (make_rule(reload_driver=True, method=Method.MAX_VFS), []),
        (make_rule(match=Match(netdev="*")), []),
        (make_rule(vf_driver="none"), []),
        (make_rule(vf_driver="vfio-pci", vf_binding=VfBinding.AUTO), []),
        (make_rule(vf_driver="mlx5_vfio_pci", vf_binding=VfBinding.AUTO), []),
        (
            make_rule(vf_driver="vfio-pci"),
            ['vf_binding = "kernel" does not work with vf_driver = "vfio-pci": remove one of them'],
        ),
        (make_rule(vf_driver="None", vf_binding=VfBinding.AUTO), ['vf_driver: "None" is written "none"']),
        (
            make_rule(vf_driver="../vfio", vf_binding=VfBinding.AUTO),
            ['vf_driver: "../vfio" is neither "kernel", "none", nor the name of a driver, such as "vfio-pci"'],
        ),
        (
            make_rule(vf_driver="", vf_binding=VfBinding.AUTO),
            ['vf_driver: "" is neither "kernel", "none", nor the name of a driver, such as "vfio-pci"'],
        ),
    ],
)
def test_a_rule_is_judged(rule: PfRule, problems: list[str]) -> None:
    assert validate.pf_problems(rule) == problems


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        (Match(), f"match: is empty and would match every PF: set one of {KEYS}"),
        (
            Match(pci_address="3b:00"),
            'match: pci_address "3b:00" cannot match anything: write it like 0000:3b:00.0, or as a glob',
        ),
        (
            Match(pci_address="3b:20.0"),
            'match: pci_address "3b:20.0" cannot match anything: write it like 0000:3b:00.0, or as a glob',
        ),
        (
            Match(mac="3cfdfeaabb00"),
            'match: mac "3cfdfeaabb00" cannot match anything: write it like 3c:fd:fe:aa:bb:00, or as a glob',
        ),
        (Match(mac="*\n"), 'match: mac "*\n" cannot match anything: write it like 3c:fd:fe:aa:bb:00, or as a glob'),
        (Match(vendor_id="Intel"), 'match: vendor_id "Intel" cannot match anything: write it like 8086, or as a glob'),
        (Match(device_id="0x10c"), 'match: device_id "0x10c" cannot match anything: write it like 10c9, or as a glob'),
        (
            Match(netdev="eth0/1"),
            'match: netdev "eth0/1" cannot match anything: a name has no / and no space',
        ),
        (
            Match(altname="eth 0"),
            'match: altname "eth 0" cannot match anything: a name has no / and no space',
        ),
        (
            Match(driver="igb\noptions x"),
            'match: driver "igb\noptions x" cannot match anything: a name has no / and no space',
        ),
        (
            Match(driver="i/gb"),
            'match: driver "i/gb" cannot match anything: a name has no / and no space',
        ),
        (
            Match(serial_number="MT2042X01234"),
            (
                'match: serial_number "MT2042X01234" cannot match anything: '
                "write it like 3c-fd-fe-ff-ff-aa-bb-00, or as a glob"
            ),
        ),
        (Match(serial_number="3C-fd-fe-ff-ff-aa-bb-00"), ""),
        (Match(pci_address="3b:00.*", mac="*", vendor_id="80[0-9]6"), ""),
    ],
    ids=str,
)
def test_a_match_holds_for_something_and_not_for_everything(match: Match, problem: str) -> None:
    assert validate.match_problems(match) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, ""),
        (65535, ""),
        (65536, "65536 is more than the kernel accepts (65535)"),
        (1 << 20000, "the number is more than the kernel accepts (65535)"),
        (-1, "-1 is negative"),
        ("max", ""),
        ("0%", ""),
        ("100%", ""),
        ("101%", '"101%" is neither a number, "max", nor a percentage from "0%" to "100%"'),
        ("-1%", '"-1%" is neither a number, "max", nor a percentage from "0%" to "100%"'),
        ("50", '"50" is neither a number, "max", nor a percentage from "0%" to "100%"'),
        ("MAX", '"MAX" is neither a number, "max", nor a percentage from "0%" to "100%"'),
        ("", '"" is neither a number, "max", nor a percentage from "0%" to "100%"'),
    ],
    ids=lambda value: f"{str(value)[:8]}" if not isinstance(value, int) or value < 1 << 64 else "huge",
)
def test_a_count_is_one_the_kernel_can_be_asked_for(value: int | str, problem: str) -> None:
    assert validate.num_vfs_problem(value) == problem


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        (Services(), []),
        (Services(restart=()), []),
        (
            Services(restart=("nova", "a@b.service")),
            ['restart: "nova" is not a service: write it like nova-compute.service'],
        ),
        (Services(settle_seconds=-1), ["settle_seconds: -1 is not between 0 and 86400 seconds"]),
        (Services(job_timeout_seconds=float("nan")), ["job_timeout_seconds: nan is not between 0 and 86400 seconds"]),
        (Boot(wait_for_pf_seconds=float("inf")), ["wait_for_pf_seconds: inf is not between 0 and 86400 seconds"]),
        (Metrics(listen="", textfile=""), []),
        (Metrics(textfile="/var/lib/x.prom"), []),
        *(
            (Metrics(textfile=path), [f"textfile: {path!r} {NO_TEXTFILE}"])
            for path in ("x.prom", "/x.txt", "/var/lib/../x.prom", "/./x.prom", "/x\0.prom", "/x\n.prom")
        ),
        (Metrics(web_config="/etc/sriov-bootstrap/web.yml"), []),
        (
            Metrics(web_config="web.yml"),
            [f'web_config: "web.yml" {NO_WEB_CONFIG}'],
        ),
        (
            Metrics(web_config="/etc/\0web.yml"),
            [f'web_config: "/etc/\0web.yml" {NO_WEB_CONFIG}'],
        ),
        (
            Metrics(listen="monitoring:80"),
            ['listen: "monitoring:80" must be ADDRESS:PORT, with localhost, an IP address, or no ADDRESS for all'],
        ),
    ],
)
def test_a_table_is_judged(table: Services | Metrics | Boot, problems: list[str]) -> None:
    assert validate.table_problems(table) == problems


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("localhost:10049", (("127.0.0.1", "::1"), 10049)),
        (":80", (("0.0.0.0", "::"), 80)),  # noqa: S104
        ("*:80", (("0.0.0.0", "::"), 80)),  # noqa: S104
        ("192.0.2.7:80", (("192.0.2.7",), 80)),
        ("[::1]:80", (("::1",), 80)),
        ("[fe80::1%eth0]:80", (("fe80::1%eth0",), 80)),
        ("::1:80", None),
        ("[192.0.2.7]:80", None),
        ("fe.ed:80", None),
        ("999.0.0.1:80", None),
        ("localhost", None),
        ("localhost:", None),
        ("localhost:0", None),
        ("localhost:65536", None),
        ("localhost:²", None),
        ("localhost:٣", None),
        ("host.example:80", None),
    ],
)
def test_no_name_is_looked_up(text: str, where: tuple[tuple[str, ...], int] | None) -> None:
    assert validate.parse_listen(text) == where


@pytest.mark.parametrize("name", ["igb", "mlx5_core", "snd-hda", "8021q", "x" * 64])
def test_a_module_has_a_name_that_is_safe_everywhere(name: str) -> None:
    assert is_module_name(name)


@pytest.mark.parametrize(
    "name", ["", "-r", "../x", "a/b", "a.b", "a b", "igb\n", "igb;reboot", "$(id)", "x" * 65, "ígb"]
)
def test_what_could_be_an_option_or_lead_elsewhere_is_no_module(name: str) -> None:
    assert not is_module_name(name)


UP_FIRST = (
    "bnxt_en creates no VFs while its PF is down, and pf_up = false leaves it down: set pf_up = true, unless something"
    " else brings it up earlier"
)


@pytest.mark.parametrize(
    ("rule", "doubts"),
    [
        pytest.param(make_rule(match=Match(driver="bnxt_en"), pf_up=False), [UP_FIRST], id="a PF left down"),
        pytest.param(make_rule(match=Match(driver="bnxt_en")), [], id="a PF brought up"),
        pytest.param(make_rule(match=Match(driver="bnxt_en"), pf_up=False, num_vfs=0), [], id="no VFs"),
        pytest.param(make_rule(match=Match(driver="bnxt_en"), pf_up=False, num_vfs="0%"), [], id="no VFs, per cent"),
        pytest.param(make_rule(match=Match(driver="bnxt*"), pf_up=False), [], id="a glob"),
        pytest.param(make_rule(match=Match(driver="ice"), pf_up=False), [], id="a driver that needs no link"),
        pytest.param(
            make_rule(match=Match(driver="ixgbe"), num_vfs=64),
            ['ixgbe creates at most 63 VFs, and more are refused: lower num_vfs to 63 or "max"'],
            id="too many",
        ),
        pytest.param(make_rule(match=Match(driver="ixgbe"), num_vfs=63), [], id="as many as there can be"),
        pytest.param(make_rule(match=Match(driver="ixgbe"), num_vfs="max"), [], id="max"),
        pytest.param(make_rule(match=Match(driver="ice"), num_vfs=64), [], id="a limit that is not known"),
        pytest.param(make_rule(num_vfs=64, pf_up=False), [], id="no driver named"),
    ],
)
def test_what_the_named_driver_will_not_do(rule: PfRule, doubts: list[str]) -> None:
    """A config that a host may have today stays valid."""
    assert validate.driver_doubts(rule) == doubts
    assert validate.pf_problems(rule) == []
