//! Files that hang when they are opened, as on a network file system whose server is gone.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Program;

/// Less than the 45 seconds after which Linux takes a lease away.
pub(crate) const BEFORE_LEASES_END: Duration = Duration::from_secs(40);

/// Has a lease on the file that it is given: whoever opens that waits until the lease is given back. Says so once
/// somebody does.
const LEASE: &str = r#"
    $SIG{IO} = sub { print STDERR "somebody waits\n" };
    open(my $file, "<", $ARGV[0]) or die "$ARGV[0]: $!";
    # F_SETLEASE, F_WRLCK; not while somebody has it open.
    until (fcntl($file, 1024, 1)) { $!{EAGAIN} or die "no lease: $!"; select(undef, undef, undef, 0.05) }
    print STDERR "leased\n";
    sleep 1 while 1;
"#;

/// A file that hangs when it is opened, until this is dropped. Its methods block.
pub(crate) struct Hanging(Program);

impl Hanging {
    pub(crate) fn new(path: &Path) -> Self {
        let mut lease = Program::start(Command::new("perl").args(["-e", LEASE]).arg(path));
        lease.logged("leased");
        Self(lease)
    }

    /// Waits until somebody opens it.
    pub(crate) fn waited_for(&mut self) {
        self.0.logged("somebody waits");
    }
}
