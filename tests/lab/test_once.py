"""--once: does what there is to do, nothing when there is nothing, and minds the daemon and its own likes."""

from .host import AGENT, CONFIG_FILE, DEVICES, NOVA, PF1, PF2, Guest, address_rule

MANY = 20
RUN = "(sriov-bootstrap --once >/run/once.$n 2>&1; echo $? >>/run/once.codes) &"


def test_the_second_run_writes_nothing_and_restarts_nobody(guest: Guest) -> None:
    guest.configure(address_rule(PF1, 3), address_rule(PF2))
    first = guest.once()
    assert first.rc == 0, first
    guest.settle({PF1: 3, PF2: 7})
    nova, agent, uevents = guest.starts(NOVA), guest.starts(AGENT), guest.uevents()
    trace = "/run/once.trace"
    calls = "trace=open,openat,creat,write,pwrite64,unlink,rename,init_module,finit_module"
    second = guest.run(f"strace -f -qq -y -e {calls} -o {trace} sriov-bootstrap --once", timeout_seconds=300)
    assert second.rc == 0, second
    assert "as desired, nothing changed" in second.stdout
    lines = guest.vm.read(trace).splitlines()
    opened = [line for line in lines if "open" in line and "/sys/" in line]
    assert any(f"{PF1}/sriov_totalvfs" in line for line in opened)  # it has looked, and strace has seen it
    assert not [line for line in opened if "O_WRONLY" in line or "O_RDWR" in line]
    assert not [line for line in lines if "write" in line and "</sys/" in line]
    assert guest.uevents() == uevents
    assert (guest.starts(NOVA), guest.starts(AGENT)) == (nova, agent)


def test_dry_run_says_what_it_would_cost_and_changes_nothing(guest: Guest) -> None:
    guest.check("systemctl stop sriov-bootstrap")
    guest.vm.write(CONFIG_FILE, address_rule(PF1, 4) + address_rule(PF2))
    uevents, nova = guest.uevents(), guest.starts(NOVA)
    done = guest.once("--dry-run")
    assert done.rc == 0, done
    assert "set sriov_numvfs from 7 to 0, then set sriov_numvfs from 0 to 4" in done.stdout
    assert "VF 6 0000:01:11.4 would be removed" in done.stdout
    assert "nova-compute.service would restart" in done.stdout
    assert "neutron-sriov-nic-agent" not in done.stdout  # it does not run
    assert guest.uevents() == uevents
    assert guest.vfs() == {PF1: 7, PF2: 7}
    assert guest.starts(NOVA) == nova


def test_without_a_daemon_it_does_everything_itself(guest: Guest) -> None:
    guest.check("systemctl stop sriov-bootstrap")
    nova, others = guest.starts(NOVA), guest.vf_incarnations(PF2)
    guest.set_num_vfs(PF1, 0)
    done = guest.once()
    assert done.rc == 0, done
    assert "as desired, changed" in done.stdout
    assert "nova-compute.service: restart done" in done.stdout
    assert guest.vfs() == {PF1: 7, PF2: 7}
    assert guest.vf_incarnations(PF2) == others
    assert len(guest.starts(NOVA)) == len(nova) + 1


def test_many_at_once_beside_the_daemon_disturb_nobody(guest: Guest) -> None:
    nova, agent, uevents = guest.starts(NOVA), guest.starts(AGENT), guest.uevents()
    guest.check("rm -f /run/once.*")
    guest.check(f"for n in $(seq {MANY}); do {RUN} done; systemctl reload sriov-bootstrap; wait", timeout_seconds=600)
    said = guest.check("cat /run/once.[0-9]*")
    assert guest.vm.read("/run/once.codes").split() == ["0"] * MANY, said
    assert said.count("as desired, nothing changed") == MANY
    guest.settle({PF1: 7, PF2: 7})
    assert guest.uevents() == uevents
    assert (guest.starts(NOVA), guest.starts(AGENT)) == (nova, agent)


def test_many_at_once_after_a_loss_repair_it_once(guest: Guest) -> None:
    nova, uevents = guest.starts(NOVA), guest.uevents()
    guest.check("rm -f /run/once.*")
    lose = f"echo 0 >{DEVICES}/{PF1}/sriov_numvfs"
    guest.check(f"{lose}; for n in 1 2 3 4 5; do {RUN} done; wait", timeout_seconds=600)
    assert guest.vm.read("/run/once.codes").split() == ["0"] * 5
    guest.settle({PF1: 7, PF2: 7})
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert guest.uevents() > uevents


def test_more_than_the_device_offers_is_refused_and_the_other_pf_is_fine(guest: Guest) -> None:
    guest.configure(address_rule(PF1, 32), address_rule(PF2, 5))
    done = guest.once()
    assert done.rc == 3, done
    assert f"{PF1}: cannot create 32 VFs: the device offers 7" in done.stdout
    assert f'hint: lower num_vfs in rule "{PF1}" to 7 or "max"' in done.stdout
    assert guest.vfs() == {PF1: 7, PF2: 5}  # refused means untouched
    scrape = guest.wait_for_reason(PF1, "exceeds_max")
    assert not scrape.reasons(PF2)
    assert guest.status()["state"] == "degraded"
