"""Which nova a unit of this host starts, found without importing it and without asking a daemon.

What the unit starts says where to look: a program in a venv has its version in that venv, one of the system in dpkg's
or rpm's database or in the system's Python, and one in a container in a label of that container, which docker and
podman keep in files. Where none of these tells, the version is not known.
"""

from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.core.nova_version import NovaVersion, series_of
from sriov_bootstrap.core.openstack_releases import KOLLA_BEHIND
from sriov_bootstrap.edges import child
from sriov_bootstrap.formats import installed_packages, unit_files

if TYPE_CHECKING:
    from sriov_bootstrap.edges.text_files import TextFiles
    from sriov_bootstrap.machine.host_machine import HostMachine

DPKG_STATUS = "/var/lib/dpkg/status"
DPKG_NAMES = ("nova-compute", "nova-common", "python3-nova")
RPM = "/usr/bin/rpm"
RPM_NAMES = ("openstack-nova-compute", "openstack-nova-common", "python3-nova")
RPM_SECONDS = 5.0
SYSTEM_PREFIXES = ("/usr", "/usr/local")
SITE_FOLDERS = ("site-packages", "dist-packages")  # below lib/python3.N; Debian's own are below lib/python3
INIT_SCRIPTS = "/etc/init.d/"
ENGINES = ("docker", "podman")  # in the name of what a container's unit starts
DOCKER_CONFIGS = "/var/lib/docker/containers/*/config.v2.json"
PODMAN = "/var/lib/containers/storage"
KOLLA_LABEL = "kolla_version"
MAX_STATUS_BYTES = 1 << 25  # of thousands of packages
MAX_FILES = 256


def read_nova_version(machine: "HostMachine", unit: str) -> NovaVersion:
    """Of the nova that this unit starts; without text if it cannot be told. Takes no longer than rpm may."""
    texts = machine.text_files(max_bytes=MAX_STATUS_BYTES, max_files=MAX_FILES)
    words = _start_words(texts, unit)
    program = (texts.link(words[0]) or words[0]) if words else ""
    if any(engine in program.rpartition("/")[2] for engine in ENGINES):
        return _of_container(texts, words[-1])
    prefix = program.partition("/bin/")[0] if "/bin/" in program else ""
    if prefix and prefix not in SYSTEM_PREFIXES:
        return _of_python(texts, prefix)
    packaged = _of_dpkg(texts)
    packaged = packaged if packaged.text else ask_rpm(machine, texts)
    found = (packaged, *(_of_python(texts, folder) for folder in SYSTEM_PREFIXES))
    return next((version for version in found if version.text), NovaVersion())


def _start_words(texts: "TextFiles", unit: str) -> tuple[str, ...]:
    """The words of its ExecStart, as systemd has them; () if there are none. Debian's script starts the system's."""
    main = next(filter(None, (texts.read(f"{folder}/{unit}") for folder in unit_files.FOLDERS)), "")
    drop_ins = unit_files.in_order(texts.read_matching(*unit_files.drop_in_patterns(unit)))
    words = unit_files.exec_start((main, *drop_ins))
    return () if words and words[0].startswith(INIT_SCRIPTS) else words


def _of_dpkg(texts: "TextFiles") -> NovaVersion:
    return _version(installed_packages.dpkg_version(texts.read(DPKG_STATUS), DPKG_NAMES), "dpkg")


def ask_rpm(machine: "HostMachine", texts: "TextFiles") -> NovaVersion:
    """rpm's database is not a text. A tree in a folder is not asked: rpm would tell of this host."""
    if machine.is_tree or not texts.is_executable(RPM):
        return NovaVersion()
    try:
        done = child.run([RPM, "-q", "--qf", r"%{VERSION} %{RELEASE}\n", "--", *RPM_NAMES], timeout_seconds=RPM_SECONDS)
    except SriovBootstrapError:
        return NovaVersion()
    return _version(installed_packages.rpm_version(done.stdout.decode(errors="replace")), "rpm")


def _of_python(texts: "TextFiles", prefix: str) -> NovaVersion:
    """In a venv, or below /usr. Versions that differ, as after half an upgrade, tell nothing."""
    pythons = [name for name in texts.names(f"{prefix}/lib") if name.startswith("python3")]
    folders = [f"{prefix}/lib/{python}/{site}" for python in pythons for site in SITE_FOLDERS]
    names = [name for folder in folders for name in texts.names(folder)]
    return _version(installed_packages.dist_version(names, "nova"), f"in {prefix}")


def _of_container(texts: "TextFiles", container: str) -> NovaVersion:
    """kolla's number says which series an image is of; other images have no label that does."""
    docker = texts.read_matching(DOCKER_CONFIGS).values()
    labels = (installed_packages.docker_label(text, container, KOLLA_LABEL) for text in docker)
    label = next(filter(None, labels), "") or _podman_label(texts, container)
    series = series_of(label)
    return _version("" if series is None else str(series + KOLLA_BEHIND), f"label of kolla {label}")


def _version(text: str, source: str) -> NovaVersion:
    return NovaVersion(text, source) if text else NovaVersion()


def _podman_label(texts: "TextFiles", container: str) -> str:
    listed = texts.read(f"{PODMAN}/overlay-containers/containers.json")
    if not (image := installed_packages.podman_image(listed, container)):
        return ""
    folder = f"{PODMAN}/overlay-images/{image}"
    return installed_packages.podman_label(
        texts.read(f"{folder}/{installed_packages.podman_config_file(image)}"), KOLLA_LABEL
    )
