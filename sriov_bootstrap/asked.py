"""What was asked for on the command line, before anything is read or loaded."""

ACTIVE_SECONDS = 300.0  # in which a server becomes ACTIVE, if nothing else is asked for


def seconds(text: str) -> float:
    """How long something may take. ValueError for what is no such time: negative, endless, or not a number."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


class Arguments:
    """What was asked for on the command line. No Struct: the exporter does not load msgspec."""

    verb: str | None = None
    once: bool = False
    dry_run: bool = False
    force: bool = False
    json: bool = False
    wait: float | None = None
    config: list[str] | None = None
    more_config: list[str] | None = None
    files: list[str] | None = None
    words: list[str] | None = None
    pci_address: str = ""
    explain: str | None = None
    code: str = ""
    log_format: str = ""
    target: str = ""
    vf: str = ""
    show_list: bool = False
    diff: bool = False
    write: bool = False
    apply: bool = False
    root: str | None = None
    mac: str = ""
    vlan: int = 0
    subject: str = ""
    device: str = ""
    rule: str = ""
    gateway: str = ""
    action: str = ""
    server_name: str = ""
    cloud: str = ""
    checks_only: bool = False
    hosts: list[str] | None = None
    statuses: list[str] | None = None
    network: str = ""
    physical_network: str = ""
    vnic_type: str = ""
    port: str = ""
    with_switchdev: bool = False
    with_server: bool = False
    image: str = ""
    flavor: str = ""
    timeout: float = 0.0
    nova_log: str = ""
    delete_leftovers: bool = False

    def __init__(self, **given: object) -> None:
        """The others are as above."""
        vars(self).update(given)
