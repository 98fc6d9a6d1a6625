// The Grafana dashboard. Its expressions use the exporter's own metrics and no recording rules: a panel that is empty because
// rules were not loaded would look like a fleet without problems. For the same reason numbers have no `or vector(0)`.
{
  local c = $._config,
  local datasource = { type: 'prometheus', uid: '${datasource}' },
  local matchers(more) =
    local all = std.filter(function(one) one != '', [c.selector, more]);
    if all == [] then '' else '{%s}' % std.join(',', all),
  local fleet(name) = name + matchers(''),
  local host(name) = name + matchers('instance=~"$instance"'),
  local of_pf = std.join(', ', c.hostLabels + ['pci_address', 'netdev', 'rule']),
  local pf_legend = '{{pci_address}} {{netdev}} {{rule}}',  // the row names the host

  local target(expr, legend='', instant=false) = {
    datasource: datasource,
    expr: expr,
    legendFormat: legend,
    instant: instant,
    range: !instant,
    [if instant then 'format']: 'table',
  },
  local panel(type, title, targets, description, width, height, unit, options={}, defaults={}) = {
    type: type,
    title: title,
    description: description,
    datasource: datasource,
    targets: [targets[i] { refId: std.char(65 + i) } for i in std.range(0, std.length(targets) - 1)],
    gridPos: { w: width, h: height },
    options: options,
    fieldConfig: { defaults: { unit: unit } + defaults, overrides: [] },
  },
  local graph(title, targets, description, unit='short', width=12, defaults={}) = panel(
    'timeseries',
    title,
    targets,
    description,
    width,
    8,
    unit,
    { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    { min: 0 } + defaults,
  ),
  // Usually there are as many VFs as desired, so that line is drawn wide, or one would hide the other.
  local desired_is_wide = {
    fieldConfig+: {
      overrides: [{
        matcher: { id: 'byRegexp', options: '/desired$/' },
        properties: [{ id: 'custom.lineWidth', value: 6 }],
      }],
    },
  },
  local bars = { custom: { drawStyle: 'bars', fillOpacity: 80 } },
  local steps(bad, above) = {
    mode: 'absolute',
    steps: [{ color: 'green', value: null }, { color: bad, value: above }],
  },
  local number(title, expr, description, thresholds) = panel(
    'stat',
    title,
    [target(expr)],
    description,
    3,
    4,
    'short',
    { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' },
    { thresholds: thresholds },
  ),
  local table(title, targets, description, hidden, value='Value', width=12) = panel(
    'table',
    title,
    targets,
    description,
    width,
    8,
    'short',
  ) {
    transformations: [{ id: 'organize', options: { excludeByName: { [name]: true for name in hidden }, renameByName: { Value: value } } }],
  },
  local row(title) = { type: 'row', title: title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } },

  // From left to right, wrapping when a line is full. Locals, because jsonnet evaluates a field at each access.
  local placed(panels) = std.foldl(
    function(done, one)
      local begins = done.x + one.gridPos.w > 24;
      local x = if begins then 0 else done.x;
      local y = if begins then done.y + done.height else done.y;
      local next = x + one.gridPos.w;
      local height = if begins then one.gridPos.h else std.max(done.height, one.gridPos.h);
      local all = done.panels + [one { id: std.length(done.panels) + 1, gridPos+: { x: x, y: y } }];
      { x: next, y: y, height: height, panels: all },
    panels,
    { x: 0, y: 0, height: 0, panels: [] }
  ).panels,

  // As in rules.libsonnet: 0 or 1 for each host that answers.
  local reported = fleet('sriov_bootstrap_state_timestamp_seconds'),
  local silent = 'time() - %s > bool %d or on (%s) max without (reason) (%s)' % [
    reported,
    c.passOverdueSeconds,
    std.join(', ', c.hostLabels),
    fleet('sriov_bootstrap_page_problem'),
  ],

  local missing(metric) = 'clamp_min(%s - %s, 0)' % [metric('sriov_pf_vfs_desired'), metric('sriov_pf_vfs')],
  local vfs(metric, aggregate, legend) = [
    target(aggregate % metric('sriov_pf_vfs_desired'), legend + 'desired'),
    target(aggregate % metric('sriov_pf_vfs'), legend + 'present'),
    target(aggregate % metric('sriov_pf_vfs_in_use'), legend + 'in use'),
  ],
  local free_by_network(metric) =
    'sum by (physical_network) ((%s - %s) * on (%s) group_left (physical_network) %s)' % [
      metric('sriov_pf_vfs'),
      metric('sriov_pf_vfs_in_use'),
      of_pf,
      metric('sriov_pf_info'),
    ],

  local panels = [
    row('Fleet'),
    number(
      'Hosts responding',
      'count(%s)' % fleet('sriov_bootstrap_build_info'),
      'The sums below cover these. The alert SriovNotRunning names the missing ones.',
      { mode: 'absolute', steps: [{ color: 'blue', value: null }] },
    ),
    number(
      'Hosts silent',
      'sum(%s)' % silent,
      'They answer, but the service has reported nothing for %d minutes: it is stopped or hangs. The sums below have its last values.' %
      std.floor(c.passOverdueSeconds / 60 + 0.5),
      steps('red', 1),
    ),
    number('VFs missing', 'sum(%s)' % missing(fleet), 'Desired but not present. Too many on one PF do not make up for it.', steps('red', 1)),
    number('PFs not as desired', 'sum(%s)' % fleet('sriov_pf_degraded'), 'For whatever reason.', steps('orange', 1)),
    number(
      'Hosts with a stuck write',
      'sum(%s > bool 0)' % fleet('sriov_bootstrap_write_stuck_since_timestamp_seconds'),
      'No VF of such a host can be made or removed.',
      steps('red', 1),
    ),
    number(
      'Hosts with a broken config',
      'sum(%s == bool 0)' % fleet('sriov_bootstrap_config_valid'),
      'The last good config stays in force until the next boot.',
      steps('orange', 1),
    ),
    number(
      'Pages with problems',
      'sum(%s)' % fleet('sriov_bootstrap_page_problem'),
      'The metrics endpoint cannot read the page that the service writes.',
      steps('orange', 1),
    ),
    number(
      'Hosts with pending restarts',
      'sum(%s)' % fleet('sriov_bootstrap_restart_pending'),
      'VFs changed, and nova-compute or the agent may not know.',
      steps('orange', 1),
    ),
    graph('VFs: desired, present, in use', vfs(fleet, 'sum(%s)', ''), 'All hosts that answer; silent ones with their last values. A host that does not answer is missing from all three.') + desired_is_wide,
    graph('Free VFs by physical network', [target(free_by_network(fleet), '{{physical_network}}')], 'Present and not in use.'),
    graph('PFs not as desired, by reason', [target('sum by (reason) (%s) > 0' % fleet('sriov_pf_degraded'), '{{reason}}')], 'Empty is good.'),
    graph(
      'VFs lost, by host',
      [target('sum by (instance) (increase(%s[$__rate_interval])) > 0' % fleet('sriov_pf_vf_losses_total'), '{{instance}}')],
      'Events: VFs that disappeared, and not by sriov-bootstrap. Empty is good.',
      defaults=bars,
    ),
    table(
      'Hosts missing the most VFs',
      [target('topk(10, sum by (instance) (%s)) > 0' % missing(fleet), instant=true)],
      'Empty is good.',
      ['Time'],
      'VFs missing',
    ),
    graph('Hosts by version', [target('count by (version) (%s)' % fleet('sriov_bootstrap_build_info'), '{{version}}')], 'Shows the progress of a rollout.'),
    table(
      'Silent hosts',
      [target('sort_desc(time() - %s > %d)' % [reported, c.passOverdueSeconds], instant=true)],
      'Empty is good. These hosts answer, so check the daemon: systemctl status sriov-bootstrap.',
      ['Time'],
      'seconds since last report',
    ),
    table(
      'Pages with problems, by reason',
      [target('%s == 1' % fleet('sriov_bootstrap_page_problem'), instant=true)],
      'Empty is good. missing: the daemon has not run since boot.',
      ['Time', 'Value', '__name__'],
    ),

    row('Host: $instance') { repeat: 'instance' },
    graph('VFs by PF: desired, present, in use', vfs(host, '%s', pf_legend + ' '), 'A rule without a NIC has no PCI address.', width=24) + desired_is_wide {
      options+: { legend: { displayMode: 'table', placement: 'right' } },
    },
    graph('Free VFs by physical network', [target(free_by_network(host), '{{physical_network}}')], 'Present and not in use.'),
    graph(
      'Not as desired, by PF and reason',
      [target('%s == 1' % host('sriov_pf_degraded'), pf_legend + ' {{reason}}')],
      'Empty is good. On the host: sriov-bootstrap status.',
    ),
    graph(
      'VFs lost, numbers overwritten',
      [
        target('increase(%s[$__rate_interval]) > 0' % host('sriov_pf_vf_losses_total'), pf_legend),
        target('increase(%s[$__rate_interval]) > 0' % host('sriov_pf_contested_total'), pf_legend + ' contested'),
      ],
      'Events: VFs that disappeared, and not by sriov-bootstrap; times that something else overwrote the number. Empty is good.',
      defaults=bars,
    ),
    graph(
      'Restarts of services',
      [
        target('increase(%s[$__rate_interval]) > 0' % host('sriov_bootstrap_service_restarts_total'), '{{unit}}'),
        target('increase(%s[$__rate_interval]) > 0' % host('sriov_bootstrap_service_restart_failures_total'), '{{unit}} failed'),
      ],
      'After VFs changed. A failed restart is retried three times.',
      defaults=bars,
    ),
    graph(
      'Duration of passes',
      [
        target(
          'histogram_quantile(%s, sum by (instance, le) (rate(%s[1h])))' %
          [one.quantile, host('sriov_bootstrap_pass_duration_seconds_bucket')],
          one.name,
        )
        for one in [{ quantile: '0.5', name: 'median' }, { quantile: '0.95', name: 'slowest 5 %' }]
      ],
      'Over the last hour: with nothing to do, there is a pass every ten minutes.',
      unit='s',
    ),
    graph(
      'Passes',
      [
        target('increase(%s[$__rate_interval])' % host('sriov_bootstrap_passes_total'), 'passes'),
        target('increase(%s[$__rate_interval])' % host('sriov_bootstrap_pass_failures_total'), 'failed'),
        target('increase(%s[$__rate_interval])' % host('sriov_bootstrap_udev_resyncs_total'), 'after lost udev events'),
      ],
      'Failed: an action failed, or the pass broke off.',
      defaults=bars,
    ),
    graph(
      'Time since the last pass, and since everything was as desired',
      [
        target('time() - %s' % host('sriov_bootstrap_state_timestamp_seconds'), 'report'),
        target('time() - %s' % host('sriov_bootstrap_last_pass_timestamp_seconds'), 'pass'),
        target('time() - (%s > 0)' % host('sriov_bootstrap_last_success_timestamp_seconds'), 'as desired'),
      ],
      'A pass is due every ten minutes, and the state is reported after each, even one that broke off. A host that has never been as desired since boot has no line for that.',
      unit='s',
    ),
    table(
      'Findings of doctor',
      [target('%s > 0' % host('sriov_bootstrap_findings'), instant=true)],
      'Empty is good. On the host: sriov-bootstrap doctor explain CODE.',
      ['Time', '__name__', 'job', 'instance'],
      'number',
    ),
    table(
      'PFs',
      [target(host('sriov_pf_info'), instant=true)],
      'Each rule and the PF that it applies to.',
      ['Time', 'Value', '__name__', 'job', 'instance'],
      width=24,
    ),
  ],

  grafanaDashboards+:: {
    'sriov-bootstrap.json': {
      title: 'SR-IOV VFs',
      uid: 'sriov-bootstrap',
      description: 'VFs of OpenStack compute hosts, as sriov-bootstrap sees them.',
      tags: ['sriov-bootstrap', 'openstack'],
      schemaVersion: 36,
      editable: true,
      refresh: '1m',
      time: { from: 'now-6h', to: 'now' },
      templating: {
        list: [
          { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
          {
            name: 'instance',
            label: 'Host',
            type: 'query',
            datasource: datasource,
            query: { query: 'label_values(%s, instance)' % fleet('sriov_bootstrap_build_info'), refId: 'instance' },
            refresh: 2,
            sort: 1,
            multi: true,
          },
        ],
      },
      panels: placed(panels),
    },
  },
}
