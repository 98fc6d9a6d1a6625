"""verify where the kernel was booted without its IOMMU, as many hosts are when they are new."""

import pytest

from lab.conftest import prepared
from lab.consumers import install_package, newest_package
from lab.host import PF1, Guest, address_rule
from lab.image import guest_image
from lab.qemu import Hardware
from lab.verify.test_real_vm import files_left, only_on_request
from lab.vm import running_vm

pytestmark = [pytest.mark.timeout(900), only_on_request]


def test_without_an_iommu_verify_says_how_to_switch_it_on(request: pytest.FixtureRequest) -> None:
    image = prepared(guest_image, request)
    with running_vm(image, hardware=Hardware(cpus=1, kernel_words="intel_iommu=off")) as vm:
        install_package(vm, newest_package())
        host = Guest(vm)
        host.configure(address_rule(PF1, vf_driver="kernel"))
        host.settle({PF1: 7})
        done = host.run("sriov-bootstrap verify vf", timeout_seconds=300)
        assert (done.rc, "the IOMMU is off" in done.stdout, "intel_iommu=on" in done.stdout) == (3, True, True)
        assert files_left(host) == ""
