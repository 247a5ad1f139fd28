//! The shipped systemd units, as systemd's own programs see them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the units expect the program.
const INSTALLED: &str = "/usr/local/bin/aliyun-pca-exporter";

/// The worst that `systemd-analyze security` may say, in tenths: 0 is shut, 100 is open.
const EXPOSURE: &str = "--threshold=20";

fn units(extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir("deploy/systemd").unwrap();
    let units: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    assert!(!units.is_empty());
    units
}

fn name(unit: &Path) -> &str {
    unit.file_name().unwrap().to_str().unwrap()
}

/// What systemd says to a unit: whether it is content, and its words.
fn analyze(arguments: &[&str], unit: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .expect("systemd-analyze");
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

#[test]
#[ignore = "needs systemd, see tests/run"]
fn systemd_understands_every_line_of_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for unit in [units("service"), units("timer")].concat() {
        let text = std::fs::read_to_string(&unit).unwrap();
        let text = text.replace(INSTALLED, env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
        std::fs::write(folder.path().join(name(&unit)), text).unwrap();
    }
    for unit in [units("service"), units("timer")].concat() {
        let copy = folder.path().join(name(&unit));
        let said = analyze(&["verify", "--man=no", "--recursive-errors=no"], &copy);
        assert_eq!(said, (true, String::new()), "{}", unit.display());
    }
}

#[test]
#[ignore = "needs systemd, see tests/run"]
fn the_sandbox_of_each_service_is_shut_but_for_a_fifth() {
    let arguments = ["security", "--offline=true", "--no-pager", EXPOSURE];
    for unit in units("service") {
        let (content, words) = analyze(&arguments, &unit);
        assert!(content, "{}\n{words}", unit.display());
    }
    // The threshold is one that a service without a sandbox does not pass.
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open.service");
    std::fs::write(&open, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(!analyze(&arguments, &open).0);
}

#[test]
fn the_units_give_the_program_flags_that_it_knows() {
    for unit in units("service") {
        let text = std::fs::read_to_string(&unit).unwrap().replace("\\\n", "");
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart="));
        let mut words = line.unwrap().split_whitespace();
        assert_eq!(words.next(), Some(INSTALLED));
        // `--help` is answered only where everything before it is understood.
        let output = Command::new(env!("CARGO_BIN_EXE_aliyun-pca-exporter"))
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {output:?}", unit.display());
    }
}
