"""Units in their instances, and what starts them, as it is written."""

import pytest

from sriov_bootstrap.conflicts.started_units import pulled_by_settings, units_pulled
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.unit_instances import with_specifiers
from sriov_bootstrap.formats.shell import UNKNOWN

RULES = "/etc/udev/rules.d/9.rules"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("%i", r"sys-class-net-a\x2db"),
        ("/%I/device", "/sys/class/net/a-b/device"),
        ("%n %N", r"vf@sys-class-net-a\x2db.service vf@sys-class-net-a\x2db"),
        ("%p 100%% %h", "vf 100% %h"),
    ],
)
def test_the_specifiers_that_a_name_gives(text: str, whole: str) -> None:
    assert with_specifiers(text, "vf@.service", r"sys-class-net-a\x2db") == whole


@pytest.mark.parametrize(
    ("rule", "pulled"),
    [
        (
            'KERNEL=="ens1f0", ENV{SYSTEMD_WANTS}="vf@%k.service b.service"',
            {"vf@ens1f0.service": 1, "b.service": 1},
        ),
        ('\nENV{SYSTEMD_WANTS}="vf@$name.service"', {f"vf@{UNKNOWN}.service": 2}),
        (
            'KERNEL=="ens1f0", \\\n# ENV{SYSTEMD_WANTS}="no.service"\n  ENV{SYSTEMD_WANTS}+="a.service"',
            {"a.service": 1},
        ),
        ('# ENV{SYSTEMD_WANTS}="no.service"', {}),
    ],
    ids=["by name", "of any netdev", "a comment in between", "a comment"],
)
def test_units_that_a_udev_rule_wants(rule: str, pulled: dict[str, int]) -> None:
    survey = MastersSurvey((Source(Format.UDEV, RULES, f"{rule}\n"),))
    found = units_pulled(survey, pulled_by_settings(survey))
    assert found == {unit: (f"{RULES}:{line}",) for unit, line in pulled.items()}
