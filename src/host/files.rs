//! Files, read whole. A file is never watched: links that Kubernetes swaps defeat that; it is read again instead.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::reading::Reading;

/// The file system, or a map that stands in for it.
#[derive(Clone, Debug)]
pub struct Files(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Disk(Arc<Reading>),
    Memory(Arc<Mutex<BTreeMap<PathBuf, String>>>),
}

impl Files {
    /// The file system.
    pub fn disk() -> Self {
        Self(Kind::Disk(Arc::default()))
    }

    /// Just these files, in memory.
    pub fn memory<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.into(), text.to_owned()))
            .collect();
        Self(Kind::Memory(Arc::new(Mutex::new(files))))
    }

    /// The text of a file.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        match &self.0 {
            Kind::Disk(_) => std::fs::read_to_string(path),
            Kind::Memory(files) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files
                    .get(path)
                    .cloned()
                    .ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }

    /// The text of a regular file of at most a megabyte: a pipe may block for ever, and a device never ends. Whoever asks
    /// waits for five seconds at the most, or as long as others read the same file and are done in time.
    pub async fn read_regular(&self, path: &Path) -> io::Result<Zeroizing<String>> {
        match &self.0 {
            Kind::Disk(reading) => reading.read(path).await,
            Kind::Memory(_) => self.read(path).map(Zeroizing::new),
        }
    }

    /// Whether `replace` can work at `path`: whether there is a folder, and whether it may be written to.
    pub fn check_replaceable(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Kind::Disk(_) => {
                let partial = partial(path);
                std::fs::File::create(&partial).and_then(|_| std::fs::remove_file(&partial))
            }
            Kind::Memory(_) => Ok(()),
        }
    }

    /// Gives a file another name in the same folder.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match &self.0 {
            Kind::Disk(_) => std::fs::rename(from, to),
            Kind::Memory(files) => {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                let text = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
                files.insert(to.to_owned(), text);
                Ok(())
            }
        }
    }

    /// Puts `text` at `path` in one step: a reader sees the old file or the new one, never a part.
    pub fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        match &self.0 {
            Kind::Disk(_) => {
                let partial = partial(path);
                let written = write_through(&partial, text).and_then(|()| std::fs::rename(&partial, path));
                if written.is_err() {
                    // Whatever was written is of no use to anybody; the first error is the one to report.
                    let _ = std::fs::remove_file(&partial);
                }
                written
            }
            Kind::Memory(files) => {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.insert(path.to_owned(), text.to_owned());
                Ok(())
            }
        }
    }
}

/// Where a file stands until it is whole: in the same folder, since a rename does not cross file systems.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(partial)
}

fn write_through(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_a_file_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pca.prom");
        for text in ["one\n", "two\n"] {
            Files::disk().replace(&path, text).unwrap();
            assert_eq!(Files::disk().read(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Files::disk()
            .replace(&folder.path().join("no/pca.prom"), "")
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
