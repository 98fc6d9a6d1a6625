// One alert per cause: reasons of sriov_pf_degraded that have an alert of their own are left out of SriovPfDegraded,
// and the consequences of a stuck write are left out of the others.
//
// A comparison with a series that does not exist raises no alert. Hence last_over_time (for gaps), SriovNotRunning (for hosts
// that are gone), and `unless`, which excludes series, instead of joins, which would require both sides to exist. Extra values
// in a description are queried by the description itself, so none of them can keep an alert from firing.
{
  local c = $._config,
  local host = std.join(', ', c.hostLabels),

  local metric(name, matchers='') =
    local all = std.filter(function(one) one != '', [c.selector, matchers]);
    name + (if all == [] then '' else '{%s}' % std.join(',', all)),
  local last(name, matchers='') = 'last_over_time(%s[%s])' % [metric(name, matchers), c.scrapeGap],
  local degraded(matchers) = last('sriov_pf_degraded', matchers) + ' == 1',

  // {{ value }} of another gauge of this PF, by the labels of the alert; "?" if there is none.
  local of_pf(name) = std.join('', [
    '{{ with query (printf "%s{instance=%%q,pci_address=%%q,rule=%%q}"' % name,
    ' $labels.instance $labels.pci_address $labels.rule) }}{{ . | first | value }}{{ else }}?{{ end }}',
  ]),
  local pf = '{{ $labels.instance }}: {{ $labels.pci_address }} ({{ $labels.netdev }}), rule "{{ $labels.rule }}"',
  local vfs = 'VFs: %s present, %s desired, %s in use.' % [
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
        // First arm: increase() counts across gaps shorter than its window, and does not take a counter that restarts at 0, as
        // after a boot, for a loss. Second arm: gaps longer than the window, as when the service was stopped for an hour. Nothing
        // counts during that time; the service does when it starts, and the alert fires with its first scrape.
        alert(
          'SriovVfLoss',
          'warning',
          |||
            increase(%(losses)s[%(window)s]) > 0
            or
            %(losses)s - last_over_time(%(losses)s[%(forget)s] offset %(window)s) > 0
          ||| % { losses: metric('sriov_pf_vf_losses_total'), window: c.lossWindow, forget: c.forgetHostAfter },
          pf + ' lost VFs',
          'About {{ $value | printf "%.0f" }} VFs disappeared (noticed in the last ' + c.lossWindow +
          '), and not by sriov-bootstrap. Their users have lost them, even if VFs were recreated. ' + vfs,
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
          'The rule asks for %s VFs and is required. The NIC is gone, or no longer matches the rule.' %
          of_pf('sriov_pf_vfs_desired'),
          hold='10m',
        ),

        // absent: SriovPfMissing. stuck, blocked: SriovWriteStuck. in_use: SriovVfsBlockedByVm. contested: SriovPfContested.
        // eswitch_mode, eswitch_unsupported, representors_missing: SriovEswitchMode.
        alert(
          'SriovPfDegraded',
          'warning',
          degraded('reason!~"absent|stuck|blocked|in_use|contested|eswitch_.*|representors_missing"'),
          pf + ': {{ $labels.reason }}',
          'The PF is not as desired, for the reason {{ $labels.reason }}. ' + vfs,
          hold='10m',
        ),

        // By the gauges as well as by the reason, which may be another one, such as in_use. A rule that says nothing of the mode
        // has 0 in all of them.
        alert(
          'SriovEswitchMode',
          'warning',
          |||
            %s == 1 unless %s == 1
            or
            %s > %s
            or
            max without (reason) (%s)
          ||| % [
            last('sriov_pf_switchdev_desired'),
            last('sriov_pf_switchdev'),
            last('sriov_pf_representors_desired'),
            last('sriov_pf_representors'),
            degraded('reason=~"eswitch_.*|representors_missing"'),
          ],
          pf + ': the eswitch mode is not as desired, or representors are missing',
          'The mode that the rule asks for is not set, or VFs have no representor on the host: ports with hardware offload fail. ' +
          'Representors: %s of %s. ' % [of_pf('sriov_pf_representors'), of_pf('sriov_pf_representors_desired')] + vfs,
          hold='10m',
        ),

        // First arm: whenever our number is in place, something overwrites it. Second arm: it does so rarely enough that our number
        // is restored at once each time; 3 in an hour can come from a program that was gone after half a minute. Without `reason`
        // both arms have the same labels, so that a change from one to the other does not restart the clock.
        alert(
          'SriovPfContested',
          'warning',
          |||
            max without (reason) (%s)
            or
            increase(%s[1h]) >= 4
          ||| % [degraded('reason="contested"'), metric('sriov_pf_contested_total')],
          pf + ': something else also sets the number of VFs',
          'Whenever sriov-bootstrap sets the number that the rule asks for, something else sets a different one, and each time all ' +
          'VFs of the PF are destroyed. sriov-bootstrap tries again at growing intervals of up to five minutes. ' + vfs,
          hold='10m',
        ),

        // First arm: passes end, but something in them fails; a single failure leaves the window before the alert is due.
        // If the PF itself says why (write_failed, stuck), its own alert covers that. Second arm: passes do not end. Passes that
        // break off are counted by the next one that ends, so only the elapsed time shows it. If the service no longer reports
        // anything at all, that is SriovNotRunning. Version 0.1.0 has no timestamp for its reports, so this alert also covers a
        // daemon of that version that has died.
        alert(
          'SriovPassFailing',
          'warning',
          |||
            (
              increase(%(failures)s[15m]) > 0
              unless on (%(host)s) max_over_time(%(explained)s[30m]) == 1
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
            explained: metric('sriov_pf_degraded', 'reason=~"write_failed|stuck"'),
            ended: last('sriov_bootstrap_last_pass_timestamp_seconds'),
            overdue: c.passOverdueSeconds,
          },
          '{{ $labels.instance }}: passes of sriov-bootstrap fail or do not finish',
          '{{ if gt $value 1e9 }}No pass has finished since the last boot{{ else if gt $value 1000.0 }}No pass has finished for ' +
          '{{ $value | humanizeDuration }}{{ else }}About {{ $value | printf "%.0f" }} passes failed in 15 minutes{{ end }}. ' +
          'VFs that disappear now may not come back.',
          hold='20m',
        ),

        // First arm: targets of the job (upSelector) that cannot be scraped. Second arm, whatever the job is called: a host that
        // was seen with sriov-bootstrap in the last day, is not seen now, and is not a target covered by the first arm, because
        // it left the service discovery, or because its textfile is gone. Third arm: a host that answers with an old page: the page
        // is served by another process, and the service reports its state after each pass, even one that broke off. Fourth arm: a
        // host that answers without any page, because the service has reported nothing since boot, or nothing readable; its value
        // is below 0 to distinguish it from the others. All arms have the labels of the target and no others, so that a change
        // from one to another does not restart the clock.
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
            or on (%(host)s) time() - %(reported)s > %(overdue)d
            or on (%(host)s)
            -max without (reason) (
              %(problem)s == 1
              unless on (%(host)s) %(reported)s
            )
          ||| % {
            reported: last('sriov_bootstrap_state_timestamp_seconds'),
            problem: last('sriov_bootstrap_page_problem'),
            overdue: c.passOverdueSeconds,
            up: 'up{%s}' % c.upSelector,
            host: host,
            info: metric('sriov_bootstrap_build_info'),
            forget: c.forgetHostAfter,
          },
          '{{ $labels.instance }}: sriov-bootstrap is not running or not answering',
          '{{ if eq $value 0.0 }}The scrape fails{{ else if gt $value 1.0 }}The host answers, but the service has reported nothing ' +
          'for {{ $value | humanizeDuration }}{{ else if lt $value 0.0 }}The host answers, but the service has reported nothing ' +
          'readable since boot{{ else }}The host was seen in the last ' + c.forgetHostAfter +
          ' but no longer sends metrics{{ end }}. Existing VFs stay; none are made or recreated until the service runs.',
          hold='15m',
        ),

        // A failed restart is not retried forever, and nothing reports that an operator has fixed it, so the alert lasts for the
        // window. Second arm: restarts that have not even begun, unless the first arm covers the host, or SriovWriteStuck, which
        // they then wait for.
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
          'changed',
          '{{ with $labels.unit }}{{ . }}{{ else }}nova-compute or the SR-IOV agent{{ end }} may be working with VFs that no ' +
          'longer exist, and not know the new ones. {{ if $labels.unit }}Failures in the last ' + c.restartFailureWindow +
          ': {{ $value | printf "%.0f" }}.{{ else }}The restart has been pending for more than ten minutes.{{ end }}',
          hold='10m',
        ),

        alert(
          'SriovConfigInvalid',
          'warning',
          last('sriov_bootstrap_config_valid') + ' == 0',
          '{{ $labels.instance }}: the config of sriov-bootstrap has an error',
          'The last good config stays in force while the daemon runs. After the next boot there is none, and no VFs are made. If all mistakes are in [[pf.vf]] tables, the new config is in force without those tables.',
          hold='10m',
        ),

        // The PF is named if it has a rule; the second arm is for a write to one without (`release`).
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
          '{{ $labels.instance }}: a kernel write{{ with $labels.pci_address }} for {{ . }}{{ end }} has not returned',
          '{{ with $labels.rule }}Rule "{{ . }}". {{ end }}Started: ' +
          '{{ with query (printf "sriov_bootstrap_write_stuck_since_timestamp_seconds{instance=%q} > 0" $labels.instance) }}' +
          '{{ . | first | value | humanizeTimestamp }}{{ else }}?{{ end }}. Until it ends, no VF of any PF on this host can be ' +
          'made or removed, and restarts of nova-compute and the agent wait; if VFs are being bound, only that PF waits.',
          hold='1m',
        ),

        alert(
          'SriovVfsBlockedByVm',
          'info',
          degraded('reason="in_use"'),
          pf + ' waits until what uses it lets go',
          'What the rule asks for (the number of VFs, or the eswitch mode) could not be set for a day: VFs that would be destroyed ' +
          'are in use, or a bond, a bridge or Open vSwitch has the PF. ' + vfs,
          hold='1d',
        ),

        // Findings are not labelled by PF, so one PF with an alert covers those of the whole host. in_use explains none of them.
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
          '{{ $labels.instance }}: sriov-bootstrap doctor reports {{ $labels.code }}',
          'Number of findings: {{ $value }}. Something between the firmware and nova or the agent prevents VFs from being used.',
          hold='1h',
        ),
      ],
    }] + if c.verifyMaxAgeDays == 0 then [] else [{
      name: 'sriov-bootstrap-verify',
      rules: [
        // 0: not since the host booted. The day is for whoever verifies hosts after a reboot. Without VFs there is nothing to
        // prove: a rule may ask for none, or for a NIC that this host need not have.
        alert(
          'SriovVerifyOverdue',
          'info',
          |||
            (%(proved)s == 0 or time() - %(proved)s > %(seconds)d)
            and on (%(host)s, rule)
            %(desired)s > 0
          ||| % {
            host: host,
            desired: last('sriov_pf_vfs_desired'),
            proved: last('sriov_verify_last_success_timestamp_seconds', c.verifySelector),
            seconds: c.verifyMaxAgeDays * 86400,
          },
          '{{ $labels.instance }}: no VF of rule "{{ $labels.rule }}" has been verified recently',
          '{{ if $value }}The last proof that a VM gets a working VF is {{ $value | humanizeDuration }} old{{ else }}Since the host ' +
          'booted, no VM has shown that it gets a working VF{{ end }}: verify was not run, or it failed.',
          hold='1d',
        ),
      ],
    }],
  },
}
