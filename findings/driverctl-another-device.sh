#!/usr/bin/env bash
# driverctl 0.111 (Debian 12): in a udev rule's RUN it gives the override to the event's device, and not to the one it was told.
#
# Seen: `driverctl set-override 0000:3b:02.0 vfio-pci` unbinds this VF, and sets its driver_override. With DEVPATH in its
# environment, as udev gives it to RUN for the PF, the same command unbinds the VF, and sets the override of the PF, which
# is for vfio-pci from its next probe on; the VF has none. Exit code 0, and --verbose speaks of the VF only. And an option that
# is misspelt does nothing at all, with exit code 0. Expected was the device that is named, and an error for that option.
#
# Needs root: it sees a /sys of its own, of plain files. --noprobe, since nothing would bind the device there.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    script=$(realpath "$0")
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder"
    echo "fetching driverctl 0.111-1 of Debian 12 ..."
    apt-get -qq -o APT::Sandbox::User=root download driverctl=0.111-1
    dpkg -x driverctl_*.deb .
    unshare --mount --propagation private bash "$script" inside 2>errors | tee seen || { cat errors >&2; exit 2; }
    diff -u - seen <<'END' || { cat errors >&2; echo "CHANGED: not what driverctl 0.111 did" >&2; exit 1; }
driverctl --verbose --noprobe --nosave set-override 0000:3b:02.0 vfio-pci: exit code 0
  says: setting driver override for 0000:3b:02.0: vfio-pci
  says: unbinding previous driver mlx5_core
  unbound: 0000:3b:02.0
  0000:3b:00.0: override (null)
  0000:3b:02.0: override vfio-pci
env SUBSYSTEM=pci DEVPATH=/devices/pci0000:3a/0000:3b:00.0 driverctl --verbose --noprobe --nosave set-override 0000:3b:02.0 vfio-pci: exit code 0
  says: setting driver override for 0000:3b:02.0: vfio-pci
  says: unbinding previous driver mlx5_core
  unbound: 0000:3b:02.0
  0000:3b:00.0: override vfio-pci
  0000:3b:02.0: override (null)
driverctl --verbose --no-probe --nosave set-override 0000:3b:02.0 vfio-pci: exit code 0
  unbound: nothing
  0000:3b:00.0: override (null)
  0000:3b:02.0: override (null)
END
    exit 0
fi

PF=0000:3b:00.0 VF=0000:3b:02.0
mount -t tmpfs tmpfs /sys
mkdir -p /sys/module/vfio-pci /sys/bus/pci/devices

try() { # COMMAND...
    rm -rf /sys/devices
    mkdir -p /sys/devices/mlx5_core # of both, as in life
    for device in $PF $VF; do
        mkdir -p /sys/devices/pci0000:3a/$device
        echo '(null)' >/sys/devices/pci0000:3a/$device/driver_override
        ln -s ../../mlx5_core /sys/devices/pci0000:3a/$device/driver
        ln -sfn ../../../devices/pci0000:3a/$device /sys/bus/pci/devices/$device
    done
    status=0
    "$@" >said 2>&1 || status=$?
    echo "${*/usr\/sbin\//}: exit code $status"
    sed -n 's/^driverctl: /  says: /p' said
    echo "  unbound: $(cat /sys/devices/mlx5_core/unbind 2>/dev/null || echo nothing)"
    for device in $PF $VF; do echo "  $device: override $(cat /sys/bus/pci/devices/$device/driver_override)"; done
}

command=(usr/sbin/driverctl --verbose --noprobe --nosave set-override $VF vfio-pci)
try "${command[@]}"
try env SUBSYSTEM=pci DEVPATH=/devices/pci0000:3a/$PF "${command[@]}"
try usr/sbin/driverctl --verbose --no-probe --nosave set-override $VF vfio-pci
