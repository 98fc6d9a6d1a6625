"""The long form of the codes about nova-compute: 4xx."""

from sriov_bootstrap.core.finding import Explanation

_LOOKED_AT_SPECS = """\
Looked at: every device_spec and passthrough_whitelist that nova-compute reads, by nova's own rules; this host's PFs and
VFs in /sys, and the VFs that the rules of sriov-bootstrap will create."""

NOVA_CODES: dict[str, Explanation] = {
    "SB-E401": Explanation(
        "nova-compute refuses a device_spec",
        f"""\
A single value that nova cannot parse keeps nova-compute from starting; one that is running keeps what it read before.
Common mistakes: a missing quote; single quotes, which JSON does not have, although nova's documentation shows some, or
quotes around the whole value, which oslo.config does not remove; numbers for vendor_id and product_id, which
are strings; JSON continued on a line that is not indented, so that nova only reads its first line; devname together
with address; an address such as 0000:3b:0*.0, where * must stand for a whole field.

{_LOOKED_AT_SPECS}

What to do: write each spec on one line, as in {{"address": "0000:3b:00.0", "product_id": "10ca", "physical_network":
"physnet2"}}, or remove the line and let `sriov-bootstrap render nova-compute --write` write it. Then restart
nova-compute.
""",
    ),
    "SB-E402": Explanation(
        "a value in a device_spec must be a string",
        f"""\
nova compares physical_network and trusted with strings from the port. true is not "true", and 2 is not "2": nova
starts, and no port that asks for it ever gets these VFs. A resource_class or traits that is not a string ends in a
traceback.

{_LOOKED_AT_SPECS}

What to do: put the value in double quotes, "trusted": "true", and restart nova-compute.
""",
    ),
    "SB-E403": Explanation(
        "a device_spec matches every PCI device on the host",
        f"""\
Anything a spec leaves out matches everything. So {{}}, {{"physical_network": "physnet2"}} and a key unknown to nova,
such as devnam, all match every PCI device: nova may detach disks, the management NIC or a PF and give it to a VM.

{_LOOKED_AT_SPECS}

What to do: remove the line, or write the key as nova knows it: vendor_id, product_id, address, devname. Then restart
nova-compute. For VMs that already have such a device: openstack server list --all-projects, and look for hostdev in
virsh dumpxml.
""",
    ),
    "SB-W404": Explanation(
        "a device_spec has a key that this release does not know",
        f"""\
nova silently treats every unknown key as a tag. The spec then matches more devices than intended, or a property that
was intended (trusted, live_migratable) is missing.

{_LOOKED_AT_SPECS}
The release is the one set with [openstack] release in the config, or else the newest.

What to do: correct the key, or remove it. If another release runs here, set [openstack] release.
""",
    ),
    "SB-W405": Explanation(
        "nova may give a PF itself to a VM",
        f"""\
A PF's address or devname matches the PF and its VFs. A port of type direct-physical, or a flavor's alias, can then
get the whole PF: its driver is unbound, and all its VFs and whatever the rules set up are gone. nova holds the PF
back only while one of its VFs is in use by a VM.

{_LOOKED_AT_SPECS}

What to do: add the device id of the VFs, which excludes the PF: "product_id" with the contents of
/sys/bus/pci/devices/PF/sriov_vf_device. `sriov-bootstrap render nova-compute --write` does that.
""",
    ),
    "SB-E406": Explanation(
        "nova gives VFs of one network as VFs of another",
        f"""\
The first spec that matches a VF is the one whose physical_network counts. If that is not the network of the VF's
rule, a VM gets a VF that is plugged into another network: it starts, and has no connection or the wrong one. The first
is not always the upper one: nova goes through its files in the order in which it reads them, and within each file
through pci_passthrough_whitelist, then passthrough_whitelist, then device_spec, wherever these lines are.

{_LOOKED_AT_SPECS}

What to do: remove the spec that matches too much, such as an address with *, and let `sriov-bootstrap render
nova-compute --write` write one for each PF. The VFs of a card's two ports have alternating addresses: no address
pattern can keep them apart.
""",
    ),
    "SB-E407": Explanation(
        "nova gives excluded VFs to VMs",
        f"""\
exclude_vfs reserves VFs for the host. A device_spec matches them all the same, so a VM may get one.

{_LOOKED_AT_SPECS}

What to do: remove the line and let `sriov-bootstrap render nova-compute --write` write one spec for each remaining
VF; restart nova-compute.
""",
    ),
    "SB-E408": Explanation(
        "nova gives VMs VFs that are not meant for VMs",
        f"""\
A rule with neither physical_network nor alias says that its VFs serve something else: containers, a storage network,
the host. A device_spec matches them all the same, so a VM may get one.

{_LOOKED_AT_SPECS}

What to do: remove the spec, or give the rule a physical_network or an alias.
""",
    ),
    "SB-W409": Explanation(
        "a device_spec also matches another PF",
        f"""\
The spec matches VFs of a PF that has a rule, and also a PF, or VFs, without a rule. An address with *, or just
vendor_id and product_id, covers every port of a card and every card with that chip. The other port's VFs are offered
for the same network, although that port is connected to something else, or to nothing.

{_LOOKED_AT_SPECS}

What to do: name the PF by its full address and the device id of its VFs, as `sriov-bootstrap render nova-compute`
does; or write a rule for the other PF.
""",
    ),
    "SB-W410": Explanation(
        "a device_spec matches no PF and no VF",
        f"""\
Nothing on this host matches the spec, so nova offers nothing for it. Often its devname was renamed: an upgrade of
kernel or systemd turned ens1f0 into ens1f0np0. nova looks the name up in /sys/class/net and does not accept an
altname.

{_LOOKED_AT_SPECS}
Only specs with a devname or a physical_network are checked, and only while no rule is waiting for a NIC.

What to do: name the PF by its PCI address, as `sriov-bootstrap render nova-compute --write` does, or remove the line.
""",
    ),
    "SB-E411": Explanation(
        "nova never gives out the VFs of a rule",
        f"""\
The rule has a physical_network or an alias, and its VFs exist or will be created, but no device_spec matches them.
The scheduler finds no host for a port of that network: "No valid host was found". nova skips devices in PCI domains
above ffff, such as those behind an Intel VMD controller: no device_spec brings them back.

{_LOOKED_AT_SPECS}
Not reported if a file could not be read, or if nova refuses a line.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute.
""",
    ),
    "SB-W412": Explanation(
        "an old whitelist beside device_spec",
        """\
passthrough_whitelist in [pci] and pci_passthrough_whitelist in [DEFAULT] are old names of device_spec, and nova adds
up what it finds under all of them. A forgotten line still matches devices, and if it comes first, its
physical_network counts.

Looked at: the three names in all files that nova-compute reads, if the release still reads them.

What to do: remove the old line, and restart nova-compute.
""",
    ),
    "SB-E413": Explanation(
        "nova-compute ignores an option because of its section or name",
        """\
An option only counts in its own section, under a name that the release knows, and is silently ignored anywhere else:
passthrough_whitelist in [libvirt], pci_passthrough_whitelist in [pci], device_spec before Zed. dev_spec, which an
example in nova's documentation shows, never existed.

Looked at: device_spec, passthrough_whitelist, pci_passthrough_whitelist, alias, pci_alias and report_in_placement,
and names that differ from them by a letter or two, in all files that nova-compute reads.

What to do: remove the line and let `sriov-bootstrap render nova-compute --write` write it where this release looks.
""",
    ),
    "SB-E414": Explanation(
        "[default] in a file of nova-compute is not [DEFAULT]",
        """\
oslo.config ignores case in section names, with this one exception: [default] and [Default] are sections of their own,
and whatever is in them is silently ignored.

Looked at: the names of the sections in the files that nova-compute reads.

What to do: write [DEFAULT], and restart nova-compute. Options that belong in another section go there.
""",
    ),
    "SB-E415": Explanation(
        "nova-compute does not start with report_in_placement",
        f"""\
With [pci] report_in_placement = true nova refuses: a devname in any spec; a PF together with its VFs; VFs of one PF
with two resource classes or two sets of traits; one_time_use on a VF. VFs with a physical_network are not reported,
so only the first applies to them. Once enabled, it cannot be disabled again.

{_LOOKED_AT_SPECS}

What to do: name PFs by address, with the device id of the VFs, and give all VFs of a PF the same resource_class and
traits. Then start nova-compute.
""",
    ),
    "SB-W416": Explanation(
        "nova-compute started before VFs changed",
        """\
When nova-compute looks at the host's PCI devices depends on its version:
- 34 (2026.2) and later: once, when it starts. It never sees VFs that are created later, and goes on offering those
  that are gone, until it is restarted.
- 32 and 33 (2025.2, 2026.1): every minute. They need no restart, so nothing is reported, except for a PF that was seen
  only after they started and whose address is in a device_spec: whether it is a PF, they decide when they start.
- before 32: every minute, but it keeps what it knew of VFs that disappeared and came back at the same address: it may
  give out VFs that do not exist (bug 2115729).
Another eswitch mode is such a change, too: whether a VF is a port of a switch (capability switchdev) is read then.
A version that is not known counts as the newest. sriov-bootstrap restarts nova-compute after a change; that has not
happened, or has failed.

Looked at: for each PF when its VFs changed, and since when it has been seen, in /run/sriov-bootstrap/state/state.json;
when the unit started, according to systemd; which nova the unit starts, in its venv, in the databases of dpkg and rpm,
in the metadata of the system's Python, or in the label kolla_version of its container; else [openstack] release, if the
config sets it.

What to do: restart the unit with systemctl restart. sriov-bootstrap status says why a restart is still waiting. With
a PF in switchdev do it while its VFs are free: nova 34 takes that capability from the VF's netdev, which a VF in a VM
does not have on the host, so it lacks the capability until nova-compute starts again with the VF free.
""",
    ),
    "SB-E417": Explanation(
        "nova refuses a PCI alias",
        """\
nova reads all aliases together: one that it cannot parse makes every flavor with any alias fail. Since nova 32
(2025.2) nova-compute does not even start.

Looked at: alias in [pci] and pci_alias in [DEFAULT] in the files that nova-compute reads, by the schema in
nova.pci.request.

What to do: correct the line, as in {"name": "vf", "vendor_id": "8086", "product_id": "10ca", "device_type":
"type-VF"}, in nova-api's files as well, and restart both.
""",
    ),
    "SB-W418": Explanation(
        "an alias does not name the VFs of its rule",
        """\
The rule sets the alias by which flavors request its VFs. nova-compute needs the same alias as nova-api, for moving
VMs; without it, or with the ids of other devices, resizes and migrations fail, or VMs get the wrong device.

Looked at: alias in the files that nova-compute reads; the ids of the rule's VFs. nova-api's files are on other hosts.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute; set the same alias in nova-api's
files.
""",
    ),
    "SB-W419": Explanation(
        "live_migratable says no, and counts as set",
        f"""\
When it starts, nova-compute looks whether any spec has the key live_migratable, whatever its value, and then refuses to
start with libvirt before 10.0 or QEMU before 8.2.2. "no" has no other effect: VFs are not live-migratable unless a spec
says "yes". For VFs with a physical_network nova ignores the key.

{_LOOKED_AT_SPECS}

What to do: remove the key.
""",
    ),
    "SB-E420": Explanation(
        "a key comes twice in one object of a device_spec or an alias",
        f"""\
JSON allows it, and nova's parser silently takes the last value: with two devnames in one object, the VFs of the first
are given to nobody, and its physical_network is in no spec. Only keys whose values differ are reported.

{_LOOKED_AT_SPECS}

What to do: make an object for each device: [{{"devname": "ens1f0", ...}}, {{"devname": "ens1f1", ...}}], or repeat the
line. `sriov-bootstrap render nova-compute --write` writes a line for each PF.
""",
    ),
    "SB-W421": Explanation(
        "live_migratable has no effect on VFs with a physical_network",
        f"""\
nova only considers live_migratable for VFs that flavors hand out by an alias. For VFs with a physical_network the key
does nothing, except that nova-compute refuses to start with libvirt before 10.0 or QEMU before 8.2.2 if any spec has
it.

{_LOOKED_AT_SPECS}

What to do: remove the key. render nova-compute leaves it out for rules with a physical_network.
""",
    ),
}
