"""Which units look at VFs: a table, because every deployment tool has its own names for them."""

NOVA_COMPUTE = (
    "nova-compute.service",  # Debian, Ubuntu, openstack-ansible
    "openstack-nova-compute.service",  # RDO
    "kolla-nova_compute-container.service",  # kolla-ansible
    "edpm_nova_compute.service",  # EDPM
    "tripleo_nova_compute.service",  # TripleO
    "snap.openstack-hypervisor.nova-compute.service",  # Sunbeam
)

SRIOV_AGENT = (
    "neutron-sriov-agent.service",  # Debian, Ubuntu
    "neutron-sriov-nic-agent.service",  # RDO, openstack-ansible
    "kolla-neutron_sriov_agent-container.service",  # kolla-ansible
    "edpm_neutron_sriov_agent.service",  # EDPM
)

KNOWN_CONSUMERS = NOVA_COMPUTE + SRIOV_AGENT
