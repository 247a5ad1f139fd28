//! The vendor's own Python client against `pca-simulator`, so that signing and simulator do not merely agree with
//! themselves.

use std::path::PathBuf;
use std::process::Command;

use crate::simulator::Simulator;

/// The interpreter that has `tests/python/requirements.txt` installed.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn python() -> PathBuf {
    std::env::var_os("PCA_TEST_PYTHON").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python")),
        PathBuf::from,
    )
}

#[test]
#[ignore = "needs the official Python SDK, see tests/run"]
fn the_official_sdk_is_accepted_and_refused_exactly_where_it_should_be() {
    let simulator = Simulator::start();
    let output = Command::new(python())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/python/official_sdk.py"
        ))
        .arg(&simulator.url)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("PCA_TEST_PYTHON (or .venv/bin/python) must be a Python with the SDK");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "the official SDK and the simulator agree\n"
    );
}
