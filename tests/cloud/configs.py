"""What the services of the control plane read."""

from pathlib import Path

from cloud.releases import Release

ADDRESS = "127.21.9.69"  # nothing else on the machine listens there
HOST = "compute-1"
PASSWORD = "control-plane-secret"  # noqa: S105 - of what lives for a test
PHYSICAL_NETWORK = "physnet2"
OVN_PORTS = {"ovn-nb": 6641, "ovn-sb": 6642}
CREDENTIALS = f"""\
auth_type = password
auth_url = http://{ADDRESS}:5000/v3
username = admin
password = {PASSWORD}
project_name = admin
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
"""
TRANSPORT = f"transport_url = rabbit://guest:guest@{ADDRESS}:5672/"


def write_configs(folder: Path, run: Path, release: Release) -> None:
    """Into this folder, for services of this release whose data is below `run`."""
    token = f"""\
[keystone_authtoken]
www_authenticate_uri = http://{ADDRESS}:5000
{CREDENTIALS}service_token_roles_required = true
"""
    texts = {
        "keystone.conf": f"""\
[database]
connection = {database(run, "keystone")}
[token]
provider = fernet
[fernet_tokens]
key_repository = {run}/fernet/tokens
[credential]
key_repository = {run}/fernet/credentials
""",
        "glance-api.conf": f"""\
[DEFAULT]
enabled_backends = files:file
worker_self_reference_url = http://{ADDRESS}:9292
[database]
connection = {database(run, "glance")}
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = {run}/images
[image_cache]
image_cache_dir = {run}/image-cache
[os_glance_staging_store]
filesystem_store_datadir = {run}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {run}/tasks
[paste_deploy]
flavor = keystone
config_file = {release.venv}/etc/glance/glance-api-paste.ini
{token}""",
        "placement.conf": f"""\
[placement_database]
connection = {database(run, "placement")}
{token}""",
        "neutron.conf": neutron(run, release, token),
        "nova.conf": nova(run, token),
        "nova-compute.conf": f"""\
[DEFAULT]
compute_driver = simulated.Driver
debug = true
host = {HOST}
resource_tracker_update_interval = 1
update_resources_interval = 5
[pci]
report_in_placement = true
device_spec = {{"address": "*:3b:02.*", "physical_network": "{PHYSICAL_NETWORK}"}}
device_spec = {{"address": "*:5e:02.*"}}
""",
        "plugins": "[].\n",
        "rabbitmq.conf": "loopback_users = none\nvm_memory_high_watermark.absolute = 400MB\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)


def database(run: Path, name: str) -> str:
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={run}/mariadb.sock&charset=utf8mb4"


def neutron(run: Path, release: Release, token: str) -> str:
    """The heartbeats of agents are short: a test waits until one counts as dead."""
    return f"""\
[DEFAULT]
auth_strategy = keystone
core_plugin = ml2
service_plugins =
host = {HOST}
api_paste_config = {release.venv}/etc/neutron/api-paste.ini
state_path = {run}/neutron
{TRANSPORT}
rpc_workers = 1
rpc_state_report_workers = 1
agent_down_time = 20
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[agent]
report_interval = 4
[database]
connection = {database(run, "neutron")}
[oslo_concurrency]
lock_path = {run}/neutron-locks
[oslo_messaging_notifications]
driver = noop
[ml2]
type_drivers = flat,vlan,geneve
tenant_network_types = vlan
mechanism_drivers = {",".join(release.drivers)}
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = {PHYSICAL_NETWORK}:100:199,physnet9:100:199
[ml2_type_geneve]
vni_ranges = 1:99
max_header_size = 38
[ovn]
ovn_nb_connection = tcp:{ADDRESS}:{OVN_PORTS["ovn-nb"]}
ovn_sb_connection = tcp:{ADDRESS}:{OVN_PORTS["ovn-sb"]}
{token}"""


def nova(run: Path, token: str) -> str:
    sections = "".join(f"[{name}]\n{CREDENTIALS}" for name in ("placement", "neutron", "service_user"))
    return f"""\
[DEFAULT]
{TRANSPORT}
my_ip = {ADDRESS}
state_path = {run}/nova
instances_path = {run}/nova/instances
osapi_compute_workers = 1
service_down_time = 20
report_interval = 4
[api_database]
connection = {database(run, "nova_api")}
[database]
connection = {database(run, "nova")}
[oslo_concurrency]
lock_path = {run}/nova-locks
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 5
[filter_scheduler]
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,PciPassthroughFilter
pci_in_placement = true
[glance]
endpoint_override = http://{ADDRESS}:9292
[cinder]
catalog_info = volumev3::publicURL
[oslo_messaging_notifications]
driver = noop
{sections}{token}"""
