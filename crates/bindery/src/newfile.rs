//! A file that is there whole or not at all: written under a temporary name beside its own, and
//! renamed at the end.

use crate::failure::Failure;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is being written. Dropped before [`NewFile::keep`], it leaves nothing.
pub(crate) struct NewFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl NewFile {
    /// Begins to write `target`, readable by its owner alone.
    pub(crate) fn create(target: &Path) -> Result<Self, Failure> {
        let name = target.file_name().filter(|_| !target.is_dir());
        let name = name
            .ok_or_else(|| Failure::Failed(format!("{} is not a file's name", target.display())))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let temporary = target.with_file_name(hidden);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(Failure::because(format!("cannot make {}", target.display())))?;
        Ok(NewFile { file, temporary, target: target.to_owned(), kept: false })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let wrote = self.file.write_all(bytes);
        wrote.map_err(Failure::because(format!("cannot write {}", self.target.display())))
    }

    /// Gives the file its name, replacing what had it.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.temporary, &self.target))
            .map_err(Failure::because(format!("cannot write {}", self.target.display())))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // What failed is reported already, and this cannot make it better.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
