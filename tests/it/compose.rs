//! The demonstration of deploy/demo, as far as it goes without containers: docker-compose reads it, and what it gives to
//! the programs is what they take.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::simulator::Simulator;
use crate::support::cloud::Setup;
use crate::support::poll_until;

const DEMO: &str = "deploy/demo";

/// The services, as docker-compose understands them.
fn services() -> Value {
    let output = Command::new("docker-compose")
        .args(["--file", &format!("{DEMO}/compose.yaml"), "config"])
        .output()
        .expect("docker-compose");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut config: Value = serde_yaml::from_slice(&output.stdout).unwrap();
    config["services"].take()
}

#[test]
#[ignore = "needs docker-compose, see tests/run"]
fn every_file_that_is_mounted_is_there() {
    let services = services();
    let mut mounted = 0;
    for (name, service) in services.as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let (path, _) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(Path::new(path).exists(), "{name} mounts {path}");
            mounted += 1;
        }
    }
    assert!(mounted >= 5, "{services}");
}

#[test]
#[ignore = "needs docker-compose, see tests/run"]
fn what_is_built_is_a_stage_of_the_dockerfile() {
    let dockerfile = std::fs::read_to_string("Dockerfile").unwrap();
    let services = services();
    let target = services["simulator"]["build"]["target"].as_str().unwrap();
    assert!(dockerfile.contains(&format!("\nFROM scratch AS {target}\n")));
    assert_eq!(services["exporter"]["build"].get("target"), None);
}

#[tokio::test]
async fn the_exporter_of_the_demonstration_sees_the_whole_cloud() {
    let simulator = Simulator::start();
    let shipped = std::fs::read_to_string(format!("{DEMO}/config.yaml")).unwrap();
    let setup = Setup::new(&shipped.replace("http://simulator:10066", &simulator.url));
    let (_exporter, address) = setup.daemon(&[]);
    let url = format!("http://{address}/metrics");
    poll_until(&url, |_, text| {
        let ups = text
            .lines()
            .filter(|line| line.starts_with("aliyun_pca_instance_up{") && line.ends_with(" 1"));
        (ups.count() == 12).then_some(())
    })
    .await;
}
