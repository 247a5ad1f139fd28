//! The Helm chart and the kustomize manifests, as the real Helm and kustomize (inside kubectl) render them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::official_sdk::python;
use crate::support::cloud::Setup;
use crate::support::yaml_cases;

const CHART: &str = "deploy/helm/aliyun-pca-exporter";
const KUSTOMIZATION: &str = "deploy/kubernetes";
const NAME: &str = "aliyun-pca-exporter";

/// The values that make the chart deploy what the manifests deploy.
const AS_THE_MANIFESTS: &str = "tests/data/chart/good/as-the-manifests.yaml";

/// A program that `tests/run` installs beside Python.
fn tool(name: &str, arguments: &[&str]) -> Output {
    let program = python().with_file_name(name);
    Command::new(&program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; see tests/run", program.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the program prints, which must succeed.
fn printed(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn template(values: &Path, more: &[&str]) -> Output {
    let values = values.to_str().unwrap();
    let arguments = [
        "template",
        NAME,
        CHART,
        "--namespace=monitoring",
        "--values",
        values,
    ];
    tool("helm", &[&arguments[..], more].concat())
}

fn objects(yaml: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(yaml)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null())
        .collect()
}

/// The objects that the chart makes of a file of values.
fn rendered(values: &Path) -> Vec<Value> {
    objects(&printed(&template(values, &[])))
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap()
}

fn pod(objects: &[Value]) -> &Value {
    &of_kind(objects, "Deployment")["spec"]["template"]
}

fn arguments(objects: &[Value]) -> Vec<String> {
    serde_json::from_value(pod(objects)["spec"]["containers"][0]["args"].clone()).unwrap()
}

fn configuration(objects: &[Value]) -> &str {
    of_kind(objects, "ConfigMap")["data"]["config.yaml"]
        .as_str()
        .unwrap()
}

fn good() -> Vec<PathBuf> {
    let cases = yaml_cases("chart/good");
    assert!(!cases.is_empty());
    cases.into_iter().map(|(path, _)| path).collect()
}

fn kustomized() -> String {
    printed(&tool("kubectl", &["kustomize", KUSTOMIZATION]))
}

/// Everything that is rendered, with what it was rendered from.
fn all_renderings() -> Vec<(String, String)> {
    let charts = good().into_iter().map(|values| {
        let yaml = printed(&template(&values, &[]));
        (values.display().to_string(), yaml)
    });
    charts.chain([(KUSTOMIZATION.to_owned(), kustomized())]).collect()
}

/// The files of rules that are shipped, every expression as a text: the operator's schema takes no fraction.
fn rules() -> Vec<(String, Value)> {
    let files = std::fs::read_dir("deploy/prometheus").unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut rules: Vec<_> = files
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let mut file: Value = serde_yaml::from_str(&std::fs::read_to_string(&path).ok()?).ok()?;
            for group in file.get_mut("groups")?.as_array_mut()? {
                for rule in group["rules"].as_array_mut()? {
                    if rule["expr"].is_number() {
                        rule["expr"] = json!(rule["expr"].to_string());
                    }
                }
            }
            Some((name, file["groups"].take()))
        })
        .collect();
    rules.sort_by(|(one, _), (other, _)| one.cmp(other));
    rules
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn helm_finds_nothing_wrong() {
    for values in good() {
        printed(&tool(
            "helm",
            &["lint", "--strict", CHART, "--values", values.to_str().unwrap()],
        ));
    }
}

#[test]
#[ignore = "needs helm, kubectl and the schemas, see tests/run"]
fn every_object_is_valid_by_the_schemas_of_kubernetes_and_of_the_operator() {
    for (source, yaml) in all_renderings() {
        let mut checker = Command::new(python())
            .arg("tests/python/manifests.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        checker.stdin.take().unwrap().write_all(yaml.as_bytes()).unwrap();
        let output = checker.wait_with_output().unwrap();
        assert!(output.status.success(), "{source}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout).lines().count(), objects(&yaml).len());
    }
}

#[test]
#[ignore = "needs helm and kubectl, see tests/run"]
fn the_program_takes_the_configuration_and_the_flags_that_it_is_given() {
    for (source, yaml) in all_renderings() {
        let objects = objects(&yaml);
        let setup = Setup::new(configuration(&objects));
        let (code, output, log) = setup.run(&["check"]);
        assert_eq!(code, Some(0), "{source}: {output}{log}");
        // `--help` is answered only where everything before it is understood.
        let mut flags = arguments(&objects);
        flags.push("--help".to_owned());
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let (code, _, log) = setup.run(&flags);
        assert_eq!(code, Some(0), "{source}: {log}");
    }
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn values_that_cannot_work_are_refused_by_name() {
    for (path, _) in yaml_cases("chart/bad") {
        let expected = std::fs::read_to_string(path.with_extension("expect")).unwrap();
        let output = template(&path, &[]);
        assert!(!output.status.success(), "{} is taken", path.display());
        let error = text(&output.stderr);
        assert!(error.contains(expected.trim_end()), "{}: {error}", path.display());
    }
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn a_changed_configuration_rolls_out_and_nothing_else_does() {
    let pod_with = |more: &[&str]| {
        let objects = objects(&printed(&template(Path::new(AS_THE_MANIFESTS), more)));
        pod(&objects).clone()
    };
    let before = pod_with(&[]);
    assert_ne!(pod_with(&["--set=config.poll.interval=6m"]), before);
    assert_eq!(pod_with(&["--set=prometheusRule.enabled=true"]), before);
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn a_rollout_never_holds_more_pods_than_replicas() {
    let strategy = |replicas: u8| {
        let replicas = format!("--set=replicas={replicas}");
        let objects = objects(&printed(&template(Path::new(AS_THE_MANIFESTS), &[&replicas])));
        of_kind(&objects, "Deployment")["spec"]["strategy"].clone()
    };
    assert_eq!(strategy(1), json!({"type": "Recreate"}));
    let one_by_one = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    assert_eq!(strategy(2), one_by_one);
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>, and a root that nobody writes to.
#[test]
#[ignore = "needs helm and kubectl, see tests/run"]
fn every_pod_meets_the_restricted_standard_with_a_read_only_root() {
    for (source, yaml) in all_renderings() {
        let objects = objects(&yaml);
        let spec = &pod(&objects)["spec"];
        let of_pod = &spec["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{source}");
        assert_eq!(of_pod["seccompProfile"], json!({"type": "RuntimeDefault"}));
        let containers = spec["containers"].as_array().unwrap();
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        for container in containers {
            assert_eq!(container["securityContext"], expected, "{source}");
        }
        for host in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(spec.get(host), None, "{source}");
        }
        assert_eq!(spec["automountServiceAccountToken"], false);
    }
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn the_role_of_rrsa_is_on_the_service_account() {
    let objects = rendered(Path::new("tests/data/chart/good/rrsa.yaml"));
    assert_eq!(
        of_kind(&objects, "ServiceAccount")["metadata"]["annotations"],
        json!({"pod-identity.alibabacloud.com/role-name": "pca-exporter"})
    );
}

#[test]
#[ignore = "needs helm and kubectl, see tests/run"]
fn the_manifests_deploy_what_the_chart_deploys() {
    let manifests = objects(&kustomized());
    let chart = rendered(Path::new(AS_THE_MANIFESTS));
    assert_eq!(configuration_of(&manifests), configuration_of(&chart));
    assert_eq!(comparable(manifests), comparable(chart));
}

#[test]
#[ignore = "needs helm and kubectl, see tests/run"]
fn the_rules_reach_the_operator_as_they_are_shipped() {
    let with_operator = tempfile::Builder::new().tempdir_in("deploy").unwrap();
    let overlay = "resources: [../kubernetes]\ncomponents: [../kubernetes/prometheus-operator]\n";
    std::fs::write(with_operator.path().join("kustomization.yaml"), overlay).unwrap();
    let manifests = tool("kubectl", &["kustomize", with_operator.path().to_str().unwrap()]);
    let monitored = ["--set=prometheusRule.enabled=true,serviceMonitor.enabled=true"];
    for objects in [
        objects(&printed(&manifests)),
        objects(&printed(&template(Path::new(AS_THE_MANIFESTS), &monitored))),
    ] {
        let monitor = of_kind(&objects, "ServiceMonitor");
        assert_eq!(
            monitor["spec"]["selector"]["matchLabels"],
            of_kind(&objects, "Service")["metadata"]["labels"]
                .as_object()
                .unwrap()
                .iter()
                .filter(|(label, _)| label.ends_with("/name") || label.ends_with("/instance"))
                .map(|(label, value)| (label.clone(), value.clone()))
                .collect::<Value>()
        );
        let mut found: Vec<_> = objects
            .iter()
            .filter(|object| object["kind"] == "PrometheusRule")
            .map(|rule| {
                let name = rule["metadata"]["name"].as_str().unwrap();
                let file = name.strip_prefix(&format!("{NAME}-")).unwrap();
                (file.to_owned(), rule["spec"]["groups"].clone())
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(
            found,
            rules(),
            "deploy/kubernetes/prometheus-operator/copy-rules was not run"
        );
    }
}

#[test]
#[ignore = "needs helm, see tests/run"]
fn the_dashboards_reach_grafana_as_they_are_shipped() {
    let objects = rendered(Path::new("tests/data/chart/good/everything.yaml"));
    let dashboards: Vec<_> = objects
        .iter()
        .filter(|object| object["metadata"]["labels"]["dashboards"] == "yes")
        .collect();
    let mut shipped = 0;
    for file in std::fs::read_dir("deploy/grafana/dashboards").unwrap() {
        let path = file.unwrap().path();
        let (name, text) = (path.file_name().unwrap(), std::fs::read_to_string(&path).unwrap());
        let data = dashboards
            .iter()
            .find_map(|map| map["data"].get(name.to_str().unwrap()));
        assert_eq!(
            data.and_then(Value::as_str).map(str::trim_end),
            Some(text.trim_end())
        );
        shipped += 1;
    }
    assert_eq!(dashboards.len(), shipped);
}

#[test]
fn the_packages_are_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        (format!("{CHART}/Chart.yaml"), format!("\nversion: {version}\n")),
        (
            format!("{CHART}/Chart.yaml"),
            format!("\nappVersion: {version}\n"),
        ),
        (
            format!("{KUSTOMIZATION}/kustomization.yaml"),
            format!("newTag: {version}\n"),
        ),
        ("Dockerfile".to_owned(), format!("\nARG VERSION={version}\n")),
    ] {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&line), "{file} has no {line:?}");
    }
}

fn configuration_of(objects: &[Value]) -> Value {
    serde_yaml::from_str(configuration(objects)).unwrap()
}

/// What is left of objects when Helm's own labels, the hash in a name and the configuration's text are taken off.
fn comparable(mut objects: Vec<Value>) -> Vec<Value> {
    let configured = of_kind(&objects, "ConfigMap")["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    for object in &mut objects {
        let kind = object["kind"].as_str().unwrap().to_owned();
        let labels = object["metadata"]["labels"].as_object_mut().unwrap();
        labels.retain(|label, _| label.ends_with("/name") || label.ends_with("/instance"));
        if kind == "ConfigMap" {
            object["metadata"]["name"] = json!(NAME);
            object["data"] = json!({});
        }
        if kind == "Deployment" {
            let pod = &mut object["spec"]["template"];
            pod["metadata"].as_object_mut().unwrap().remove("annotations");
            let config = &mut pod["spec"]["volumes"][0]["configMap"]["name"];
            assert_eq!(*config, json!(configured));
            *config = json!(NAME);
        }
    }
    objects.sort_by_key(|object| object["kind"].as_str().unwrap().to_owned());
    objects
}
