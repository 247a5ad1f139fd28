//! Parse, run, exit code.

use std::process::ExitCode;

use aliyun_pca_exporter::app;
use aliyun_pca_exporter::cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    app::main(Cli::parse())
}
