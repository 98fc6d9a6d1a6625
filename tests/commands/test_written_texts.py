"""What a script writes into files of others: it sets VFs once these are run, or read."""

import pytest

from boot_files import FILE, add_two_ports, diagnosed, migrated, rc_local, write_files
from fakes_host import HostTree


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    "text",
    [
        f"cat > /run/vf.sh <<'E'\n#!/bin/sh\necho 8 > {FILE}\nE\nsh /run/vf.sh",
        f"echo 'echo 8 > {FILE}' > /run/vf.sh\nsh /run/vf.sh",
        f"tee /usr/local/bin/vf >/dev/null <<E\necho 8 > {FILE}\nE",
        "echo 'options igb max_vfs=7' > /etc/modprobe.d/igb.conf",
        "echo options ixgbe max_vfs=4 | sudo tee -a /etc/modprobe.d/x.conf",
        "cat > /etc/netplan/60.yaml <<E\nnetwork: {ethernets: {a: {virtual-function-count: 8}}}\nE",
        f"printf '@reboot root echo 8 > {FILE}\\n' >> /etc/cron.d/vf",
        f"cat > /run/systemd/system/vf.service <<E\n[Service]\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\nE",
        "D=/etc/udev/rules.d\necho 'ATTR{device/sriov_numvfs}=\"8\"' > $D/vf.rules",
        "cd /etc/modprobe.d && echo options igb max_vfs=7 > igb.conf",
        "install -m 0644 /dev/stdin /etc/modprobe.d/i.conf <<< 'options igb max_vfs=7'",
        f"echo '@reboot echo 8 > {FILE}' | crontab -",
        "nmstatectl apply - <<E\ninterfaces: [{ethernet: {sr-iov: {total-vfs: 8}}}]\nE",
        "echo 8 > /sys/class/infiniband/mlx5_0/device/mlx5_num_vfs",
        "echo 8 | tee /sys/class/infiniband/mlx4_0/device/mlx4_num_vfs",
    ],
)
def test_what_sets_vfs_later_is_named(tree: HostTree, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write_files(tree, rc_local(text))
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert "it mentions VFs in a way that is not understood" in found["problem"]
    assert found["place"].startswith("/etc/rc.local:")


@pytest.mark.parametrize(
    "text",
    [
        f"cat > /etc/motd <<E\nto make VFs: echo 8 > {FILE}\nE",
        f'echo "$(date) {FILE} is $(cat {FILE})" >> /var/log/vf.log',
        f"echo 'echo 8 > {FILE}' > /usr/share/doc/vf.txt",
        "printf 'sriov_numvfs 8\\n' > /var/lib/node_exporter/vf.prom",
        f"cat > /etc/cron.d/vf <<E\n# @reboot root echo 8 > {FILE}\nE",
        "echo 'options igb debug=1' > /etc/modprobe.d/igb.conf",
        "printf '[[pf]]\\nnum_vfs = 8\\n' > /etc/sriov-bootstrap/config.toml",
        "cat /sys/class/infiniband/mlx5_0/device/mlx5_num_vfs",
    ],
)
def test_texts_that_nobody_runs_are_no_mention(tree: HostTree, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write_files(tree, rc_local(text))
    assert (migrated(tree, capsys), diagnosed(tree, capsys)) == ({}, [])


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (f"cat /sys/class/net/ens1f0/device/sriov_totalvfs > {FILE}", {"0000:3b:00.0": 64}),
        (f"N=$(cat /sys/class/net/ens1f0/device/sriov_totalvfs)\necho $N > {FILE}", {"0000:3b:00.0": 64}),
        (f"N=$(< /sys/class/net/ens1f0/device/sriov_totalvfs)\nprintf %d $N > {FILE}", {"0000:3b:00.0": 64}),
        (f"read N < /sys/class/net/ens1f1/device/sriov_totalvfs; echo $N > {FILE}", {"0000:3b:00.0": 64}),
        (f"cat /sys/class/net/ens1f0/device/sriov_totalvfs | tee {FILE}", {"0000:3b:00.0": 64}),
        ("cd /sys/class/net/ens1f0/device; cat sriov_totalvfs > sriov_numvfs", {"0000:3b:00.0": 64}),
        (
            "for d in /sys/class/net/ens1f*/device; do cat $d/sriov_totalvfs > $d/sriov_numvfs; done",
            {"0000:3b:00.0": 64, "0000:3b:00.1": 64},
        ),
        (f"cat /sys/class/net/eth7/device/sriov_totalvfs > {FILE}", {}),
        (f"cat $NIC/sriov_totalvfs > {FILE}", {}),
        (f"N=$(cat /sys/class/net/ens1f0/device/sriov_totalvfs)\necho $((N / 2)) > {FILE}", {"0000:3b:00.0": 32}),
        (f"read A B < /sys/class/net/ens1f0/device/sriov_totalvfs; echo $A > {FILE}", {}),
    ],
)
def test_as_many_as_there_can_be(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, rules: dict[str, int | str]
) -> None:
    write_files(tree, rc_local(text))
    assert migrated(tree, capsys) == rules
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-E301" if rules else "SB-W351"]
