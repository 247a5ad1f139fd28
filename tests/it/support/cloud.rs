//! A simulated cloud on a socket, and the program in a folder of its own.

use std::path::PathBuf;
use std::process::Command;

use aliyun_pca_exporter::simulator::{Server, World};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Program, address_in, command, instance, real_world, yaml};

/// A folder with a configuration, and the command that uses it.
pub(crate) struct Setup {
    folder: TempDir,
}

/// A simulated cloud on a socket, as long as the test lives.
pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) endpoint: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Setup {
    pub(crate) fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Self { folder };
        setup.configure(yaml);
        setup
    }

    /// Writes another configuration.
    pub(crate) fn configure(&self, yaml: &str) {
        std::fs::write(self.path("config.yaml"), yaml).unwrap();
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs in the folder, where the default configuration file is found.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_aliyun-pca-exporter"));
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        Program::start(&mut self.command(arguments)).end()
    }

    /// Starts the daemon with these flags on a free port; returns its address too.
    pub(crate) fn daemon(&self, flags: &[&str]) -> (Program, String) {
        let mut command = self.command(flags);
        let mut program = Program::start(command.arg("--web.listen-address=127.0.0.1:0"));
        let address = address_in(&program.logged("listening"));
        (program, address)
    }
}

impl Cloud {
    pub(crate) async fn start(ids: &[&str]) -> Self {
        let world = real_world();
        for id in ids {
            world.put_instance(instance(id));
        }
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), world.clone())
            .await
            .unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let endpoint = format!("http://{}", server.address());
        tasks.spawn(server.serve(stop.clone()));
        Self {
            world,
            endpoint,
            stop,
            tasks,
        }
    }

    pub(crate) fn setup(&self, ids: &[&str]) -> Setup {
        Setup::new(&self.configuration(ids))
    }

    /// The YAML of a configuration in a hurry.
    pub(crate) fn configuration(&self, ids: &[&str]) -> String {
        let ids = ids.iter().copied();
        yaml(&self.endpoint, 10, "interval: 2s, timeout: 2s", ids)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
    }
}

/// Everything that blocks on a child process runs beside the runtime that serves the cloud.
pub(crate) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
