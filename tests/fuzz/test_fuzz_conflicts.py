"""Files of other programs: whatever is in them, their readers raise nothing, and what they find can be printed."""

import contextlib
import string

from hypothesis import example
from hypothesis import strategies as st

from builders import make_pf
from fuzzing import fuzzed, spoilt
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.edges.yaml_text import parse_located

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
SHELL = (
    "#!/bin/sh\nN=8\nfor i in ens1f{0..1}; do\n  echo $N | tee /sys/class/net/$i/device/sriov_numvfs # x\ndone\n",
    f"if [ -f {FILE} ]; then sh -c \"echo '8' > {FILE}\"; fi\ncat <<E >x\n8\nE\nf() {{ eval echo 1 \\\n >{FILE}; }}",
    f"@reboot root sleep 1 && printf '%s' $(nproc) > {FILE}\niface ens1f0\n pre-up echo 8 > {FILE}\n",
)
INI = (
    f"[Match]\nDriver=igb\n[Link]\nSR-IOVVirtualFunctions=8\n[Service]\nExecStart=/bin/sh -c 'echo %i > {FILE}'\n",
    "[connection]\ninterface-name=ens1f0;\n[sriov]\ntotal-vfs=8\nDEVICE=ens1f0\nSRIOV_TOTAL_VFS=8\n",
    f'ACTION=="add", KERNEL=="ens1f0|a", ATTR{{device/sriov_numvfs}}="8", RUN+="/bin/sh -c \'echo 8 > {FILE}\'"\n',
    "options igb max_vfs=8\ninstall igb x max_vfs=8\nquiet igb.max_vfs=8\n",
)
YAML = (
    "network: {ethernets: {a: {match: {name: [a]}, virtual-function-count: 8}, b: {link: a}}}\n",
    "interfaces:\n- {type: sriov_pf, name: ens1f0, numvfs: 8}\n- &x {pciAddress: '0000:3b:00.0', numVfs: 8, y: *x}\n",
    "interfaces: {ens1f0: {num_vfs: 8, match: {pciaddress: a}}}\n",
)
TEXTS = tuple(
    kind for kind in Format if kind not in {Format.NETPLAN, Format.OS_NET_CONFIG, Format.SHIM, Format.OPERATOR}
)
SHELLISH = st.text(alphabet="echo8 >|$(){}'\"\\`#;&<\n\t=" + string.ascii_letters[:3], max_size=40).map(
    lambda text: f"{text}{FILE}{text}"
)


def find(*sources: Source) -> None:
    survey = MastersSurvey(sources, frozenset({"a.service"}))
    for one in find_masters(survey, (make_pf(),)):
        assert one.evidence.isprintable()
        assert one.place.startswith("/")
        assert one.num_vfs is None or one.num_vfs >= 0
    called = [path for of_users in (False, True) for path in called_scripts(survey, print, of_users=of_users)]
    assert all(path.startswith("/") for path in called)


@fuzzed(text=spoilt(*(one.encode() for one in (*SHELL, *INI))) | SHELLISH.map(str.encode) | st.binary(max_size=200))
@example(b"\\")
@example(f"{FILE} \\\n".encode() * 3)
@example(b"$(" * 50 + FILE.encode())
def test_any_text_is_read(text: bytes) -> None:
    find(*(Source(kind, f"/etc/x.link.d/{kind}.service.link", text.decode(errors="replace")) for kind in TEXTS))


@fuzzed(text=spoilt(*(one.encode() for one in YAML)))
@example(b"a: &a [*a, {type: sriov_pf}]\n")
@example(b"network: {ethernets: {? [a] : {link: b}, b: {match: 3}}}\n")
@example(b"? {a: b}\n: c\n")
def test_any_document_is_read(text: bytes) -> None:
    with contextlib.suppress(ConfigError):
        document = parse_located(text, "/a.yaml")
        find(*(Source(kind, "/a.yaml", "", document) for kind in Format if kind not in TEXTS))
