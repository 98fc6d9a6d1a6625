"""Module parameters with a number of VFs, in modprobe.d and on the kernel command line.

kmod passes every `options` line, in the order of the files' names, then the kernel command line; what an `install` line
adds comes last. Of equal parameters the kernel takes the last one. The command line of the next boot is in the files of
the boot loader.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from sriov_bootstrap.conflicts.boot_loaders import RUNNING, loader_parameters, remedy_at, word_key
from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.module_counts import MLX4, ModuleCount, doubt_about, module_counts
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.formats.modprobe import COUNTS, Parameter, aliases, effective, module_name, parameters, parse

OURS = re.compile(r"/etc/modprobe\.d/sriov-bootstrap-[\w-]+\.conf")
NEXT_BOOT = "it is not on the command line of the running kernel, and may be on that of the next boot"
MAX_LINES = 8


def read(search: Search) -> Iterator[Master]:
    """Of each module and parameter the last line counts. Our own file does not."""
    texts = effective({source.path: source.text for source in search.survey.sources_of(Format.MODPROBE)})
    others = {path: text for path, text in texts.items() if not OURS.fullmatch(path)}
    command_line = tuple(word for source in _running_line(search.survey) for word in source.text.split())
    lines = parse(others, command_line)
    for name in COUNTS:
        by_module: dict[str, list[Parameter]] = {}
        for given in parameters(lines, name):
            by_module.setdefault(module_name(given.module), []).append(given)
        for every in by_module.values():
            every.sort(key=lambda parameter: parameter.line.words[0] == "install")
            for master in _masters(every, aliases(lines), search):
                yield replace(master, remedy=_remedy(every, search.survey))


def _masters(every: list[Parameter], names: Mapping[str, str], search: Search) -> Iterator[Master]:
    """Of what one module is given. `names`: alias -> the module, whose options it has where that is asked for by it."""
    last = every[-1]
    module = names.get(module_name(last.module), "")
    for counted in module_counts(replace(last, module=module or last.module), search.pfs):
        master = _master(counted, every)
        doubt = f"it only counts where {module} is loaded as {last.module}" if module else ""
        yield replace(master, is_certain=False, doubt=doubt) if doubt else master


def read_loaders(search: Search) -> Iterator[Master]:
    """What the running kernel was not given, and the next one may be."""
    running = tuple(word for source in _running_line(search.survey) for word in source.text.split())
    there = {word_key(given) for name in COUNTS for given in parameters(parse({}, running), name)}
    for given in loader_parameters(search.survey.sources_of(Format.KERNEL)):
        if word_key(given) not in there:
            for counted in module_counts(given, search.pfs):
                yield Master(
                    Format.KERNEL,
                    given.line.path,
                    given.line.number,
                    _word(given),
                    (counted.device,),
                    counted.num_vfs,
                    is_certain=False,
                    doubt=doubt_about(counted, given) or NEXT_BOOT,
                    remedy=_remedy_for_mlx4(given) if module_name(given.module) == MLX4 else remedy_at(given),
                )


def _running_line(survey: MastersSurvey) -> tuple[Source, ...]:
    return tuple(source for source in survey.sources_of(Format.KERNEL) if source.path == RUNNING)


def _master(counted: ModuleCount, given: list[Parameter]) -> Master:
    last = given[-1]
    doubt = doubt_about(counted, last)
    is_file = bool(last.line.number)
    return Master(
        Format.MODPROBE if is_file else Format.KERNEL,
        last.line.path,
        last.line.number,
        str(last) if is_file else _word(last),
        (counted.device,),
        counted.num_vfs,
        is_certain=not doubt,
        doubt=doubt,
    )


def _word(given: Parameter) -> str:
    return f"{given.module}.{given.name}={given.number}"


def _remedy(given: list[Parameter], survey: MastersSurvey) -> str:
    """Every line that gives it: without the last one, the one before it would count.

    At the next boot, the lines of files come from the initramfs, whatever the files say by then.
    """
    last = given[-1]
    if module_name(last.module) == MLX4:
        return _remedy_for_mlx4(last)
    loaders = {word_key(other): other for other in loader_parameters(survey.sources_of(Format.KERNEL))}
    places: dict[str, None] = {}
    for parameter in reversed(given):
        file = f"{parameter.name} from line {parameter.line.number} of {parameter.line.path}"
        word = f"{_word(parameter)} from the kernel command line in the boot loader's config, and reboot"
        if loader := loaders.get(word_key(parameter)):
            word = f"{remedy_at(loader).removeprefix('remove ')}, and reboot"
        places.setdefault(file if parameter.line.number else word)
    initramfs = survey.initramfs
    after = f", then: {initramfs}" if initramfs and any(parameter.line.number for parameter in given) else ""
    return f"remove {' and '.join([*places][:MAX_LINES])}{after}"


def _remedy_for_mlx4(given: Parameter) -> str:
    where = f"line {given.line.number} of {given.line.path}" if given.line.number else given.line.path
    return (
        f"leave it: {MLX4} creates VFs only while it is loaded, as many as {given.name} in {where} says, and nothing"
        " can be written to sriov_numvfs; set num_vfs of the rule to the same number"
    )
