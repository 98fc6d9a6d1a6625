"""The VM: a libvirt domain that exists only while it runs, with VFs as nova gives them, and the host's own kernel."""

import re
from xml.sax.saxutils import quoteattr

from msgspec import Struct

from sriov_bootstrap.verify.guest import PREFIX
from sriov_bootstrap.verify.stages import Accelerator

MEMORY_MIB = 256
BYTE = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
# quiet: each character of the console costs a CPU in software thousands of instructions. ipv6.disable: nothing is said
# on the wire but what is tried. panic: a guest that cannot go on ends at once. PYTHONHASHSEED, which the kernel puts
# into the environment of /init: without RDRAND there are no random numbers yet, and without them Python does not start.
KERNEL_WORDS = (
    "console=ttyS0 loglevel=3 panic=-1 ipv6.disable=1 mitigations=off no_timer_check random.trust_cpu=on"
    " PYTHONHASHSEED=0"
)
# la57: five levels of page tables, where each one costs a CPU in software.
CPUS = {
    Accelerator.KVM: "<cpu mode='host-passthrough'/>",
    Accelerator.TCG: "<cpu mode='maximum'><feature policy='disable' name='la57'/></cpu>",
}
TEMPLATE = """\
<domain type='{accelerator}'>
  <name>{name}</name>
  <description>sriov-bootstrap verify: exists for a minute, belongs to nobody</description>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>{words}</cmdline>
  </os>
  <features><acpi/></features>
  {cpu}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <video><model type='none'/></video>
    <serial type='file'><source path={console}/><target port='0'/></serial>
    <serial type='file'><source path={report}/><target port='1'/></serial>
{interfaces}  </devices>
</domain>
"""


class Vm(Struct, frozen=True):
    """What a VM is made of. `macs`: PCI address of a VF -> the MAC that it is to have; `vlan` 0 is none."""

    name: str
    accelerator: Accelerator
    nonce: str
    macs: dict[str, str]
    vlan: int = 0
    gateway: str = ""
    kernel: str = ""
    initramfs: str = ""
    console: str = ""
    report: str = ""

    def xml(self, interfaces: str) -> str:
        """For `virsh create`; `interfaces`: the element of each VF, in their order."""
        words = f"{KERNEL_WORDS} {PREFIX}nonce={self.nonce}"
        return TEMPLATE.format(
            accelerator=self.accelerator,
            name=self.name,
            memory=MEMORY_MIB,
            kernel=self.kernel,
            initramfs=self.initramfs,
            words=f"{words} {PREFIX}gateway={self.gateway}" if self.gateway else words,
            cpu=CPUS[self.accelerator],
            console=quoteattr(self.console),
            report=quoteattr(self.report),
            interfaces=interfaces,
        )


def is_ipv4(text: str) -> bool:
    """Whether it is an IPv4 address in full: only such a one is asked for by ARP."""
    return re.fullmatch(rf"{BYTE}(?:\.{BYTE}){{3}}", text) is not None


def domain_name(pf: str) -> str:
    """One for each PF, always the same: two of that name cannot exist, and nobody has to look for it."""
    return "sriov-bootstrap-verify-" + pf.replace(":", "-").replace(".", "-")


def mac_for(nonce: str, number: int) -> str:
    """One that nobody else has: random, and locally administered as those of neutron are."""
    digits = f"{int(nonce[:6], 16) + number & 0xFFFFFF:06x}"
    return "fa:16:3e:" + ":".join(digits[at : at + 2] for at in (0, 2, 4))
