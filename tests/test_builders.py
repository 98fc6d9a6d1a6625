"""What mypy refuses to build. An `ignore` on a line with which it finds no fault is itself an error (`strict`)."""

from typing import TYPE_CHECKING

import pytest

from builders import PF, make_config, make_netdev, make_pf, make_raw_vf, make_rule, make_vf, make_wish
from fakes import FakeMachine, FakePf

if TYPE_CHECKING:  # at run time nobody looks at types
    make_netdev(is_up="yes")  # type: ignore[arg-type]
    make_vf(netdevs=["v0"])  # type: ignore[arg-type]
    make_pf(total_vfs="7")  # type: ignore[arg-type]
    make_rule(vf_binding="auto")  # type: ignore[arg-type]
    make_config(openstack=None)  # type: ignore[arg-type]
    make_raw_vf(inode="100")  # type: ignore[arg-type]


def test_a_wrong_keyword_fails_mypy_and_the_test() -> None:
    with pytest.raises(TypeError):
        make_netdev(nam="ens1f0")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_vf(drivers="igbvf")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_pf(total_vf=7)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_rule(vfs=4)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_config(service=())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_wish(vfs=4)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_raw_vf(incarnation=100)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        FakePf(total_vf=7)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        FakeMachine(FakePf()).change(PF, total_vf=7)  # type: ignore[call-arg]
