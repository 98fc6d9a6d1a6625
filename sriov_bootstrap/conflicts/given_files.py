"""Whether a command that is given a file, of whatever kind, may take from it what sets VFs: it is not one that looks.

Judged by the words before and after the path. What only looks at files, tests them or takes them away is known by its
name; what copies one counts if a program finds settings where the copy lies.
"""

import re

from sriov_bootstrap.conflicts.started_units import UNIT_ENDINGS
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.formats.shell_commands import COPIES, HARMLESS
from sriov_bootstrap.formats.shell_files import OTHER_TREES
from sriov_bootstrap.formats.shell_simple import PREFIXES
from sriov_bootstrap.formats.written_texts import is_read_at_boot

MAX_WORDS = 8  # of a command that may be its name, where others may stand before it
NO_SETTINGS = (
    *(*OTHER_TREES, "/var/log/", "/run/lock/", "/etc/sriov-bootstrap/", "/var/lib/sriov-bootstrap/"),
    *("/run/sriov-bootstrap/", "/usr/share/doc/", "/usr/share/man/", "/usr/share/info/"),
)
NO_SETTINGS_ENDINGS = (".log", ".pid", ".prom", ".md", ".rst", ".html", ".lock", ".sock")
OF_ADMINISTRATORS = ("/etc/", "/opt/", "/srv/", "/usr/local/", "/root/", "/home/")  # what a variable may name
KEYWORDS = frozenset({"then", "do", "else", "if", "elif", "while", "until", "!", "exec", "export", "eval", "time"})
# They look at files, take them away, or show what is there: no VFs come from that.
LOOKING = HARMLESS | {
    "rm", "rmdir", "mkdir", "touch", "chattr", "setfacl", "mktemp", "truncate", "shred", "unlink", "sed", "awk", "gawk",
    "mawk", "jq", "yq", "sha512sum", "cksum", "dpkg", "rpm", "dpkg-query", "vi", "vim", "nano", "mount", "umount",
    "systemctl", "journalctl", "pidof", "pkill", "kill", "killall", "git", "tee", "logrotate", "rsyslogd", "openssl",
    "prometheus", "node_exporter", "prometheus-node-exporter", "telegraf", "collectd", "nrpe", "zabbix_agentd",
    "zabbix_agent2", "filebeat", "promtail", "fluent-bit", "fluentd", "vector", "alertmanager", "snmpd", "auditd",
    "auditctl", "aide", "restic", "borg", "duplicity", "rclone", "cpio", "gpg", "getfattr", "lsattr", "sync", "namei",
    "yamllint", "shellcheck", "xmllint", "sriov-bootstrap", "sriov-bootstrap-metrics", "for", "case", "select",
    "done", "mapfile", "readarray", "ssh", "cut", "tr", "sort", "uniq",
}  # fmt: skip
SEPARATORS = ";&|(`{"
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")  # other words, whatever is in them
ASSIGNED = re.compile(r"(?:^|[\s;&|({\"'])\w{1,64}=[\"']?\Z")
ARGUMENT_OF_CALL = re.compile(r"\w\([\"']\Z")  # of a function, in another language
INNER = re.compile(r"(?<=\s)-[a-z]*c[ \t]+[\"']")  # before a command of a shell
PREFIXED = re.compile(r"(?:^|[\s;&|(])(?:sudo|doas|timeout|nice|ionice|env|chrt|taskset|xargs|flock|runuser|su)[ \t]")
HANDED_ON = re.compile(
    r"(?:\b(?:xargs|parallel)\b|-exec(?:dir)?\b)(?:[ \t]+-[\w-]+(?:[ \t]+\d+|[ \t]+\{\})?){0,4}[ \t]+([\w./-]+)"
)
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
FILTERS = frozenset({"awk", "gawk", "mawk", "sed", "jq"})
OF_SCRIPT = (" -f", " --file", " --file=", " --from-file")
ASSIGNMENT = re.compile(r"\w+\+?=.*")
TARGET = re.compile(r">[>|]?[ \t]*[\"']?(/[\w./+@-]{1,256})")
TEE = re.compile(r"\btee[ \t]+(?:-\w+[ \t]+)?[\"']?(/[\w./+@-]{1,256})")


def is_given_file(path: str, before: str, after: str, kind: Format) -> bool:
    """`before`, `after`: what its command has on both sides of it; `kind`: of the file with the command."""
    if path.startswith(NO_SETTINGS) or path.endswith(NO_SETTINGS_ENDINGS):
        return False
    if ASSIGNED.search(before) or ARGUMENT_OF_CALL.search(before):
        return path.startswith(OF_ADMINISTRATORS)
    opened = QUOTED.sub("_", before).rstrip("\"' \t")
    if opened.endswith(">") or " #" in opened:
        return False
    opened = INNER.split(opened)[-1]
    words = _words_of_command(opened, f'{SEPARATORS}"' if kind is Format.UDEV else SEPARATORS)
    names = [word.rpartition("/")[2].lstrip("@-:+!\"'") for word in words]
    is_led = kind not in {Format.SCRIPT, Format.UNIT} or PREFIXED.search(opened) is not None
    first = names[: MAX_WORDS if is_led else 1]
    if not COPIES.isdisjoint(first):
        return any(map(is_read_at_boot, _words_of_command(_own(after), "")[-1:]))
    if not LOOKING.isdisjoint(first):
        is_taken = _is_run_all_the_same(path, opened, first) or _is_piped(after)
        return is_taken or any(map(is_read_at_boot, _targets(after)))
    return bool(words)  # without any, it is the command


def _is_run_all_the_same(path: str, opened: str, names: list[str]) -> bool:
    """By a program that looks at files, and does something else with some."""
    if not FILTERS.isdisjoint(names):
        return opened.endswith(OF_SCRIPT)
    return "systemctl" in names and path.endswith(UNIT_ENDINGS)


def hands_on(text: str) -> bool:
    """Whether xargs or find gives files to a command that may take settings from them."""
    if not any(word in text for word in ("xargs", "parallel", "-exec")):
        return False
    names = {found.rpartition("/")[2] for found in HANDED_ON.findall(text)}
    return not names <= LOOKING | COPIES | PREFIXES


def _is_piped(after: str) -> bool:
    """Whether what a command shows goes to one that may take it for settings."""
    _, *piped = re.split(r"[;&)]|\|\|", QUOTED.sub("_", after), maxsplit=1)[0].split("|")
    words = (_words_of_command(part, "")[:1] for part in piped)
    return any(word[0].rpartition("/")[2] not in LOOKING | SHELLS for word in words if word)


def _words_of_command(text: str, separators: str) -> list[str]:
    """What the last command of a text begins with, without what stands before its name."""
    start = max((text.rfind(sign) for sign in separators), default=-1) + 1
    words = text[start:].split()
    while words and _is_before_name(words[0].rpartition("/")[2]):
        words = words[1:]
    return words


def _is_before_name(word: str) -> bool:
    if word in KEYWORDS or word in PREFIXES:
        return True
    return word.startswith("-") or word[:1].isdigit() or ASSIGNMENT.fullmatch(word) is not None


def _own(after: str) -> str:
    """The rest of the command."""
    return re.split(r"[;&|)\n]", after, maxsplit=1)[0]


def _targets(after: str) -> list[str]:
    """What the output of a command that shows a file goes to."""
    return [*TARGET.findall(after), *TEE.findall(after)]
