"""Which version of a package is installed, in what packagers leave behind: dpkg, rpm, Python's metadata, containers."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping

INSTALLED = "install ok installed"
DIST = re.compile(r"([A-Za-z0-9_.]+?)-([0-9][^-]*)(?:-py[\d.]+)?\.(?:dist-info|egg-info)")
MAX_LABEL = 64  # characters of a version
MAX_CONTAINERS = 1024


def dpkg_version(status: str, names: Iterable[str]) -> str:
    """The upstream version of the first of these packages that is installed; `status`: of /var/lib/dpkg/status."""
    text = f"\n{status}"
    for name in names:
        _, found, rest = text.partition(f"\nPackage: {name}\n")
        fields = dict(line.partition(": ")[::2] for line in rest.partition("\n\n")[0].splitlines())
        if found and fields.get("Status") == INSTALLED and (version := fields.get("Version", "")):
            upstream = version.partition(":")[2] or version
            return upstream.rpartition("-")[0] or upstream
    return ""


def rpm_version(answer: str) -> str:
    """Of the first line `VERSION RELEASE`, which is how `rpm -q` was asked; the rest says what is not installed.

    A release below 1 is a build from the middle of a series, which its version does not tell: it is appended.
    """
    for line in answer.splitlines():
        version, _, release = line.partition(" ")
        if version[:1].isdigit() and release and " " not in release:
            return f"{version}-{release}" if release.startswith("0.") else version
    return ""


def dist_version(names: Iterable[str], project: str) -> str:
    """Of a project in a folder with these names, as pip and packagers leave them; "" if there is none, or several."""
    found = (DIST.fullmatch(name) for name in names)
    versions = {match[2] for match in found if match and match[1].lower() == project}
    return versions.pop() if len(versions) == 1 else ""


def docker_label(text: str, container: str, label: str) -> str:
    """A label of a container, in its config.v2.json; "" if that is another container's."""
    found = _object_of(_load(text))
    name = found.get("Name")
    is_it = isinstance(name, str) and name.removeprefix("/") == container
    return _label(_object_of(found.get("Config")), label) if is_it else ""


def podman_image(text: str, container: str) -> str:
    """The id of a container's image, in containers.json; "" if it does not exist."""
    rows = _load(text)
    for row in map(_object_of, rows[:MAX_CONTAINERS] if isinstance(rows, list) else ()):
        image = row.get("image")
        if container in _texts(row.get("names")) and isinstance(image, str) and re.fullmatch(r"[0-9a-f]{64}", image):
            return image
    return ""


def podman_config_file(image: str) -> str:
    """The name of the file with an image's config, in the image's folder: containers/storage encodes its key."""
    return "=" + base64.b64encode(f"sha256:{image}".encode()).decode()


def podman_label(text: str, label: str) -> str:
    """A label of an image, in that file."""
    return _label(_object_of(_object_of(_load(text)).get("config")), label)


def _load(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object_of(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Iterator[str]:
    return (text for text in (value if isinstance(value, list) else ()) if isinstance(text, str))


def _label(config: Mapping[str, object], label: str) -> str:
    value = _object_of(config.get("Labels")).get(label)
    return value if isinstance(value, str) and len(value) <= MAX_LABEL else ""
