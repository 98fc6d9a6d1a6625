"""What single commands of shell put out, and which do nothing with a file that they are given."""

import re

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_state import MAX_VALUES, Values
from sriov_bootstrap.formats.shell_totals import calculate
from sriov_bootstrap.formats.shell_unknowns import (
    ABOUT,
    ADDRESS_OF,
    FILE,
    TOTAL_OF,
    UNKNOWN,
    UNKNOWN_TARGET,
    unknown_from,
)
from sriov_bootstrap.formats.shell_values import MAX_TEXT

TOTAL = "/sriov_totalvfs"
OTHERS_FILES = ("/mlx5_num_vfs", "/mlx4_num_vfs", "/max_vfs")  # of old drivers of Mellanox's own, and of DPDK's igb_uio
TARGET = re.compile(rf"(?:^|[/\s=]){FILE}$")
SETTING = re.compile(
    r"(?:^|[\s./-])(?:(?:\w{1,16}_)?(?:(?:num|max)[_-]?|total-)vfs|virtual-function-count)(?:=|\s|$)", re.IGNORECASE
)
INNER_SCRIPT = re.compile(rf"(?:>|tee\s|of=)[^;|&]*{FILE}")
NAMED_FOR_COUNT = re.compile(  # that is not known, and does more than to look
    r"(?!get|check|show|list|print|read|wait|log|is|has|count)[\w-]{0,32}(?:num|max)[_-]?vfs?[\w.-]{0,32}",
    re.IGNORECASE,
)
DEVICE_FOLDER = re.compile(r"(/sys/\S+/(?:device|[\da-fA-F]{4,5}:[\da-fA-F]{2}:[\da-fA-F]{2}\.[0-7]))/*")
ECHO_OPTION = re.compile(r"-[neE]+")
CONVERSION = re.compile(r"%(?:%|[sbdiu])")
MAX_SEQUENCE = MAX_VALUES

READERS = frozenset(
    {"cat", "head", "tail", "grep", "egrep", "fgrep", "zgrep", "wc", "cut", "od", "xxd", "more", "less"}
)
HARMLESS = READERS | {
    "[", "[[", "test", "echo", "printf", "ls", "stat", "find", "logger", "true", "false", ":", "exit", "return",
    "cd", "export", "local", "declare", "typeset", "readonly", "unset", "read", "set", "shift", "sleep", "dirname",
    "basename", "realpath", "readlink", "chmod", "chown", "chgrp", "inotifywait", "udevadm", "restorecon", "file",
    "diff", "cmp", "sort", "uniq", "which", "command", "type", "seq", "tr", "let", "trap", "alias", "md5sum",
    "sha256sum", "log", "die", "warn", "error", "info", "debug", "fatal", "break", "continue", "locate", "lsof",
    "fuser", "getfacl", "wait", "mail", "mailx", "sendmail", "tar", "gzip", "zip", "scp", "curl", "wget", "systemd-cat",
    "notify-send", "wall", "base64", "strings", "hexdump", "sha1sum", "tac", "nl", "paste", "column", "du", "pgrep",
}  # fmt: skip
LANGUAGES = ("python", "perl", "ruby", "awk", "gawk", "mawk", "lua")
WRITES = re.compile(r"write|>|['\"][wa]b?['\"]|system")
SYSFS_LINK = re.compile(
    r"/sys/.*/(?:device|driver|module|subsystem|physfn|virtfn\d+)/?\Z"
)  # has another name where it leads
UEVENT = re.compile(r"(/sys/\S*/device)/uevent")
OF_ADDRESS = re.compile(r"bus-?info|PCI_SLOT_NAME")
ROOT = {("-u",): "0", ("-un",): "root", ("-u", "-n"): "root", (): "root"}  # of id and whoami, for who may write
LEAD_AWAY = ("/driver", "/module", "/subsystem")  # out of the device's own folder
CHANGING_LINES = frozenset(
    {"sed", "awk", "gawk", "mawk", "head", "tail", "tr", "cut", "grep", "egrep", "shuf", "tac", "sort", "uniq"}
)
COPIES = frozenset({"cp", "install", "mv", "rsync", "ln"})
IDLE = HARMLESS - READERS | {"cat", "", "tee", "dd", "exec", "usleep"}
FIND_RUNS = frozenset({"-exec", "-execdir", "-ok"})
FIND_ACTIONS = FIND_RUNS | {"-delete", "-fprint"}


def is_target(path: str) -> bool:
    """Whether it is the path of a sriov_numvfs, without a glob in its last part."""
    return path.endswith(FILE) and TARGET.search(path[-len(FILE) - 1 :]) is not None


def is_total(path: str) -> bool:
    """Whether it is the path of a sriov_totalvfs."""
    return f"/{path}".endswith(TOTAL)


def may_set(name: str, words: list[str]) -> bool:
    """Whether a command that is not understood may set VFs: it is given the file, or a setting by that name."""
    if name.startswith(LANGUAGES):
        return any(FILE in word and WRITES.search(word) for word in words)
    if name == "alias":
        return any(INNER_SCRIPT.search(word) for word in words)
    if NAMED_FOR_COUNT.fullmatch(name):
        return True
    if name in HARMLESS or (name == "sed" and not any(word.startswith("-i") for word in words)):
        return name == "find" and any(map(is_target, words)) and not _finds_harmlessly(words)
    return any(
        is_target(word) or (SETTING.search(word) if len(word) < MAX_TEXT else FILE in word) or INNER_SCRIPT.search(word)
        for word in words
    )


def _finds_harmlessly(words: list[str]) -> bool:
    """Whether `find` only shows what it finds, or gives it to a command that does no more."""
    actions = [at for at, word in enumerate(words) if word in FIND_ACTIONS]
    return all(words[at] in FIND_RUNS and "".join(words[at + 1 : at + 2]) in HARMLESS - {"find"} for at in actions)


def output_of(name: str, words: list[Values], feed: Values, folder: str) -> Values:
    """What a command puts out; `words` are its arguments, `feed` its input."""
    if name in {"true", ":", "cd", "sleep", "false", "export", "local", "set", "shift", "unset", "modprobe", "exit"}:
        return ("",)
    if name in {"tee", "sort", "uniq"} or (name == "cat" and not words):
        return feed
    if name == "pwd":
        return (folder or UNKNOWN,)
    if name == "find":
        return _find_output([values[0] for values in words])
    if name == "cat" and len(words) == 1 and all(map(is_total, words[0])):
        return tuple(f"{TOTAL_OF}{path if path.startswith('/') else f'{folder}/{path}'}" for path in words[0])
    made = _told_of_device(name, words, feed) or _product(name, words)
    return (unknown_from(feed),) if made == (UNKNOWN,) and name in CHANGING_LINES else made


def _told_of_device(name: str, words: list[Values], feed: Values) -> Values:
    """What `ethtool -i` and a uevent file tell of a device, and its address out of that; () if it is none of these."""
    first = [values[0] for values in words if len(values) == 1]
    if name == "ethtool" and first[:1] in (["-i"], ["--driver"]) and first[1:2] == first[1:]:
        return tuple(f"{ABOUT}/sys/class/net/{netdev}/device" for netdev in first[1:])
    files = [UEVENT.fullmatch(word) for word in first]
    lines = next((f"{ABOUT}{found[1]}" for found in files if found), feed[0] if len(feed) == 1 else "")
    if name == "cat" and any(files):
        return (lines,)
    if name not in CHANGING_LINES or not lines.startswith((ABOUT, ADDRESS_OF)):
        return ()
    if lines.startswith(ABOUT) and any(OF_ADDRESS.search(word) for word in first):
        return (lines.replace(ABOUT, ADDRESS_OF, 1),)
    return (lines if lines.startswith(ADDRESS_OF) else UNKNOWN,)


def _find_output(words: list[str]) -> Values:
    """The paths that `find` lists."""
    if not any(word.endswith((FILE, f"{FILE[:-1]}*")) for word in words) or not FIND_ACTIONS.isdisjoint(words):
        return (UNKNOWN,)
    roots = [DEVICE_FOLDER.fullmatch(word) for word in words if word.startswith("/")]
    if roots and all(roots):
        return ("\n".join(f"{root[1]}/{FILE}" for root in roots if root),)
    return (UNKNOWN_TARGET,)


def _product(name: str, words: list[Values]) -> Values:
    """For each combination of what the arguments may be."""
    combinations: list[list[str]] = [[]]
    for values in words:
        combinations = [[*before, value] for before in combinations for value in values]
        if len(combinations) > MAX_VALUES:
            return (UNKNOWN,)
    return tuple(dict.fromkeys(_output(name, combination) for combination in combinations))


def _output(name: str, words: list[str]) -> str:  # noqa: PLR0911 - a table of commands
    match name:
        case "echo":
            return _echo(words)
        case "printf":
            return _printf(words[0], words[1:]) if words else ""
        case "dirname" if words:
            return words[-1].rstrip("/").rpartition("/")[0] or "."
        case "basename" if words:
            return _basename(words[0], "".join(words[1:2]))
        case "readlink" | "realpath" if words:
            return UNKNOWN if words[-1].startswith("/sys/") and words[-1].endswith(LEAD_AWAY) else words[-1]
        case "seq" | "expr":
            return _seq(words) if name == "seq" else calculate(" ".join(words), lambda _: ())
        case "id" | "whoami" if tuple(words) in ROOT:
            return ROOT[tuple(words)]
        case "ls":
            return _ls([word for word in words if not word.startswith("-")])
    if name not in READERS and any(is_target(word) for word in words):
        return UNKNOWN_TARGET
    known = next((word for word in words if word.startswith("/sys/") and name in READERS), "")
    return f"{UNKNOWN}{known}" if FILE in known else UNKNOWN


def _basename(path: str, suffix: str) -> str:
    last = path.rstrip("/").rpartition("/")[2]
    if SYSFS_LINK.match(path):
        return f"{ADDRESS_OF}{path}" if last == "device" else UNKNOWN
    return last.removesuffix(suffix)


def _ls(paths: list[str]) -> str:
    """Files are listed by their paths; of a folder, names that are not known."""
    if paths and all(is_target(path) or is_total(path) or path.endswith("/device") or _is_glob(path) for path in paths):
        return "\n".join(paths)
    return "*" if paths in (["/sys/class/net"], ["/sys/class/net/"]) else UNKNOWN


def _is_glob(path: str) -> bool:
    """Of files that a loop may run; the names of devices are not known."""
    return "*" in path.rpartition("/")[2] and path.startswith("/") and not path.startswith(("/sys/", "/proc/"))


def _echo(words: list[str]) -> str:
    options = 0
    while options < len(words) and ECHO_OPTION.fullmatch(words[options]):
        options += 1
    said = "".join(words[:options])
    text = " ".join(words[options:])
    return _unescape(text, is_needed="e" in said) + ("" if "n" in said else "\n")


def _unescape(text: str, *, is_needed: bool = True) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t") if is_needed else text


def _printf(form: str, words: list[str]) -> str:
    rest = iter(words)

    def _converted(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        word = next(rest, "")
        if word.startswith(TOTAL_OF):
            return word
        number = kernel_number(word) if found[0][1] in "diu" else None
        return word if found[0][1] in "sb" else UNKNOWN if number is None else str(number)

    form, text = _unescape(form), ""
    takes = sum(found[0] != "%%" for found in CONVERSION.finditer(form))
    turns = max(1, -(-len(words) // takes)) if takes else 1  # again as long as there are words
    if turns * len(form) > MAX_TEXT:
        return UNKNOWN
    for _ in range(turns):
        text += CONVERSION.sub(_converted, form)
    return UNKNOWN if next(rest, None) is not None or re.search(r"%[^%\s]", text) else text


def _seq(words: list[str]) -> str:
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= len("65535")]
    if not numbers or len(numbers) != len(words) or len(numbers) > len(("first", "step", "last")):
        return UNKNOWN
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) > 2 else 1  # noqa: PLR2004 - first, step, last
    if not step or (numbers[-1] - first) // step > MAX_SEQUENCE:
        return UNKNOWN
    return "\n".join(map(str, range(first, numbers[-1] + 1, step)))
