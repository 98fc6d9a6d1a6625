// `make mixin`: what is rendered, and where, below packaging/. Each value is the text of a file.
local mixin = import 'mixin.libsonnet';
local note = '# Rendered from the *.libsonnet beside it by `make mixin`: change those.\n';
local yaml(value) = note + std.manifestYamlDoc(value, indent_array_in_object=true, quote_keys=false) + '\n';
{
  'prometheus/sriov-bootstrap.alerts.yaml': yaml(mixin.prometheusAlerts),
  'prometheus/sriov-bootstrap.rules.yaml': yaml(mixin.prometheusRules),
} + {
  ['grafana/' + name]: std.manifestJsonEx(mixin.grafanaDashboards[name], '  ') + '\n'
  for name in std.objectFields(mixin.grafanaDashboards)
}
