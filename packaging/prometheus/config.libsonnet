// What differs between sites. In a mixin of your own:
//   (import 'sriov-bootstrap/mixin.libsonnet') + { _config+:: { groupLabels: ['aggregate'] } }
{
  _config+:: {
    // Which targets are hosts with sriov-bootstrap: the job_name in the scrape config. Only `up` needs it, because every
    // target of Prometheus has one; a host that answered once is missed under whatever job (forgetHostAfter).
    // Where the textfile is scraped through node_exporter there is no such job, and nothing to change here.
    upSelector: 'job="sriov-bootstrap"',

    // More matchers for the sriov_* metrics, such as 'cluster="a"'. Their names are nobody else's, so none are needed: a
    // matcher that matches nothing would switch alerts off in silence.
    selector: '',

    // What tells one host from another. Several clusters in one Prometheus: add their label.
    hostLabels: ['job', 'instance'],

    // Labels of the targets by which hosts are rolled up. Hosts without such a label are one group, with "".
    groupLabels: ['rack'],

    // The pages of docs/runbooks, where the package puts them on every host: whoever has a shell there has them, also
    // without a network beyond it. A web server of yours serves the same folder: 'https://.../%s.md'.
    runbookUrl: 'file:///usr/share/sriov-bootstrap/runbooks/%s.md',

    // A scrape that fails ends every series of a host. For so long the last value is taken to be true, or each gap would
    // end an alert and start its clock anew.
    scrapeGap: '10m',

    // How long a host that answers no more, and is no target any more either, is missed: its alert ends with this.
    forgetHostAfter: '1d',

    // A pass is due every ten minutes. As in `sriov-bootstrap status`, two that did not come are too many.
    passOverdueSeconds: 1300,

    // How long an event keeps its alert: a loss of VFs, and a restart that failed, which is not tried again.
    lossWindow: '30m',
    restartFailureWindow: '1h',

    // Findings of doctor that have alerts of their own, and those that say why a PF is not as desired, which is another alert's
    // matter as long as it is not. `sriov-bootstrap doctor explain` lists all codes.
    findingsWithOtherAlerts: 'SB-E7(01|04|07|08|10|11|12)',
    findingsOfPfs: 'SB-E2.+',
  },
}
