// What differs between sites. To change it in a mixin of your own:
//   (import 'sriov-bootstrap/mixin.libsonnet') + { _config+:: { groupLabels: ['aggregate'] } }
{
  _config+:: {
    // Which targets are hosts with sriov-bootstrap: the job_name in the scrape config. Only `up` needs it, because every
    // Prometheus target has one; a host that has answered once is missed whatever its job is called (forgetHostAfter).
    // If the textfile is scraped through node_exporter, there is no such job, and nothing to change here.
    upSelector: 'job="sriov-bootstrap"',

    // Additional matchers for the sriov_* metrics, such as 'cluster="a"'. None are needed, since nothing else uses these names,
    // and a matcher that matches nothing would silently disable alerts.
    selector: '',

    // What distinguishes one host from another. For several clusters in one Prometheus, add their label.
    hostLabels: ['job', 'instance'],

    // Target labels by which hosts are rolled up. Hosts without such a label form one group, with "".
    groupLabels: ['rack'],

    // The pages of docs/runbooks, where the package installs them on every host: anyone with a shell there can read them, even
    // without access to other networks. To serve the same directory from your web server: 'https://.../%s.md'.
    runbookUrl: 'file:///usr/share/sriov-bootstrap/runbooks/%s.md',

    // A failed scrape ends every series of a host. For this long the last value is assumed to hold; otherwise each gap would
    // resolve an alert and restart its clock.
    scrapeGap: '10m',

    // How long to miss a host that no longer answers and is no longer a target: its alert ends after this.
    forgetHostAfter: '1d',

    // A pass is due every ten minutes. As in `sriov-bootstrap status`, two missed passes are too many.
    passOverdueSeconds: 1300,

    // How long an event keeps its alert firing: a loss of VFs, and a failed restart.
    lossWindow: '30m',
    restartFailureWindow: '1h',

    // For how many days a proof by `sriov-bootstrap verify host` counts: SriovVerifyOverdue is for sites that verify their hosts
    // regularly. 0: no such alert. The file sriov-bootstrap.verify.yaml, which nothing loads by itself, has it with 7.
    verifyMaxAgeDays: 0,

    // Additional matchers of SriovVerifyOverdue alone, such as 'instance!~"compute-7:.+"' for hosts that cannot verify.
    verifySelector: '',

    // Findings of doctor that have alerts of their own, and those that explain why a PF is not as desired, which other alerts
    // cover while it is not. `sriov-bootstrap doctor explain` lists all codes.
    findingsWithOtherAlerts: 'SB-E7(01|04|07|08|10|11|12|18)',
    findingsOfPfs: 'SB-E2.+',
  },
}
