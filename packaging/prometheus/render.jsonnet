// The YAML files that `make mixin` writes beside this: name -> text.
local mixin = import 'mixin.libsonnet';
local verifying = mixin { _config+:: { verifyMaxAgeDays: 7 } };
local note = '# Rendered from the *.libsonnet beside it by `make mixin`: change those.\n';
local yaml(value) = note + std.manifestYamlDoc(value, indent_array_in_object=true) + '\n';
{
  'sriov-bootstrap.alerts.yaml': yaml(mixin.prometheusAlerts),
  'sriov-bootstrap.rules.yaml': yaml(mixin.prometheusRules),
  'sriov-bootstrap.verify.yaml': yaml({
    groups: [group for group in verifying.prometheusAlerts.groups if group.name == 'sriov-bootstrap-verify'],
  }),
}
