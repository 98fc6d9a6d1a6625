"""Files, other than scripts, that commands are given: settings of systemd-tmpfiles, playbooks, lists of numbers.

Found by how they are written, as scripts are in called_scripts.py.
"""

import itertools
import re
from collections.abc import Iterator, Mapping

from sriov_bootstrap.conflicts.called_folders import NAME, assigned_paths
from sriov_bootstrap.conflicts.imported_files import module_calls
from sriov_bootstrap.conflicts.started_units import STARTS_SERVICE
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.tool_files import FileCall, TextContext, tool_calls
from sriov_bootstrap.formats.shell_files import OTHER_TREES

MAX_FILES = 64  # of one text
MAX_TEXT = 1 << 17  # characters in which files with numbers are looked for
ARGUMENT = re.compile(rf"(?<=[ \t\"'])/{NAME}{{1,256}}")
TMPFILES = re.compile(r"\bsystemd-tmpfiles\b([^;&|\n`]{1,512})")
ANSIBLE = re.compile(r"\bansible-(playbook|pull)\b([^;&|\n`]{0,1024})")
PLAYBOOK = re.compile(rf"(?<=[ \t\"'])({NAME}{{1,256}}\.ya?ml)\b")
CHECKOUT = re.compile(rf"(?:-d|--directory)[ \t=]*[\"']?(/{NAME}{{1,256}})")
FOLDER = re.compile(rf"(?:\b(?:cd|pushd)[ \t]+|\bWorkingDirectory[ \t]*=[ \t]*)[\"']?(/{NAME}{{1,256}})")
# What a playbook takes in beside itself, by ansible's own layout.
AROUND = ("roles/*/tasks/*.yml", "roles/*/defaults/*.yml", "roles/*/vars/*.yml", "group_vars/*", "host_vars/*")
READ = re.compile(
    r"(?:<[ \t]*|\bif=|\b(?:cat|cut|head|tail|grep|awk|sed|sort|tr|mapfile|readarray|cp|install|base64)\b"
    r"[^;&|\n`)]{0,128}?[ \t])"
    rf"[\"']?(?:(/{NAME}{{1,256}})|\$\{{?([A-Za-z_]\w{{0,63}}))"
)
SHELL = r"(?:[\w/]{0,32}/)?(?:ba|da|k|z|a)?sh\b"
INPUT_FILE = re.compile(rf"<[ \t]*[\"']?(/{NAME}{{1,256}})")
SHELL_BEFORE = re.compile(rf"\b{SHELL}[^;&|\n`<]{{0,128}}\Z")
FILE_BEFORE = re.compile(rf"(?<=[ \t\"'<])(/{NAME}{{1,256}})[\"']?[^;&|\n]{{0,64}}\Z")
BEFORE = 1 << 9  # characters in which they are
TO_SHELL = re.compile(rf"\|[ \t]*(?:sudo[ \t]+)?{SHELL}")
INPUT = "file:"  # of StandardInput=
# Without one of these a text hands nothing on. Each begins with a character of its own, and no class: that is fast.
MAY_HAND_ON = re.compile(
    r"systemd-tmpfiles|ansible-|service[ \t]|invoke-rc|<|\||make|compose|salt-call|puppet|olume|-v|mount|python"
    rf"|for[ \t]| -m|{INPUT}"
)
NO_INPUT = (*OTHER_TREES, "/run/lock", "/var/log/")


def context_of(source: Source) -> TextContext:
    """Of a whole file."""
    text = source.text
    found = FOLDER.search(text, 0, MAX_TEXT) if "cd " in text or "Working" in text or "pushd" in text else None
    return TextContext(found[1] if found else "", source.mentions_vfs)


def may_hand_on(text: str, context: TextContext) -> bool:
    """Whether `file_calls` may find anything; found out faster."""
    return bool(context.folder or context.sets_vfs or MAY_HAND_ON.search(text))


def file_calls(text: str, context: TextContext) -> Iterator[FileCall]:
    """What a text hands on; no more than anyone writes."""
    if may_hand_on(text, context):
        yield from itertools.islice(_calls(text, context), MAX_FILES)


def _calls(text: str, context: TextContext) -> Iterator[FileCall]:
    for found in TMPFILES.finditer(text) if "systemd-tmpfiles" in text else ():
        for path in ARGUMENT.findall(found[1]):
            yield FileCall(found.start(), path, Format.TMPFILES)
    for found in ANSIBLE.finditer(text) if "ansible-" in text else ():
        folders = [*CHECKOUT.findall(found[2]), *filter(None, [context.folder])]
        for path in _playbooks(found[1], found[2], folders):
            yield FileCall(found.start(), path, Format.PLAYBOOK)
            around = path.rpartition("/")[0]
            yield from (FileCall(found.start(), f"{around}/{glob}", Format.PLAYBOOK) for glob in AROUND)
    for found in STARTS_SERVICE.finditer(text) if "service" in text or "invoke" in text else ():
        yield FileCall(found.start(), f"/etc/init.d/{found[1]}", Format.SCRIPT)
    for found in _inputs_of_shells(text):
        if not found[1].startswith(NO_INPUT):
            yield FileCall(found.start(), found[1], Format.SCRIPT)
    if text.startswith(INPUT):
        yield FileCall(0, text.removeprefix(INPUT).strip(), Format.SCRIPT)
    yield from tool_calls(text, context)
    yield from module_calls(text, context)
    if context.sets_vfs:
        yield from _data_calls(text, assigned_paths(text, MAX_TEXT))


def _inputs_of_shells(text: str) -> Iterator[re.Match[str]]:
    """Files that are at the input of a shell, or whose text is handed to one."""
    for found in INPUT_FILE.finditer(text, 0, MAX_TEXT):
        if SHELL_BEFORE.search(text, max(found.start() - BEFORE, 0), found.start()):
            yield found
    for found in TO_SHELL.finditer(text, 0, MAX_TEXT):
        if file := FILE_BEFORE.search(text, max(found.start() - BEFORE, 0), found.start()):
            yield file


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
    for found in READ.finditer(text, 0, MAX_TEXT):
        path = found[1] or assigned.get(found[2], "")
        if path and not path.startswith(NO_INPUT):
            yield FileCall(found.start(), path, Format.DATA)
