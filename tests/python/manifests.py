"""Validates Kubernetes objects, YAML on standard input, against the schemas that Kubernetes itself publishes (oldest and
newest version that the chart is for) and those of the Prometheus operator. Prints one line for each object."""

import sys

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator

VERSIONS = ("1.25.0", kubernetes_validate.latest_version())
OPERATOR = {"ServiceMonitor": operator.ServiceMonitor, "PrometheusRule": operator.PrometheusRule}

for manifest in filter(None, yaml.safe_load_all(sys.stdin)):
    kind = manifest["kind"]
    if manifest["apiVersion"] == "monitoring.coreos.com/v1":
        # Unknown keys are ignored by the model, so what it understood is held against what was written.
        understood = OPERATOR[kind].model_validate(manifest).model_dump(by_alias=True, exclude_unset=True, mode="json")
        if understood["spec"] != manifest["spec"]:
            sys.exit(f"{kind}: {manifest['spec']}\nis understood as {understood['spec']}")
    else:
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)
    print(kind, manifest["metadata"]["name"])
