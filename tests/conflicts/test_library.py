"""Scripts that run each other: which of them concern us."""

import pytest

from sriov_bootstrap.conflicts.library import MAX_CHAIN, Library
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source


def test_a_chain_of_scripts_is_followed_up_to_a_bound() -> None:
    """The last one writes, and each is run by the one before it."""
    names = [f"script-{number:02}" for number in range(MAX_CHAIN + 4)]
    texts = [f"/opt/{name}" for name in names[1:]] + ["echo 8 >/sys/class/net/ens1f0/device/sriov_numvfs"]
    scripts = (Source(Format.SCRIPT, f"/opt/{name}", text) for name, text in zip(names, texts, strict=True))
    library = Library(MastersSurvey(tuple(scripts)))
    assert [library.concerns(f"/opt/{name}") for name in names] == [False] * 4 + [True] * MAX_CHAIN


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("ExecStart=/opt/vf1 start", True),
        ("ExecStart=-vf1", True),
        ("vf1;", True),
        ("Description=vf10, then vf1", True),
        ("ExecStart=/opt/vf10 start", False),
        ("Description=my_vf1 and vf1_x", False),
        ("vf1.service", True),  # it may be that of the script
    ],
)
def test_a_script_is_named_by_its_whole_name(text: str, *, concerns: bool) -> None:
    script = Source(Format.SCRIPT, "/opt/vf1", "echo 8 >/sys/class/net/ens1f0/device/sriov_numvfs")
    assert Library(MastersSurvey((script,))).concerns(text) is concerns
