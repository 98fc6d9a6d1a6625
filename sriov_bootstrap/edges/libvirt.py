"""libvirt's own files: the only module that reads them. They name the domains without libvirt having to run."""

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.errors import LinkError
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.base.reading import MAX_ENTRIES, TooLargeError, read_file, read_names
from sriov_bootstrap.core.packagings import PACKAGINGS
from sriov_bootstrap.core.vf_users import Owner, Owners

PERSISTENT = tuple(dict.fromkeys(folder for packaging in PACKAGINGS for folder in packaging.domains))
RUNNING = tuple(dict.fromkeys(folder for packaging in PACKAGINGS for folder in packaging.running))
MAX_FILE_BYTES = 1 << 20


def read_owners(root: str = "", *, shut_off: bool) -> Owners:
    """The VFs of every running domain, and with `shut_off` of every persistent one; never raises.

    XML that is not a domain is skipped; a file that cannot be parsed may be one.
    """
    problems: list[str] = []
    owners: dict[str, Owner] = {}
    for folder in (*(PERSISTENT if shut_off else ()), *RUNNING):
        for path in _domain_files(f"{root}{folder}", problems):
            owners |= _owners_in(root, path, problems)
    return Owners(owners, printable(problems[0]) if problems else "")


def _owners_in(root: str, path: str, problems: list[str]) -> dict[str, Owner]:
    from sriov_bootstrap.core.domains import parse_domain  # XML is loaded where there are domains

    try:
        text = Below(root).read(path.removeprefix(root), MAX_FILE_BYTES) if root else read_file(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        return {}
    except TooLargeError:
        problems.append(f"{path}: larger than any domain's XML")
        return {}
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
        return {}
    except LinkError as error:
        problems.append(error.message)
        return {}
    owners = parse_domain(text)
    if owners is None:
        problems.append(f"{path}: not XML")
    return owners or {}


def _domain_files(folder: str, problems: list[str]) -> list[str]:
    try:
        names, is_all = read_names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{folder}: {error.strerror}")
        return []
    if not is_all:
        problems.append(f"{folder}: has more than {MAX_ENTRIES} entries")
    return [f"{folder}/{name}" for name in names if name.endswith(".xml")]
