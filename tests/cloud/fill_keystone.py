"""Writes into a fresh keystone what the services need: the catalogue. Runs in the services' venv, never in ours."""

from typing import Any

from cloud.configs import ADDRESS, PASSWORD
from openstack import connection

SERVICES = {
    "image": ("glance", f"http://{ADDRESS}:9292"),
    "placement": ("placement", f"http://{ADDRESS}:8778"),
    "network": ("neutron", f"http://{ADDRESS}:9696"),
    "compute": ("nova", f"http://{ADDRESS}:8774/v2.1"),
}


def main() -> None:
    """For a database that was made a moment ago, or that has it all."""
    auth = {"auth_url": f"http://{ADDRESS}:5000/v3", "username": "admin", "password": PASSWORD, "project_name": "admin"}
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    cloud: Any = connection.Connection(auth={**auth, **domains}, region_name="RegionOne", app_name="tests")
    known = {service.type for service in cloud.identity.services()}
    for kind, (name, url) in SERVICES.items():
        if kind not in known:
            service = cloud.identity.create_service(type=kind, name=name)
            cloud.identity.create_endpoint(service_id=service.id, interface="public", url=url, region_id="RegionOne")
    role = cloud.identity.find_role("service") or cloud.identity.create_role(name="service")
    admin = cloud.identity.find_user("admin")
    cloud.identity.assign_project_role_to_user(cloud.identity.find_project("admin"), admin, role)


if __name__ == "__main__":
    main()
