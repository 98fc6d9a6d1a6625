#!/usr/bin/env bash
# openstacksdk 4.22.0: a filter of ports may never reach neutron, and a changed dict is not sent.
#
# Seen: `ports(binding_host_id="b")` asks neutron for every port of the cloud and filters on this side, although neutron
# knows the filter. A name that is misspelt, or another project's (`host`), is no error: all ports come back. The server's
# own spelling, `binding:host_id`, is sent, and whatever comes back is returned. A port whose `binding_profile` was
# changed in place is not sent by `update_port`, not even when that dict is passed: it equals what the port has. Nothing
# says so: the answer is the port, with the change in it. Expected were a filter in the query, a TypeError, and a PUT.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing openstacksdk 4.22.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openstacksdk==4.22.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >ask.py <<'END'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import openstack

PORTS = [{"id": host, "binding:host_id": host, "binding:profile": {"pci_slot": "0000:3b:02.0"}} for host in "abc"]


class Neutron(BaseHTTPRequestHandler):
    """Three ports, on three hosts; it says what it is asked for, and filters nothing."""

    def do_GET(self):
        version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{URL}/v2.0"}]}
        if "ports" in self.path:
            print(f"    {self.command} {self.path}")
            self.answer({"ports": PORTS} if self.path.partition("?")[0].endswith("ports") else {"port": PORTS[1]})
        else:
            self.answer({"versions": [version]})

    def do_PUT(self):
        print(f"    PUT {self.path} {self.rfile.read(int(self.headers['Content-Length'])).decode()}")
        self.answer({"port": PORTS[1]})

    def answer(self, what):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(what).encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Neutron)
URL = f"http://127.0.0.1:{server.server_port}"
Thread(target=server.serve_forever, daemon=True).start()
cloud = openstack.connect(
    load_yaml_config=False,
    load_envvars=False,
    auth_type="none",
    auth={"endpoint": URL},
    network_endpoint_override=f"{URL}/v2.0",
)
network = cloud.network
for filters in ({"binding_host_id": "b"}, {"host": "b"}, {"binding_hots_id": "b"}, {"binding:host_id": "b"}):
    print(f"ports(**{filters})")
    print("   ", [port.id for port in network.ports(**filters)])
port = network.get_port("b")
port.binding_profile["trusted"] = "true"
print("update_port(port)")
print("   ", network.update_port(port).binding_profile)
print("update_port(port, binding_profile=port.binding_profile)")
print("   ", network.update_port(port, binding_profile=port.binding_profile).binding_profile)
print("update_port(port, binding_profile=another dict)")
network.update_port(port, binding_profile={"trusted": "true"})
END
env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY venv/bin/python ask.py 2>errors | tee seen || { cat errors >&2; exit 2; }
diff -u - seen <<'END' || { echo "CHANGED: not what openstacksdk 4.22.0 did" >&2; exit 1; }
ports(**{'binding_host_id': 'b'})
    GET /v2.0/ports
    ['b']
ports(**{'host': 'b'})
    GET /v2.0/ports
    ['a', 'b', 'c']
ports(**{'binding_hots_id': 'b'})
    GET /v2.0/ports
    ['a', 'b', 'c']
ports(**{'binding:host_id': 'b'})
    GET /v2.0/ports?binding%3Ahost_id=b
    ['a', 'b', 'c']
    GET /v2.0/ports/b
update_port(port)
    {'pci_slot': '0000:3b:02.0', 'trusted': 'true'}
update_port(port, binding_profile=port.binding_profile)
    {'pci_slot': '0000:3b:02.0', 'trusted': 'true'}
update_port(port, binding_profile=another dict)
    PUT /v2.0/ports/b {"port": {"binding:profile": {"trusted": "true"}}}
END
