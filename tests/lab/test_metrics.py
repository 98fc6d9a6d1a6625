"""Who serves the metrics: whatever becomes of the daemon, and wherever the config wants them."""

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


def wait_for_config(guest: Guest) -> None:
    guest.until(lambda: guest.run(f"systemctl is-active {CONFIG_UNIT}").stdout == "inactive\n", "the config in force")


def code(guest: Guest, *words: str) -> str:
    """The HTTP status that curl sees, 000 for none."""
    return guest.run(f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 10 {' '.join(words)}").stdout


def test_the_last_page_is_there_while_the_daemon_is_stopped_hung_or_killed(guest: Guest) -> None:
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


def test_the_daemon_listens_on_nothing(guest: Guest) -> None:
    listening = guest.check("ss -Hltnp")
    assert ":10049" in listening
    assert f"pid={guest.service('MainPID')}," not in listening


@pytest.mark.long
def test_another_listen_counts_without_a_restart_and_so_does_none(guest: Guest) -> None:
    pid = guest.service("MainPID")
    guest.configure(BOTH_PFS, f'[metrics]\nlisten = "{HERE}"\n')
    guest.until(lambda: code(guest, f"http://{HERE}/metrics") == "200", "metrics at another address")
    assert guest.scrape().samples == {}
    guest.configure(BOTH_PFS, '[metrics]\nlisten = ""\n')
    guest.until(lambda: guest.run(f"systemctl is-active {SOCKET}").stdout == "inactive\n", "no port")
    assert code(guest, f"http://{HERE}/metrics") == "000"
    assert guest.service("MainPID") == pid


@pytest.mark.long
def test_a_file_that_changes_is_enough(guest: Guest) -> None:
    """Nobody reloads the service."""
    wait_for_config(guest)
    guest.vm.write("/etc/sriov-bootstrap/config.d/lab.toml", f'[metrics]\nlisten = "{HERE}"\n')
    guest.until(lambda: code(guest, f"http://{HERE}/metrics") == "200", "metrics at another address")
    wait_for_config(guest)
    guest.check("rm /etc/sriov-bootstrap/config.d/lab.toml")
    guest.until_scrape(lambda it: bool(it.samples), "metrics at the default address")


@pytest.mark.long
def test_a_port_that_is_taken_is_told_and_tried_again(guest: Guest) -> None:
    port = HERE.rpartition(":")[2]
    with guest.running("port", f"python3 -m http.server --bind 127.0.0.1 {port}"):
        guest.configure(BOTH_PFS, f'[metrics]\nlisten = "{HERE}"\n')
        said = f"cannot listen on {HERE}: Address already in use"
        guest.until(lambda: said in guest.run(f"journalctl -b -o cat -u {CONFIG_UNIT}").stdout, "a word in the log")
    guest.until(lambda: code(guest, f"http://{HERE}/metrics") == "200", "another try")


def test_web_config_is_in_force_from_the_first_answer_on(guest: Guest, tmp_path: Path) -> None:
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


@pytest.mark.long
def test_the_kill_switch_stops_who_serves_as_well(guest: Guest) -> None:
    """Also when it comes while a config is brought into force: systemd starts no second run then."""
    wait_for_config(guest)
    guest.check(f"systemctl --no-block start {CONFIG_UNIT}; touch /etc/sriov-bootstrap/disabled")
    guest.until(
        lambda: guest.run(f"systemctl is-active {METRICS_UNITS}").stdout == "inactive\ninactive\n", "nobody who serves"
    )
    guest.check(f"systemctl start {SERVICE}; systemctl restart {UNIT}")
    assert guest.run(f"systemctl is-active {METRICS_UNITS}").stdout == "inactive\ninactive\n"
    guest.check("rm /etc/sriov-bootstrap/disabled")
    guest.check(f"systemctl restart {UNIT}")
    guest.settle({PF1: 7, PF2: 7})
