"""libvirt's own files: the only module that reads them. They name the domains without libvirt having to run."""

import os

from sriov_bootstrap.core.facts import Owners

# Where persistent domains lie: on a host, and in the volume that kolla-ansible gives its container (docker, podman).
FOLDERS = (
    "etc/libvirt/qemu",
    "var/lib/docker/volumes/nova_libvirt_qemu/_data",
    "var/lib/containers/storage/volumes/nova_libvirt_qemu/_data",
)
MAX_FILE_BYTES = 1 << 20


def read_owners(root: str = "") -> Owners:
    """Every persistent domain's VFs; never raises. A file that is no domain is passed over."""
    problems: list[str] = []
    paths = [path for folder in FOLDERS for path in _domain_files(f"{root}/{folder}", problems)]
    owners: dict[str, str] = {}
    for path in paths:
        owners |= _owned(path, problems)
    return Owners(owners, problems[0] if problems else "")


def _owned(path: str, problems: list[str]) -> dict[str, str]:
    from sriov_bootstrap.core.domains import parse_domain  # XML is loaded where there are domains

    try:
        with open(path, "rb") as file:
            return parse_domain(file.read(MAX_FILE_BYTES)) or {}
    except FileNotFoundError:
        return {}
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
        return {}


def _domain_files(folder: str, problems: list[str]) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name.endswith(".xml")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{folder}: {error.strerror}")
        return []
