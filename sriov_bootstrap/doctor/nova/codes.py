"""The long form of the codes that are about nova-compute: 4xx."""

from sriov_bootstrap.core.finding import Explanation

_LOOKED_AT_SPECS = """\
Looked at: every device_spec, and passthrough_whitelist, that nova-compute reads, by nova's own rules; the PFs and VFs
of this host in /sys, and those that the rules of sriov-bootstrap will make."""

NOVA_CODES: dict[str, Explanation] = {
    "SB-E401": Explanation(
        "nova-compute refuses a device_spec",
        f"""\
One text that nova does not understand, and nova-compute does not start; one that runs goes on with what it read
before. Frequent: a quote that is missing; single quotes, which JSON does not have; numbers for vendor_id and
product_id, which are strings; JSON that goes on in the next line without a blank before it, so that nova reads its
first line alone; devname beside address; an address such as 0000:3b:0*.0, where * stands for a whole field.

{_LOOKED_AT_SPECS}

What to do: write each spec on one line, as in {{"address": "0000:3b:00.0", "product_id": "10ca", "physical_network":
"physnet2"}}, or take the line out and let `sriov-bootstrap render nova-compute --write` write it. Then restart
nova-compute.
""",
    ),
    "SB-E402": Explanation(
        "a value in a device_spec must be a text",
        f"""\
nova compares physical_network and trusted with texts of the port. true is not "true", and 2 is not "2": nova starts,
and no port that asks for it ever gets these VFs. A resource_class or traits that is no text is a traceback.

{_LOOKED_AT_SPECS}

What to do: put the value in double quotes, "trusted": "true", and restart nova-compute.
""",
    ),
    "SB-E403": Explanation(
        "a device_spec names every PCI device of the host",
        f"""\
What a spec does not say fits anything. So {{}}, {{"physical_network": "physnet2"}} and a key that nova does not know,
such as devnam, all name every PCI device: nova may detach disks, the management NIC or a PF and give it to a VM.

{_LOOKED_AT_SPECS}

What to do: take the line out, or write the key as nova knows it: vendor_id, product_id, address, devname. Then restart
nova-compute. VMs that have such a device already: openstack server list --all-projects, and virsh dumpxml for hostdev.
""",
    ),
    "SB-W404": Explanation(
        "a key of a device_spec that this release does not know",
        f"""\
nova takes every key that it does not know as a tag, in silence. The spec then names more devices than it says, or a
property that was meant (trusted, live_migratable) is not there.

{_LOOKED_AT_SPECS}
The release is [openstack] release of the config, the newest without it.

What to do: correct the key, or take it out. Where the release is not what runs here, set it: [openstack] release.
""",
    ),
    "SB-W405": Explanation(
        "nova may give a PF itself to a VM",
        f"""\
The address or the devname of a PF names the PF and its VFs. A port of the type direct-physical, or a flavor's alias,
can then get the whole PF: its driver is unbound, all its VFs go, and so does what the rules made. nova keeps the PF
back only while it has given out VFs of it.

{_LOOKED_AT_SPECS}

What to do: add the device id of the VFs, which leaves the PF out: "product_id" with the text of
/sys/bus/pci/devices/PF/sriov_vf_device. `sriov-bootstrap render nova-compute --write` writes it so.
""",
    ),
    "SB-E406": Explanation(
        "nova gives VFs of one network as VFs of another",
        f"""\
The first spec that names a VF is the one whose physical_network counts. Where that is not the network of the VF's rule,
a VM gets a VF that is plugged into another network: it starts, and has no connection or a wrong one.

{_LOOKED_AT_SPECS}

What to do: take out the spec that reaches too far, such as an address with *, and let `sriov-bootstrap render
nova-compute --write` write one for each PF. VFs of the two ports of a card have addresses that alternate: no pattern
of addresses keeps them apart.
""",
    ),
    "SB-E407": Explanation(
        "nova gives excluded VFs to VMs",
        f"""\
exclude_vfs keeps VFs back for the host. A device_spec names them all the same, so a VM may get one.

{_LOOKED_AT_SPECS}

What to do: take the line out and let `sriov-bootstrap render nova-compute --write` write one spec for each VF that is
left; restart nova-compute.
""",
    ),
    "SB-E408": Explanation(
        "nova gives VFs to VMs that are not for VMs",
        f"""\
A rule without physical_network and without alias says that its VFs are somebody else's: of containers, of a storage
network, of the host. A device_spec names them all the same, so a VM may get one.

{_LOOKED_AT_SPECS}

What to do: take the spec out, or give the rule a physical_network or an alias.
""",
    ),
    "SB-W409": Explanation(
        "a device_spec reaches another PF",
        f"""\
The spec names VFs of a PF that a rule takes, and a PF, or VFs, that no rule takes. An address with *, or vendor_id and
product_id alone, cover every port of a card and every card of that chip. Those of the other port are given out as VFs
of the same network, though that port is connected to something else, or to nothing.

{_LOOKED_AT_SPECS}

What to do: name the PF by its whole address and the device id of its VFs, as `sriov-bootstrap render nova-compute`
does; or write a rule for the other PF.
""",
    ),
    "SB-W410": Explanation(
        "a device_spec names no PF and no VF",
        f"""\
Nothing on this host fits the spec, so nova gives nothing for it. Often a devname that moved: an upgrade of kernel or
systemd renamed the netdev, as ens1f0 became ens1f0np0. nova looks the name up in /sys/class/net and takes no altname.

{_LOOKED_AT_SPECS}
A spec is only judged when it has a devname or a physical_network, and no rule waits for a NIC.

What to do: name the PF by its PCI address, as `sriov-bootstrap render nova-compute --write` does, or take the line out.
""",
    ),
    "SB-E411": Explanation(
        "nova gives VFs of a rule to nobody",
        f"""\
The rule has a physical_network or an alias, its VFs are there or will be, and no device_spec names them. The scheduler
finds no host for a port of that network: "No valid host was found".

{_LOOKED_AT_SPECS}
Nothing is said where a file could not be read, or where nova refuses a line.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute.
""",
    ),
    "SB-W412": Explanation(
        "an old whitelist beside device_spec",
        """\
passthrough_whitelist in [pci] and pci_passthrough_whitelist in [DEFAULT] are old names of device_spec, and nova adds
up what it finds under all of them. A line that was forgotten goes on naming devices, and where it comes first its
physical_network counts.

Looked at: the three names in all files that nova-compute reads, as far as the release reads them.

What to do: take the old line out, and restart nova-compute.
""",
    ),
    "SB-E413": Explanation(
        "an option that nova-compute ignores where it stands",
        """\
An option counts in its own section, under a name that the release knows, and is ignored in silence anywhere else:
passthrough_whitelist in [libvirt], pci_passthrough_whitelist in [pci], device_spec before Zed.

Looked at: device_spec, passthrough_whitelist, pci_passthrough_whitelist, alias, pci_alias and report_in_placement, and
what differs from them by a letter or two, in all files that nova-compute reads.

What to do: take the line out and let `sriov-bootstrap render nova-compute --write` write it where this release looks.
""",
    ),
    "SB-E414": Explanation(
        "[default] in a file of nova-compute is not [DEFAULT]",
        """\
oslo.config compares the names of sections without regard to capital letters, except for this one: [default] and
[Default] are sections of their own, and what is in them is ignored in silence.

Looked at: the names of the sections in the files that nova-compute reads.

What to do: write [DEFAULT], and restart nova-compute. What is meant for another section belongs there.
""",
    ),
    "SB-E415": Explanation(
        "nova-compute does not start with report_in_placement",
        f"""\
With [pci] report_in_placement = true nova refuses: a devname in any spec; a PF together with its VFs; VFs of one PF
with two resource classes or two sets of traits; one_time_use on a VF. VFs with a physical_network are not reported, so
only the first holds for them. It cannot be switched off again once it was on.

{_LOOKED_AT_SPECS}

What to do: name PFs by address, with the device id of the VFs, and give all VFs of a PF the same resource_class and
traits. Then start nova-compute.
""",
    ),
    "SB-W416": Explanation(
        "nova-compute started before VFs were made anew",
        """\
nova-compute before 2025.2 keeps what it knew of VFs that went and came back at the same address: it may give out what
is not there (bug 2115729). sriov-bootstrap restarts it after a change; that has not happened, or has failed.

Looked at: when VFs changed, in /run/sriov-bootstrap/state/state.json; when the unit started, from systemd.

What to do: systemctl restart of the unit. sriov-bootstrap status says why a restart is still waiting.
""",
    ),
    "SB-E417": Explanation(
        "nova refuses a PCI alias",
        """\
nova reads all aliases together: one that it does not understand, and each flavor with any alias fails. Since nova 32
(2025.2) nova-compute does not even start.

Looked at: alias in [pci] and pci_alias in [DEFAULT] in the files that nova-compute reads, by the schema in
nova.pci.request.

What to do: correct the line, as in {"name": "vf", "vendor_id": "8086", "product_id": "10ca", "device_type": "type-VF"},
in nova-api's files as well, and restart both.
""",
    ),
    "SB-W418": Explanation(
        "an alias does not name the VFs of its rule",
        """\
The rule says by which alias flavors ask for its VFs. nova-compute needs the same alias as nova-api, for moves of VMs;
without it, or with the ids of other devices, resizes and migrations fail, or VMs get something else.

Looked at: alias in the files that nova-compute reads; the ids of the rule's VFs. nova-api's files are on other hosts.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute; the same alias in nova-api's files.
""",
    ),
}
