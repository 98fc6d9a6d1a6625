"""The long form of the codes from 229 on: what a rule's [[pf.vf]] tables say, or leave unsaid."""

from sriov_bootstrap.core.finding import Explanation

ATTRIBUTE_CODES: dict[str, Explanation] = {
    "SB-W229": Explanation(
        "a VM gets a VF without a MAC address",
        """\
A VF whose PF has set no address for it makes the driver in the VM choose one, another one at each start for most
drivers. DHCP leases, firewall rules and interface names in the VM do not survive that. If spoof checking is on, what
becomes of its frames depends on the NIC. nova gives a VF the address of its neutron port, but a VF that a flavor asks
for by an alias has no port.

Looked at: for rules with alias and without physical_network, on NICs whose driver can set the address: what the kernel
tells of each VF that nobody uses, as shown by ip link show NETDEV. VFs in exclude_vfs, and those that have a mac in a
[[pf.vf]] table, are left out.

What to do: add such a table to the rule, with vfs = "all" and mac = "stable", which derives an address from the host's
machine-id, the PF and the number of the VF; or set one for each VF. systemctl reload sriov-bootstrap has it set: on
VFs in use once they are released, on others after 30 seconds.
""",
    ),
    "SB-E230": Explanation(
        "a rule sets for VFs what the PF's driver cannot set",
        """\
The rule does not name a driver in its match, so that the configuration is valid; on this host, it has taken a PF whose
driver has no operation for an attribute that one of its [[pf.vf]] tables sets. The kernel refuses that attribute for
every VF. The other attributes are set.

Looked at: the PF's driver and the tables of its rule, against what the drivers of Linux can set (docs/drivers.md). The
tables are counted from 1 within the rule.

What to do: remove the attribute from the table, or have the NICs with this driver in a rule of their own, such as by
match.driver.
""",
    ),
    "SB-E231": Explanation(
        "stable MAC addresses need a machine-id",
        """\
mac = "stable" is derived from the host's machine-id, so that no two hosts have the same addresses. Without one, no
address is set; all other attributes are.

Looked at: /etc/machine-id, which must have 32 hexadecimal digits that are not all zero (machine-id(5)), if a rule with
mac = "stable" has a PF here.

What to do: systemd-machine-id-setup makes one. A cloned host needs one of its own first, since its VFs would otherwise
have the addresses of the other's.
""",
    ),
}
