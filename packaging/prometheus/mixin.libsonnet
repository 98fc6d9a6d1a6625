// prometheusAlerts, prometheusRules and grafanaDashboards, as other mixins name them.
(import 'config.libsonnet') +
(import 'alerts.libsonnet') +
(import 'rules.libsonnet') +
(import 'dashboard.libsonnet')
