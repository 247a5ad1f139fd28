//! Tells the binary what it was built from: the commit and the compiler, for `--version` and `build_info`.

use std::process::Command;

fn main() {
    // A build without a checkout, such as in a container, hands the commit in.
    println!("cargo:rerun-if-env-changed=PCA_REVISION");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    #[expect(clippy::disallowed_methods, reason = "a build script has no host")]
    let (revision, rustc) = (
        std::env::var("PCA_REVISION").ok(),
        std::env::var("RUSTC").unwrap_or_default(),
    );
    let revision = revision.or_else(|| first_line("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = first_line(&rustc, &["--version"]);
    println!(
        "cargo:rustc-env=PCA_REVISION={}",
        revision.as_deref().unwrap_or("unknown")
    );
    let version = rustc
        .as_deref()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("unknown");
    println!("cargo:rustc-env=PCA_RUSTC={version}");
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
