"""Files that a program in Python, Perl, Ruby and the like takes in: beside it, and where administrators install them.

What a distribution installs is known, and so are the packages of OpenStack and their kind: they read numbers of VFs.
"""

import re
import sys
from collections.abc import Iterator, Mapping

from msgspec import Struct

from sriov_bootstrap.conflicts.called_folders import NAME
from sriov_bootstrap.conflicts.library import language_of
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.tool_files import FileCall, Look, TextContext

PACKAGES = (
    "/usr/local/lib/python3*/dist-packages/*",
    "/usr/local/lib/python3*/site-packages/*",
    "/usr/local/lib64/python3*/site-packages/*",
)
SYSTEM_PACKAGES = ("/usr/lib/python3/dist-packages", "/usr/lib/python3*/site-packages")
# Packages that mention a number of VFs to read it, or when they are told to.
KNOWN = frozenset(
    {"nova", "neutron", "cyborg", "ironic", "ironic_python_agent", "os_vif", "vif_plug_ovs", "netplan", "netplan_cli",
     "cloudinit", "ansible", "ansible_collections", "salt", "sriov_bootstrap", "pyroute2", "libvirt", "virtinst", "sos",
     "openstack", "oslo_utils", "ovs", "blivet"}
)  # fmt: skip
PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]{1,128})[ \t]+import[ \t]+([\w, \t(]{1,512})|import[ \t]+([\w., \t]{1,512}))",
    re.MULTILINE,
)
PYTHON_PATH = re.compile(rf"(?:sys\.path\.\w{{1,16}}\([^)\n]{{0,64}}?|PYTHONPATH=)[\"']?(/{NAME}{{1,256}})")
MODULE = re.compile(r"\bpython[\d.]{0,8}[ \t]+(?:-[a-zA-Z]+[ \t]+){0,4}?-m[ \t]*([\w.]{1,128})")
INTERPRETER = re.compile(rf"#![ \t]*(/{NAME}{{1,256}})/bin/python")
OF_SYSTEM = ("/usr", "/usr/local", "")
PERL_FOLDER = re.compile(rf"\b(?:use[ \t]+lib|@INC)[^;\n]{{0,64}}?[\"'(](/{NAME}{{1,256}})")
BESIDES = {  # language -> what is taken in, and the paths that it may have, from the folder of the file
    "perl": (
        re.compile(r"^[ \t]*(?:use|require)[ \t]+([A-Z]\w{0,63}(?:::\w{1,64}){0,8})", re.MULTILINE),
        ("{}.pm", "lib/{}.pm", "../lib/{}.pm"),
    ),
    "ruby": (re.compile(r"\brequire(?:_relative)?[ \t(]+['\"](?:\./)?([\w./-]{1,128})['\"]"), ("{}.rb", "lib/{}.rb")),
    "node": (
        re.compile(r"(?:\brequire\(|\bfrom[ \t]|\bimport[ \t(])[ \t]{0,8}['\"]\./([\w./-]{1,128})['\"]"),
        ("{}", "{}.js", "{}.mjs", "{}.ts", "{}/index.js"),
    ),
    "lua": (re.compile(r"\brequire[ \t(]{0,8}['\"]([\w.]{1,128})['\"]"), ("{}.lua",)),
    "php": (
        re.compile(r"\b(?:require|include)(?:_once)?\b[^;\n]{0,32}?['\"](?:\./|/)?([\w./-]{1,128}\.(?:php|inc))['\"]"),
        ("{}",),
    ),
    "tcl": (re.compile(r"^[ \t]*source[ \t]+([\w.-][\w./-]{0,128}\.tcl)", re.MULTILINE), ("{}",)),
}  # fmt: skip
MAX_IMPORTS = 32  # of one file
MAX_TEXT = 1 << 17  # characters in which they are looked for


class PythonName(Struct, frozen=True):
    """A module as it is imported. `at`: the character; `parts`: of its dotted name."""

    at: int
    parts: tuple[str, ...]


def import_calls(source: Source, packages: Mapping[str, str]) -> Iterator[FileCall]:
    """Of a program. `packages`: name -> path of what an administrator has installed for Python."""
    language = language_of(source)
    folder = source.path.rpartition("/")[0]
    if language == "python":
        yield from _python_calls(source.text, folder, packages)
    elif found := BESIDES.get(language):
        pattern, paths = found
        folders = [folder, *PERL_FOLDER.findall(source.text)[:4]] if language == "perl" else [folder]
        for match in list(pattern.finditer(source.text, 0, MAX_TEXT))[:MAX_IMPORTS]:
            name = match[1].replace("::", "/").replace(".", "/") if language in {"perl", "lua"} else match[1]
            for place in folders:
                yield from (_beside(match.start(), place, path.format(name)) for path in paths)


def module_calls(text: str, context: TextContext) -> Iterator[FileCall]:
    """Modules that a command runs: `python3 -m NAME`."""
    for found in MODULE.finditer(text) if " -m" in text else ():
        name = found[1].replace(".", "/")
        folders = [context.folder, *PYTHON_PATH.findall(text)[:2], *(pattern[:-2] for pattern in PACKAGES)]
        for folder in filter(None, (*folders, *SYSTEM_PACKAGES)):
            yield from (
                FileCall(found.start(), f"{folder.rstrip('/')}/{name}{ending}", Format.SCRIPT, Look.MENTION)
                for ending in (".py", "/*.py", "/*/*.py")
            )


def _beside(at: int, folder: str, path: str) -> FileCall:
    while path.startswith("../"):
        folder, path = folder.rpartition("/")[0], path[3:]
    return FileCall(at, f"{folder}/{path}", Format.SCRIPT, Look.THERE)


def _python_calls(text: str, folder: str, packages: Mapping[str, str]) -> Iterator[FileCall]:
    """Beside the program each module; of a package that is installed every file of it that mentions VFs."""
    folders = [folder, *(path.rstrip("/") for path in PYTHON_PATH.findall(text, 0, MAX_TEXT)[:4])]
    interpreter = INTERPRETER.match(text)
    for name in _python_names(text):
        first, path = name.parts[0], "/".join(name.parts)
        for place in folders:
            yield _beside(name.at, place, f"{path}.py")
            yield _beside(name.at, place, f"{path}/__init__.py")
        installed = [packages[first]] if first in packages else []
        if interpreter and interpreter[1] not in OF_SYSTEM:
            installed.append(f"{interpreter[1]}/lib/python3*/site-packages/{first}")
        for place in installed if first not in KNOWN else ():
            globs = (place,) if place.endswith(".py") else (f"{place}/*.py", f"{place}/*/*.py")
            yield from (FileCall(name.at, glob, Format.SCRIPT, Look.MENTION) for glob in globs)


def _python_names(text: str) -> list[PythonName]:
    """Without those of Python itself."""
    found: dict[tuple[str, ...], PythonName] = {}
    for match in PYTHON.finditer(text, 0, MAX_TEXT):
        base, names, whole = match.groups()
        listed = [word.split()[0].strip("(") for word in (names or whole or "").split(",") if word.split()]
        dotted = [base.lstrip("."), *(f"{base}.{name}".lstrip(".") for name in listed)] if base else listed
        for name in filter(None, dotted):
            parts = tuple(part for part in name.split(".") if part)
            if parts and parts[0] not in sys.stdlib_module_names:
                found.setdefault(parts, PythonName(match.start(), parts))
    return [*found.values()][:MAX_IMPORTS]
