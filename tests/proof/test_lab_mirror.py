"""Which mirror the lab's guests are installed from."""

from pathlib import Path

import pytest

from lab.building import BuildError
from lab.mirror import debian_mirror, mirror_among, sources

DEBIAN = "http://mirror.invalid/debian/"
COMPANY = "https://packages.invalid/repos/azure-cli/"
OF_DEBIAN = f"trixie\tDebian\t{DEBIAN}\n"
OF_COMPANY = f"trixie\tazure-cli trixie\t{COMPANY}\n"
IN_PARTS = "trixie-security\tDebian\thttp://mirror.invalid/debian-security/\n"


@pytest.mark.parametrize("is_debian", [True, False])
@pytest.mark.parametrize(
    "targets",
    [
        OF_DEBIAN,
        f"stable\tDebian\t{DEBIAN}\n",
        f"{OF_DEBIAN}trixie\tDebian\thttp://other.invalid/debian/\n",
        f"{OF_COMPANY}{OF_DEBIAN}",
        f"{IN_PARTS}trixie-updates\tDebian\thttp://other.invalid/debian/\n{OF_DEBIAN}",
        f"bookworm/updates\tDebian\thttp://other.invalid/debian-security/\n{OF_DEBIAN}",
        f"trixie\tDebian\tcdrom:[Debian GNU/Linux 13.1.0 _Trixie_]/\n{OF_DEBIAN}",
        f"noble\tUbuntu\thttp://archive.invalid/ubuntu/\n{OF_DEBIAN}",
    ],
    ids=["alone", "by its role", "two", "third party", "parts", "old parts", "disc", "Ubuntu"],
)
def test_the_first_with_a_whole_release_of_debian_is_taken(targets: str, *, is_debian: bool) -> None:
    assert mirror_among(targets, is_debian=is_debian) == DEBIAN


@pytest.mark.parametrize(
    ("targets", "of_debian"),
    [
        ("", None),
        (IN_PARTS, None),
        (f"trixie\tOurs\t{DEBIAN}\n{OF_COMPANY}", DEBIAN),
        (f"trixie\t\t{DEBIAN}\n", DEBIAN),
        (f"{IN_PARTS}trixie\t$(ORIGIN)\t{DEBIAN}\n", DEBIAN),
    ],
    ids=["none", "parts", "company", "empty", "unknown"],
)
def test_without_one_the_first_is_taken_on_debian_and_none_elsewhere(targets: str, of_debian: str | None) -> None:
    assert mirror_among(targets, is_debian=True) == of_debian
    assert mirror_among(targets, is_debian=False) is None


def test_a_mirror_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRIOV_LAB_MIRROR", DEBIAN)
    assert debian_mirror() == DEBIAN
    assert sources("sid", "trixie") == [f"deb {DEBIAN} sid main", f"deb {DEBIAN} trixie main"]


def test_a_machine_without_a_mirror_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SRIOV_LAB_MIRROR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get
    with pytest.raises(BuildError, match="set SRIOV_LAB_MIRROR=URL to a mirror of Debian"):
        sources("trixie")
