"""The command line of the next kernel, in the files of boot loaders: module parameters with a number of VFs.

grub's settings are shell, its menu a language of its own, and the others have the words as they are: in all of them
`module.parameter=value` stands as the kernel gets it, so that is what is looked for.
"""

import re
from collections.abc import Iterable, Iterator

from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.formats.modprobe import COUNTS, ModprobeLine, Parameter, module_name

RUNNING = "/proc/cmdline"
WORD = re.compile(
    rf"(?<![\w.-])([A-Za-z][\w-]{{0,63}})\.({'|'.join(COUNTS).replace('_', '[_-]')})=[\"']?([^\s\"'\\]{{1,256}})"
)
MAX_LINE = 1 << 14
MAX_WORDS = 64  # of one file
APPLIES = (
    ("/etc/default/grub", "update-grub, or grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ("/boot/grub", "update-grub, or grub2-mkconfig -o /boot/grub2/grub.cfg"),
    ("/etc/kernel", "kernel-install add-all"),
    ("/boot/loader/entries", "grubby --update-kernel=ALL --remove-args=WORD"),
)
WordKey = tuple[str, str, str]


def word_key(given: Parameter) -> WordKey:
    """What makes two words the same."""
    return module_name(given.module), given.name, given.value


def loader_parameters(sources: Iterable[Source]) -> tuple[Parameter, ...]:
    """Each word once, where it stands first: what is generated comes after what it is generated from."""
    found: dict[WordKey, Parameter] = {}
    for source in sources:
        if source.format is Format.KERNEL and source.path != RUNNING:
            for given in _parameters(source):
                found.setdefault(word_key(given), given)
    return tuple(found.values())


def _parameters(source: Source) -> Iterator[Parameter]:
    words = 0
    for number, line in enumerate(source.text.split("\n") if "vf" in source.text else (), 1):
        if "vf" not in line or line.lstrip().startswith("#"):
            continue
        for module, name, value in WORD.findall(line[:MAX_LINE]):
            words += 1
            if words > MAX_WORDS:
                return
            yield Parameter(ModprobeLine(source.path, number, ("options", module)), module, value, module_name(name))


def remedy_at(given: Parameter) -> str:
    """Where the word is to be taken out, and what to do then."""
    word = f"{given.module}.{given.name}={given.number}"
    after = next((command for start, command in APPLIES if given.line.path.startswith(start)), "")
    after = after.replace("WORD", f"{given.module}.{given.name}")
    return f"remove {word} from line {given.line.number} of {given.line.path}{', then: ' if after else ''}{after}"
