"""What to type: the endings that several remedies share."""

from msgspec.structs import replace

from sriov_bootstrap.core.packagings import PackagedService, units_of
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.places import OWN_NAME, place_of, restart_command


def render_remedy(host: Host, target: str, *in_the_way: Entry) -> str:
    """Have it rendered, without the lines that would override it: a file named by the unit wins over a drop-in."""
    place = _place_on(host, target)
    lines = [entry.place for entry in in_the_way if not entry.path.endswith(f"/{OWN_NAME}.conf")]
    if not place.folder:
        return f"sriov-bootstrap render {target} prints the right lines: {restart_command(place, host.release)}"
    out = f"remove line {' and line '.join(dict.fromkeys(lines))}, then: " if lines else ""
    return f"{out}sriov-bootstrap render {target} --write && {restart_command(place, host.release)}"


def restart_remedy(host: Host, target: str, change: str) -> str:
    """A change by hand, and the restart that makes it count."""
    place = _place_on(host, target)
    return f"{change}, then: {restart_command(place, host.release)}" if place.folder else f"{change}; {place.instead}"


def _place_on(host: Host, target: str) -> PackagedService:
    """With the units that systemd has, where it was asked: whose packages a host has is not up to its distribution."""
    place = place_of(target, host)
    loaded = tuple(unit for unit in units_of(target) if host.units.get(unit, {}).get("LoadState") == "loaded")
    return replace(place, units=loaded) if loaded else place
