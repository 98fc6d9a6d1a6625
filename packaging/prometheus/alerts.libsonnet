// One cause is one alert: reasons of sriov_pf_degraded that have an alert of their own are left out of SriovPfDegraded,
// and what follows from a stuck write is left out of the others.
//
// A comparison with a series that is not there is no alert. Hence last_over_time (a gap), SriovNotRunning (a host that is
// gone), and `unless`, which leaves things out, in place of joins, which would demand that both sides are there. Values that
// a description adds are looked up by it, so none of them can keep an alert from firing.
{
  local c = $._config,
  local host = std.join(', ', c.hostLabels),

  local metric(name, matchers='') =
    local all = std.filter(function(one) one != '', [c.selector, matchers]);
    name + (if all == [] then '' else '{%s}' % std.join(',', all)),
  local last(name, matchers='') = 'last_over_time(%s[%s])' % [metric(name, matchers), c.scrapeGap],
  local degraded(matchers) = last('sriov_pf_degraded', matchers) + ' == 1',

  // {{ value }} of another gauge of this PF, by the labels of the alert; "?" where there is none.
  local of_pf(name) = std.join('', [
    '{{ with query (printf "%s{instance=%%q,pci_address=%%q,rule=%%q}"' % name,
    ' $labels.instance $labels.pci_address $labels.rule) }}{{ . | first | value }}{{ else }}?{{ end }}',
  ]),
  local pf = '{{ $labels.instance }}: {{ $labels.pci_address }} ({{ $labels.netdev }}), rule "{{ $labels.rule }}"',
  local vfs = 'VFs: %s there, %s desired, %s in use.' % [
    of_pf('sriov_pf_vfs'),
    of_pf('sriov_pf_vfs_desired'),
    of_pf('sriov_pf_vfs_in_use'),
  ],

  local alert(name, severity, expr, summary, description, hold='') = {
    alert: name,
    expr: expr,
    [if hold != '' then 'for']: hold,
    labels: { severity: severity },
    annotations: {
      summary: summary,
      description: description,
      runbook_url: c.runbookUrl % name,
    },
  },

  prometheusAlerts+:: {
    groups+: [{
      name: 'sriov-bootstrap',
      rules: [
        // First arm: increase() counts over gaps shorter than its window, and takes a counter that starts anew at 0, as after a
        // boot, for no loss. Second arm: gaps longer than the window, as when the service was stopped for an hour. Nobody counts
        // then; the service does when it starts, and the alert comes with its first scrape.
        alert(
          'SriovVfLoss',
          'warning',
          |||
            increase(%(losses)s[%(window)s]) > 0
            or
            %(losses)s - last_over_time(%(losses)s[%(forget)s] offset %(window)s) > 0
          ||| % { losses: metric('sriov_pf_vf_losses_total'), window: c.lossWindow, forget: c.forgetHostAfter },
          pf + ' lost VFs',
          'About {{ $value | printf "%.0f" }} VFs went away, as seen in the last ' + c.lossWindow +
          ', and not by sriov-bootstrap. Whoever used them has lost them, also where they were made again. ' + vfs,
        ),

        // The series of a rule without a NIC has pci_address="" and ends when the NIC comes: its last value must not outlive that.
        alert(
          'SriovPfMissing',
          'critical',
          |||
            %s
            unless on (%s, rule) %s == 1
          ||| % [degraded('reason="absent"'), host, metric('sriov_pf_present')],
          '{{ $labels.instance }}: no NIC matches rule "{{ $labels.rule }}"',
          'The rule asks for %s VFs and is required. The NIC is gone, or is not what the rule matches any more.' %
          of_pf('sriov_pf_vfs_desired'),
          hold='10m',
        ),

        // absent: SriovPfMissing. stuck, blocked: SriovWriteStuck. in_use: SriovVfsBlockedByVm. contested: SriovPfContested.
        alert(
          'SriovPfDegraded',
          'warning',
          degraded('reason!~"absent|stuck|blocked|in_use|contested"'),
          pf + ': {{ $labels.reason }}',
          'The PF is not as desired, for the reason {{ $labels.reason }}. ' + vfs,
          hold='10m',
        ),

        // First arm: whenever our number is there, somebody writes over it. Second arm: he does it so seldom that ours is put
        // right at once each time; 3 in an hour can be one who was gone after half a minute. Without `reason` both have the same
        // labels, so that one going over into the other does not start the clock anew.
        alert(
          'SriovPfContested',
          'warning',
          |||
            max without (reason) (%s)
            or
            increase(%s[1h]) >= 4
          ||| % [degraded('reason="contested"'), metric('sriov_pf_contested_total')],
          pf + ': somebody else sets the number of VFs, too',
          'Whenever sriov-bootstrap sets the number that the rule asks for, somebody sets another one, and each time all VFs of ' +
          'the PF go. It is set again ever less often, every five minutes in the end. ' + vfs,
          hold='10m',
        ),

        // First arm: passes end, and something in them fails; one failure alone is out of the window before the alert is due.
        // Where the PF itself says why (write_failed, stuck), that is its alert. Second arm: passes do not end. Those that break
        // off are counted by the next one that ends, so time is all that tells. Where the service tells nothing at all any more,
        // that is SriovNotRunning. Version 0.1.0 does not say when it last did: there it is the daemon's end, too.
        alert(
          'SriovPassFailing',
          'warning',
          |||
            (
              increase(%(failures)s[15m]) > 0
              unless on (%(host)s) max_over_time(%(told)s[30m]) == 1
            )
            or
            (
              time() - %(ended)s > %(overdue)d
              unless on (%(host)s) time() - %(state)s > %(overdue)d
            )
          ||| % {
            state: last('sriov_bootstrap_state_timestamp_seconds'),
            failures: metric('sriov_bootstrap_pass_failures_total'),
            host: host,
            told: metric('sriov_pf_degraded', 'reason=~"write_failed|stuck"'),
            ended: last('sriov_bootstrap_last_pass_timestamp_seconds'),
            overdue: c.passOverdueSeconds,
          },
          '{{ $labels.instance }}: passes of sriov-bootstrap fail or do not end',
          '{{ if gt $value 1e9 }}No pass has ended since the last boot{{ else if gt $value 1000.0 }}No pass has ended for ' +
          '{{ $value | humanizeDuration }}{{ else }}About {{ $value | printf "%.0f" }} passes failed in 15 minutes{{ end }}. ' +
          'VFs that go away now may not come back.',
          hold='20m',
        ),

        // First arm: targets of the job (upSelector) that cannot be scraped. Second arm, whatever the job is called: a host that
        // was seen with sriov-bootstrap in the last day, is not seen now, and is no target that the first arm speaks of, because
        // it left the service discovery, or because its textfile is gone. Third arm: a host that answers, with a page that is old:
        // what serves it is another process, and the service tells its state after each pass, also one that broke off. Fourth arm:
        // one that answers without any page, because the service has told nothing since the boot, or nothing that can be read;
        // its value is below 0 to tell it from the others. All have the labels of the target and no other, so that one going over
        // into the other does not start the clock anew.
        alert(
          'SriovNotRunning',
          'warning',
          |||
            %(up)s == 0
            or on (%(host)s)
            (
              max without (version) (last_over_time(%(info)s[%(forget)s]))
              unless on (%(host)s) %(info)s
              unless on (%(host)s) %(up)s
            )
            or on (%(host)s) time() - %(told)s > %(overdue)d
            or on (%(host)s)
            -max without (reason) (
              %(problem)s == 1
              unless on (%(host)s) %(told)s
            )
          ||| % {
            told: last('sriov_bootstrap_state_timestamp_seconds'),
            problem: last('sriov_bootstrap_page_problem'),
            overdue: c.passOverdueSeconds,
            up: 'up{%s}' % c.upSelector,
            host: host,
            info: metric('sriov_bootstrap_build_info'),
            forget: c.forgetHostAfter,
          },
          '{{ $labels.instance }}: sriov-bootstrap does not run, or does not answer',
          '{{ if eq $value 0.0 }}The scrape fails{{ else if gt $value 1.0 }}The host answers, and the service has told nothing for ' +
          '{{ $value | humanizeDuration }}{{ else if lt $value 0.0 }}The host answers, and the service has told nothing that can be ' +
          'read since the boot{{ else }}The host was seen in the last ' + c.forgetHostAfter +
          ' and sends no metrics any more{{ end }}. VFs that are there stay; none are made, and none come back, until the ' +
          'service runs.',
          hold='15m',
        ),

        // A restart that failed is not tried again: the alert lasts for the window and not until somebody has helped. Second arm:
        // restarts that are not even begun, unless the first arm or SriovWriteStuck, which they wait for, says it.
        alert(
          'SriovRestartFailing',
          'warning',
          |||
            increase(%(failures)s[%(window)s]) > 0
            or
            (
              %(pending)s == 1
              unless on (%(host)s) increase(%(failures)s[%(window)s]) > 0
              unless on (%(host)s) %(stuck)s > 0
            )
          ||| % {
            failures: metric('sriov_bootstrap_service_restart_failures_total'),
            window: c.restartFailureWindow,
            pending: last('sriov_bootstrap_restart_pending'),
            host: host,
            stuck: last('sriov_bootstrap_write_stuck_since_timestamp_seconds'),
          },
          '{{ $labels.instance }}: {{ with $labels.unit }}{{ . }} was{{ else }}services were{{ end }} not restarted after VFs ' +
          'had changed',
          '{{ with $labels.unit }}{{ . }}{{ else }}nova-compute or the SR-IOV agent{{ end }} may work with VFs that are gone, and ' +
          'not know the new ones. {{ if $labels.unit }}Failed in the last ' + c.restartFailureWindow +
          ': {{ $value | printf "%.0f" }}.{{ else }}The restart is pending for more than ten minutes.{{ end }}',
          hold='10m',
        ),

        alert(
          'SriovConfigInvalid',
          'warning',
          last('sriov_bootstrap_config_valid') + ' == 0',
          '{{ $labels.instance }}: the config of sriov-bootstrap has an error',
          'The last good config stays in force as long as the daemon runs. After the next boot there is none, and no VFs.',
          hold='10m',
        ),

        // The PF is named where it has a rule; the second arm is for a write to one without (`release`).
        alert(
          'SriovWriteStuck',
          'critical',
          |||
            %(pf)s
            or
            (
              %(since)s > 0
              unless on (%(host)s) %(pf)s
            )
          ||| % {
            pf: degraded('reason="stuck"'),
            since: last('sriov_bootstrap_write_stuck_since_timestamp_seconds'),
            host: host,
          },
          '{{ $labels.instance }}: a kernel write{{ with $labels.pci_address }} for {{ . }}{{ end }} does not come back',
          '{{ with $labels.rule }}Rule "{{ . }}". {{ end }}Began: ' +
          '{{ with query (printf "sriov_bootstrap_write_stuck_since_timestamp_seconds{instance=%q} > 0" $labels.instance) }}' +
          '{{ . | first | value | humanizeTimestamp }}{{ else }}?{{ end }}. Until it ends no VF of any PF of this host can be ' +
          'made or removed, and restarts of nova-compute and the agent wait.',
          hold='1m',
        ),

        alert(
          'SriovVfsBlockedByVm',
          'info',
          degraded('reason="in_use"'),
          pf + ' waits for a VM to let go of its VFs',
          'For a day the number of VFs could not be changed, because VFs that would be destroyed are in use. ' + vfs,
          hold='1d',
        ),

        // Findings have no label of a PF, so one PF with an alert answers for those of the whole host. in_use explains none.
        alert(
          'SriovDoctorFinds',
          'warning',
          |||
            %s > 0
            or
            (
              %s > 0
              unless on (%s) %s
            )
          ||| % [
            last('sriov_bootstrap_findings', 'severity="error",code!~"%s|%s"' % [c.findingsWithOtherAlerts, c.findingsOfPfs]),
            last('sriov_bootstrap_findings', 'severity="error",code=~"%s"' % c.findingsOfPfs),
            host,
            degraded('reason!="in_use"'),
          ],
          '{{ $labels.instance }}: sriov-bootstrap doctor finds {{ $labels.code }}',
          'Found {{ $value }} times: something between the firmware and nova or the agent keeps VFs from being used.',
          hold='1h',
        ),
      ],
    }],
  },
}
