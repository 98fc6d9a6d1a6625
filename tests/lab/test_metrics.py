"""Who serves the metrics: whatever becomes of the daemon, and wherever the config wants them."""

from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from certificates import Authority

from .host import BOTH_PFS, METRICS_UNITS, PF1, PF2, UNIT, Guest

SOCKET, SERVICE = METRICS_UNITS.split()
CONFIG_UNIT = "sriov-bootstrap-metrics-config.service"
STATE_TIME = "sriov_bootstrap_state_timestamp_seconds"
HERE = "127.0.0.1:10051"
FOLDER = "/etc/sriov-bootstrap/lab-web"


@pytest.fixture
def served(guest: Guest) -> Iterator[Guest]:
    """Leaves the metrics where other tests look for them, whatever happens."""
    yield guest
    guest.run(f"rm -rf /etc/sriov-bootstrap/disabled {FOLDER}")
    guest.configure(BOTH_PFS)
    guest.check(f"systemctl start {UNIT}")
    guest.until_scrape(lambda it: bool(it.samples), "metrics at the default address")


def wait_for_config(guest: Guest) -> None:
    guest.until(lambda: guest.run(f"systemctl is-active {CONFIG_UNIT}").stdout == "inactive\n", "the config in force")


def code(guest: Guest, *words: str) -> str:
    """The HTTP status that curl sees, 000 for none."""
    return guest.run(f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 10 {' '.join(words)}").stdout


def test_the_last_page_is_there_while_the_daemon_is_stopped_hung_or_killed(served: Guest) -> None:
    guest = served
    before = guest.settle({PF1: 7, PF2: 7})
    pid = guest.service("MainPID")
    guest.check(f"kill -STOP {pid}")
    hung = guest.scrape()
    guest.check(f"kill -CONT {pid}; systemctl kill --kill-whom=main --signal=KILL {UNIT}")
    killed = guest.scrape()
    guest.check(f"systemctl stop {UNIT}")
    stopped = guest.scrape()
    for scrape in (hung, killed, stopped):
        assert before.samples.keys() <= scrape.samples.keys()
        assert scrape.value("sriov_pf_vfs") == 14
        assert scrape.value(STATE_TIME) >= before.value(STATE_TIME)
    guest.check(f"systemctl start {UNIT}")
    guest.until_scrape(
        lambda it: it.value(STATE_TIME) > stopped.value(STATE_TIME), "a page of the daemon that runs again"
    )


def test_the_daemon_listens_on_nothing(served: Guest) -> None:
    listening = served.check("ss -Hltnp")
    assert ":10049" in listening
    assert f"pid={served.service('MainPID')}," not in listening


def test_another_listen_counts_without_a_restart_and_so_does_none(served: Guest) -> None:
    guest = served
    pid = guest.service("MainPID")
    guest.configure(BOTH_PFS, f'[metrics]\nlisten = "{HERE}"\n')
    guest.until(lambda: code(guest, f"http://{HERE}/metrics") == "200", "metrics at another address")
    assert guest.scrape().samples == {}
    guest.configure(BOTH_PFS, '[metrics]\nlisten = ""\n')
    guest.until(lambda: guest.run(f"systemctl is-active {SOCKET}").stdout == "inactive\n", "no port")
    assert code(guest, f"http://{HERE}/metrics") == "000"
    assert guest.service("MainPID") == pid


def test_a_file_that_changes_is_enough(served: Guest) -> None:
    """Nobody reloads the service."""
    wait_for_config(served)
    served.vm.write("/etc/sriov-bootstrap/config.d/lab.toml", f'[metrics]\nlisten = "{HERE}"\n')
    served.until(lambda: code(served, f"http://{HERE}/metrics") == "200", "metrics at another address")
    wait_for_config(served)
    served.check("rm /etc/sriov-bootstrap/config.d/lab.toml")
    served.until_scrape(lambda it: bool(it.samples), "metrics at the default address")


def test_a_port_that_is_taken_is_told_and_tried_again(served: Guest) -> None:
    port = HERE.rpartition(":")[2]
    with served.running("port", f"python3 -m http.server --bind 127.0.0.1 {port}"):
        served.configure(BOTH_PFS, f'[metrics]\nlisten = "{HERE}"\n')
        said = f"cannot listen on {HERE}: Address already in use"
        served.until(lambda: said in served.run(f"journalctl -b -o cat -u {CONFIG_UNIT}").stdout, "a word in the log")
    served.until(lambda: code(served, f"http://{HERE}/metrics") == "200", "another try")


def test_web_config_is_in_force_from_the_first_answer_on(served: Guest, tmp_path: Path) -> None:
    guest = served
    Authority(tmp_path, "site").issue("server")
    hashed = bcrypt.hashpw(b"horse", bcrypt.gensalt(4)).decode()
    tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}"
    web = f"{tls}\nbasic_auth_users: {{prometheus: {hashed}}}\n"
    (tmp_path / "web.yml").write_text(web)
    guest.check(f"mkdir -p {FOLDER}")
    for name in ("server.crt", "server.key", "site.crt", "web.yml"):
        guest.vm.write(f"{FOLDER}/{name}", (tmp_path / name).read_text())
    guest.check(f"chmod 600 {FOLDER}/server.key {FOLDER}/web.yml")
    page = f"--cacert {FOLDER}/site.crt https://localhost:10049/metrics"
    guest.configure(BOTH_PFS, f'[metrics]\nweb_config = "{FOLDER}/web.yml"\n')
    guest.until(lambda: code(guest, "-u prometheus:horse", page) == "200", "TLS and a password")
    assert code(guest, "-u prometheus:cow", page) == "401"
    assert code(guest, "http://localhost:10049/metrics") in {"000", "400"}
    assert guest.check("stat -c '%a %u' /run/sriov-bootstrap-metrics/access") == "600 0\n"

    wait_for_config(guest)
    guest.vm.write(f"{FOLDER}/web.yml", web.replace("prometheus:", "grafana:"))
    guest.until(lambda: code(guest, "-u grafana:horse", page) == "200", "another user")
    wait_for_config(guest)
    guest.vm.write(f"{FOLDER}/web.yml", "tls_server_config: [")
    said = "web.yml: not YAML"
    guest.until(lambda: said in guest.run(f"journalctl -b -o cat -u {CONFIG_UNIT}").stdout, "a word in the log")
    assert code(guest, "-u grafana:horse", page) == "200"


def test_the_kill_switch_stops_who_serves_as_well(served: Guest) -> None:
    """Also when it comes while a config is brought into force: systemd starts no second run then."""
    wait_for_config(served)
    served.check(f"systemctl --no-block start {CONFIG_UNIT}; touch /etc/sriov-bootstrap/disabled")
    served.until(
        lambda: served.run(f"systemctl is-active {METRICS_UNITS}").stdout == "inactive\ninactive\n", "nobody who serves"
    )
    served.check(f"systemctl start {SERVICE}; systemctl restart {UNIT}")
    assert served.run(f"systemctl is-active {METRICS_UNITS}").stdout == "inactive\ninactive\n"
    served.check("rm /etc/sriov-bootstrap/disabled")
    served.check(f"systemctl restart {UNIT}")
    served.settle({PF1: 7, PF2: 7})
