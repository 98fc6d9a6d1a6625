"""Files, other than scripts, that commands are given: settings of systemd-tmpfiles, playbooks, lists of numbers.

Found by how they are written, as scripts are in called_scripts.py.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from sriov_bootstrap.conflicts.library import mentions_vfs
from sriov_bootstrap.conflicts.survey import Format

MAX_FILES = 64  # of one text
NAME = r"[\w./+@-]"
ARGUMENT = re.compile(rf"(?<=[ \t\"'])/{NAME}{{1,256}}")
ASSIGNED = re.compile(rf"\b(\w{{1,64}})=[\"']?(/{NAME}{{1,256}})")
TMPFILES = re.compile(r"\bsystemd-tmpfiles\b([^;&|\n`]{1,512})")
ANSIBLE = re.compile(r"\bansible-(playbook|pull)\b([^;&|\n`]{0,1024})")
PLAYBOOK = re.compile(rf"(?<=[ \t\"'])({NAME}{{1,256}}\.ya?ml)\b")
CHECKOUT = re.compile(rf"(?:-d|--directory)[ \t=]*[\"']?(/{NAME}{{1,256}})")
FOLDER = re.compile(rf"(?:\b(?:cd|pushd)[ \t]+|\bWorkingDirectory[ \t]*=[ \t]*)[\"']?(/{NAME}{{1,256}})")
# What a playbook takes in beside itself, by ansible's own layout.
AROUND = ("roles/*/tasks/*.yml", "roles/*/defaults/*.yml", "roles/*/vars/*.yml", "group_vars/*", "host_vars/*")
READ = re.compile(
    rf"(?:<[ \t]*|\b(?:cat|cut|head|tail|grep|awk|sed|sort|tr|mapfile|readarray)\b[^;&|\n`)]{{0,256}}?[ \t])"
    rf"[\"']?(?:(/{NAME}{{1,256}})|\$\{{?([A-Za-z_]\w{{0,63}}))"
)
OTHER_TREES = ("/sys/", "/proc/", "/dev/", "/run/lock", "/var/log/")


class FileCall(Struct, frozen=True):
    """`at`: the character where it stands; `path` may be a glob. `format`: how the file is read."""

    at: int
    path: str
    format: Format


def file_calls(text: str, folder_text: str = "") -> Iterator[FileCall]:
    """What a text hands on; no more than anyone writes. `folder_text`: the whole file that it is from."""
    for number, call in enumerate(_calls(text, folder_text or text)):
        if number >= MAX_FILES:
            break
        yield call


def _calls(text: str, folder_text: str) -> Iterator[FileCall]:
    for found in TMPFILES.finditer(text) if "systemd-tmpfiles" in text else ():
        for path in ARGUMENT.findall(found[1]):
            yield FileCall(found.start(), path, Format.TMPFILES)
    for found in ANSIBLE.finditer(text) if "ansible-" in text else ():
        folders = [*CHECKOUT.findall(found[2]), *FOLDER.findall(folder_text)]
        for path in _playbooks(found[1], found[2], folders):
            yield FileCall(found.start(), path, Format.PLAYBOOK)
            around = path.rpartition("/")[0]
            yield from (FileCall(found.start(), f"{around}/{glob}", Format.PLAYBOOK) for glob in AROUND)
    if mentions_vfs(folder_text):
        yield from _data_calls(text, dict(ASSIGNED.findall(text)))


def _playbooks(program: str, words: str, folders: list[str]) -> Iterator[str]:
    """ansible-pull runs local.yml of its checkout if it is told none."""
    named = PLAYBOOK.findall(words) or (["local.yml"] if program == "pull" else [])
    for path in named:
        if path.startswith("/"):
            yield path
        elif folders:
            yield f"{folders[0].rstrip('/')}/{path.removeprefix('./')}"


def _data_calls(text: str, assigned: Mapping[str, str]) -> Iterator[FileCall]:
    """Of a text that sets VFs: numbers and names may stand in a file that it reads."""
    for found in READ.finditer(text):
        path = found[1] or assigned.get(found[2], "")
        if path and not path.startswith(OTHER_TREES):
            yield FileCall(found.start(), path, Format.DATA)
