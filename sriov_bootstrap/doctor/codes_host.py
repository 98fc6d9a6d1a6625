"""The long form of the codes that are about this host: 1xx, 2xx, 3xx, 7xx."""

from sriov_bootstrap.conflicts.codes import MASTER_CODES
from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.kernel.codes import KERNEL_CODES
from sriov_bootstrap.doctor.nic.codes import NIC_CODES
from sriov_bootstrap.doctor.service.codes import SERVICE_CODES

HOST_CODES: dict[str, Explanation] = {
    **KERNEL_CODES,
    **NIC_CODES,
    **MASTER_CODES,
    "SB-E701": Explanation(
        "the config of sriov-bootstrap cannot be used",
        """\
A file of the config is broken, or says what cannot be. The daemon keeps the last config that was good for as long as
it runs; after the next boot it has none, and no VF is made.

Looked at: the files that `sriov-bootstrap check-config` reads, by the same code.

What to do: correct the file and line that the finding names; `sriov-bootstrap check-config` says when it is good. The
daemon reads it by itself at its next pass: systemctl reload sriov-bootstrap makes that now.
""",
    ),
    **SERVICE_CODES,
}
