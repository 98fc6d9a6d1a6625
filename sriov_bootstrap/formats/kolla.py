"""kolla's containers: /etc/kolla/SERVICE/config.json says what is started, and which files are copied where."""

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.formats.oslo_files import split

INSIDE = "/var/lib/kolla/config_files/"  # where a container sees its folder of /etc/kolla


class Copy(Struct, frozen=True):
    """One file or folder that the container copies when it starts."""

    source: str
    dest: str


class Container(Struct, frozen=True):
    """As much of config.json as says what is read."""

    command: str = ""
    config_files: tuple[Copy, ...] = ()


def parse_container(text: str) -> Container | None:
    """None if it is not a config.json."""
    try:
        return msgspec.json.decode(text.encode(errors="replace"), type=Container)
    except UNDECODABLE:
        return None


def container_argv(container: Container) -> tuple[str, ...]:
    """The words of its command."""
    return split(container.command)


def on_host(path: str, container: Container, folder: str) -> str:
    """Where a path of the container comes from; "" for what is not copied, but the image's own."""
    for copy in container.config_files:
        source, dest = copy.source.rstrip("/*"), copy.dest.rstrip("/")
        if source.startswith(INSIDE) and (path == dest or path.startswith(f"{dest}/")):
            inside = f"{source.removeprefix(INSIDE)}{path.removeprefix(dest)}"
            return "" if ".." in inside.split("/") else f"{folder}/{inside}"
    return ""
