"""Unit files of systemd, as far as it takes to know what a service starts: systemd.unit(5), systemd.service(5)."""

from collections.abc import Iterable, Mapping

from sriov_bootstrap.core.doctor.oslo_files import split

FOLDERS = (  # the first one that has the unit wins
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PULLED_IN = (".wants", ".requires", ".upholds")  # folders of links to the units that a unit pulls in


def drop_in_patterns(unit: str) -> tuple[str, ...]:
    """Globs of its drop-ins, the weakest first: a name that comes again replaces the one before."""
    parts = unit.removesuffix(".service").split("-")
    prefixes = ["-".join(parts[:number]) + "-" for number in range(1, len(parts))]
    names = ("service", *(f"{prefix}.service" for prefix in prefixes), unit)
    return tuple(f"{folder}/{name}.d/*.conf" for name in names for folder in reversed(FOLDERS))


def in_order(found: Mapping[str, str]) -> tuple[str, ...]:
    """The texts of drop-ins, found in the order of the patterns, in the order in which systemd applies them."""
    by_name = {path.rpartition("/")[2]: text for path, text in found.items()}
    return tuple(text for _, text in sorted(by_name.items()))


def exec_start(texts: Iterable[str]) -> tuple[str, ...]:
    """The words that start it, out of the unit and then its drop-ins; () if there are none."""
    commands = service_values(texts, "ExecStart")
    if not commands:
        return ()
    words = split(commands[-1])
    is_renamed = "@" in words[0][: len(words[0]) - len(words[0].lstrip("@-:+!|"))] if words else False
    program = words[0].lstrip("@-:+!|") if words else ""
    return (program, *words[2 if is_renamed else 1 :]) if program else ()


def service_values(texts: Iterable[str], option: str) -> list[str]:
    """The values of one option of [Service]; an empty one drops those before it."""
    values: list[str] = []
    for text in texts:
        section = ""
        for line in _logical_lines(text):
            if line.startswith("["):
                section = line
            key, _, value = line.partition("=")
            if section == "[Service]" and key.strip() == option:
                values = [*values, value.strip()] if value.strip() else []
    return values


def _logical_lines(text: str) -> Iterable[str]:
    """Continued lines as one; comments may stand between their parts."""
    begun = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            begun += line[:-1] + " "
        else:
            yield begun + line
            begun = ""
    yield begun
