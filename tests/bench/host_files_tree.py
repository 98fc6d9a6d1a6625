"""Adds to a folder that looks like a host what systemd, udev and others read at boot: units, scripts, settings.

They look like those of a compute host: most have nothing to do with VFs, a few set them.
"""

import os

UNIT = """\
[Unit]
Description=Part {number} of what this host does
Documentation=man:part{number}(8) https://example.org/part{number}
After=network-online.target local-fs.target part{before}.service
Wants=network-online.target
ConditionPathExists=/usr

[Service]
Type=notify
EnvironmentFile=-/etc/default/part{number}
Environment=LEVEL={number} "MODE=quiet and slow"
ExecStartPre=/bin/mkdir -p /run/part{number}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
User=part{number}
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""
SCRIPT = """\
#!/bin/bash
# Part {number}: looks after its own folder, and says what it has done.
set -eu

STATE=/run/part{number}
LIMIT=${{LIMIT:-{number}}}
log() {{
    logger -t part{number} "$*"
}}

rotate() {{
    local file
    for file in "$STATE"/*.log; do
        [ -e "$file" ] || continue
        if [ "$(stat -c %s "$file")" -gt "$LIMIT" ]; then
            mv "$file" "$file.1"
            log "rotated $file"
        fi
    done
}}

case "${{1:-start}}" in
    start)
        mkdir -p "$STATE"
        ip link show | awk -F: '/mtu/ {{ print $2 }}' > "$STATE/links"
        rotate
        {command}
        ;;
    stop)
        rm -rf "$STATE"
        ;;
    *)
        echo "usage: $0 start|stop" >&2
        exit 2
        ;;
esac
"""
SETTER = "echo {vfs} > /sys/class/net/big{number}/device/sriov_numvfs"
# Those that the scripts run, and as many others as a small host has.
PROGRAMS = ("logger", "stat", "mv", "mkdir", "ip", "awk", "rm", "bash", *(f"tool{number}" for number in range(1000)))
SETTERS = 4  # scripts that set VFs


def add(root: str, *, units: int, scripts: int, vfs: int) -> None:
    """All units are enabled; `scripts` of them run one. As many VFs are set as there are."""
    folders = ("etc/systemd/system/multi-user.target.wants", "usr/local/sbin", "usr/bin")
    for folder in folders:
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    for number in range(units):
        is_script = number < scripts
        command = f"/usr/local/sbin/part{number} start" if is_script else f"/usr/bin/partd --number {number}"
        unit = f"part{number}.service"
        text = UNIT.format(number=number, before=max(number - 1, 0), command=command)
        _write(f"{root}/etc/systemd/system/{unit}", text)
        os.symlink(f"../{unit}", f"{root}/{folders[0]}/{unit}")
        if is_script:
            sets = SETTER.format(vfs=vfs, number=number) if number < SETTERS else f"log started {number}"
            path = f"{root}/usr/local/sbin/part{number}"
            _write(path, SCRIPT.format(number=number, command=sets))
            os.chmod(path, 0o755)  # noqa: S103 - as scripts are
    for program in ("partd", *PROGRAMS):
        _write(f"{root}/usr/bin/{program}", "\x7fELF\0")
        os.chmod(f"{root}/usr/bin/{program}", 0o755)  # noqa: S103 - as programs are


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
