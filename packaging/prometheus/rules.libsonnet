// Sums over hosts and groups of hosts. Named level:metric:operation.
//
// `without` rather than `by` at the level of a host, so that every label of the target is kept: the groups are made from them.
// A host that is not scraped is missing from its group's sums: ...:sriov_bootstrap_hosts:count says how many hosts they include, and
// ...:sriov_bootstrap_hosts_unreachable:count how many they lack, as far as those are targets of the dedicated job. The hosts of
// ...:sriov_bootstrap_hosts_silent:count are included with their last reported values.
{
  local c = $._config,
  local host = std.join(', ', c.hostLabels),
  local metric(name) = name + (if c.selector == '' then '' else '{%s}' % c.selector),
  local of_pf = 'pci_address, netdev, rule',
  // 0 or 1 for each host that answers. The exporter knows when the service made the page, or that there is none.
  local silent = 'time() - %s > bool %d or on (%s) max without (reason) (%s)' % [
    metric('sriov_bootstrap_state_timestamp_seconds'),
    c.passOverdueSeconds,
    host,
    metric('sriov_bootstrap_page_problem'),
  ],
  local free = '%s - %s' % [metric('sriov_pf_vfs'), metric('sriov_pf_vfs_in_use')],

  // A PF with too many VFs must not make up for another with too few.
  local sums = {
    sriov_pf_vfs_desired: metric('sriov_pf_vfs_desired'),
    sriov_pf_vfs: metric('sriov_pf_vfs'),
    sriov_pf_vfs_in_use: metric('sriov_pf_vfs_in_use'),
    sriov_pf_vfs_free: free,
    sriov_pf_vfs_missing: 'clamp_min(%s - %s, 0)' % [metric('sriov_pf_vfs_desired'), metric('sriov_pf_vfs')],
  },
  local names = ['sriov_pf_vfs_desired', 'sriov_pf_vfs', 'sriov_pf_vfs_in_use', 'sriov_pf_vfs_free', 'sriov_pf_vfs_missing'],

  local of_host(name) = {
    record: 'instance:%s:sum' % name,
    expr: 'sum without (%s) (%s)' % [of_pf, sums[name]],
  },
  local of_network = {
    record: 'instance_physical_network:sriov_pf_vfs_free:sum',
    expr: |||
      sum without (%s) (
        (%s) * on (%s, %s) group_left (physical_network) %s
      )
    ||| % [of_pf, free, host, of_pf, metric('sriov_pf_info')],
  },
  local of_group(label) =
    [
      { record: '%s:%s:sum' % [label, name], expr: 'sum by (%s) (instance:%s:sum)' % [label, name] }
      for name in names
    ] + [
      {
        record: '%s_physical_network:sriov_pf_vfs_free:sum' % label,
        expr: 'sum by (%s, physical_network) (instance_physical_network:sriov_pf_vfs_free:sum)' % label,
      },
      {
        record: '%s:sriov_bootstrap_hosts:count' % label,
        expr: 'count by (%s) (%s)' % [label, metric('sriov_bootstrap_build_info')],
      },
      {
        record: '%s:sriov_bootstrap_hosts_unreachable:count' % label,
        expr: 'sum by (%s) (up{%s} == bool 0)' % [label, c.upSelector],
      },
      {
        record: '%s:sriov_bootstrap_hosts_silent:count' % label,
        expr: 'sum by (%s) (%s)' % [label, silent],
      },
      {
        record: '%s_reason:sriov_pf_degraded:sum' % label,
        expr: 'sum by (%s, reason) (%s)' % [label, metric('sriov_pf_degraded')],
      },
      {
        record: '%s:sriov_pf_vf_losses:increase1h' % label,
        expr: 'sum by (%s) (increase(%s[1h]))' % [label, metric('sriov_pf_vf_losses_total')],
      },
    ],

  prometheusRules+:: {
    groups+: [{
      name: 'sriov-bootstrap.rules',
      rules: [of_host(name) for name in names] + [of_network] + [
        {
          record: 'physical_network:sriov_pf_vfs_free:sum',
          expr: 'sum by (physical_network) (instance_physical_network:sriov_pf_vfs_free:sum)',
        },
      ] + std.flatMap(of_group, c.groupLabels),
    }],
  },
}
