//! A file's stored objects, and opening them again without this store: `objects` and `decrypt`.

use crate::config::Config;
use crate::failure::Failure;
use crate::newfile::NewFile;
use crate::output::{count, say, table};
use crate::serve::open;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::vault::seal::{
    DataKey, HEADER_LEN, Header, Layout, Opener, SEALED_SEGMENT_LEN, SealError,
};
use bindery_core::{Drive, FileId, StoredObject};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// List a file's stored objects, or copy them out as they are stored: sealed.
///
/// Together with the file's key (`encodedEncryptionKey` in its metadata), `bindery decrypt` opens
/// them anywhere. A small file, kept in the catalog, is copied out sealed in the same way.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    bindery objects RkWvZe --out sealed/")]
pub(crate) struct ObjectsArgs {
    /// The file's id, in letters
    #[arg(value_parser = file_id)]
    file: FileId,
    /// Copy the objects to this directory, and print their paths
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Open a file's stored objects with the file's key: no server and no catalog needed.
///
/// Give all objects of one content, in any order. Every byte is verified before it is written, and
/// nothing is left behind when one does not verify.
///
/// One thing cannot be noticed without the catalog: a content that lacks whole objects at its end.
/// An object that was cut, changed, swapped or left out from the middle is noticed.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    bindery decrypt --key zY3…= --out report.pdf sealed/RkWvZe.*.sealed")]
pub(crate) struct DecryptArgs {
    /// The file's key: the encodedEncryptionKey of its metadata
    #[arg(long, value_name = "BASE64")]
    key: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The stored objects
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<PathBuf>,
}

/// `bindery objects`.
pub(crate) async fn objects(config: &Config, args: &ObjectsArgs) -> Result<ExitCode, Failure> {
    let id = args.file.letters();
    let drive = open(config).await?;
    let file = drive.find_file(args.file).await;
    let file = file.map_err(Failure::unless_found(format_args!("file {id}")))?;
    let objects = drive.stored_objects(&file).await?;
    let Some(folder) = &args.out else {
        let mut rows = vec![["ordinal", "name", "size"].map(str::to_owned)];
        let row = |o: &StoredObject| [o.ordinal.to_string(), o.name.clone(), o.size().to_string()];
        rows.extend(objects.iter().map(row));
        say(table(&rows))?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder)
        .map_err(Failure::because(format_args!("cannot make {}", folder.display())))?;
    for object in &objects {
        let path = folder.join(format!("{id}.{}.sealed", object.ordinal));
        copy_out(&drive, object, &path).await?;
        say(path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn copy_out(drive: &Drive, object: &StoredObject, path: &Path) -> Result<(), Failure> {
    let mut out = NewFile::create(path)?;
    let mut offset = 0;
    while offset < object.size() {
        let piece = drive.read_stored(object, offset).await?;
        out.write(&piece)?;
        offset += piece.len() as u64;
    }
    out.keep()
}

/// `bindery decrypt`.
pub(crate) fn decrypt(args: &DecryptArgs) -> Result<ExitCode, Failure> {
    let key = BASE64_STANDARD.decode(args.key.trim()).ok();
    let key: Option<[u8; 32]> = key.and_then(|bytes| bytes.try_into().ok());
    let key = key.map(DataKey::from_bytes).ok_or_else(|| {
        Failure::Usage("--key is not a key: it should be 32 bytes in base64".into())
    })?;
    let paths = args.objects.iter();
    let objects = in_order(paths.map(|path| Sealed::open(path)).collect::<Result<_, _>>()?)?;
    if let Ok(target) = args.out.canonicalize()
        && let Some(object) =
            objects.iter().find(|o| o.path.canonicalize().ok() == Some(target.clone()))
    {
        let path = object.path.display();
        return Err(Failure::Usage(format!("--out would replace the object {path}")));
    }
    let mut out = NewFile::create(&args.out)?;
    let mut size = 0;
    let number = objects.len() as u64;
    for object in objects {
        size += object.decrypt(&key, &mut out)?;
    }
    out.keep()?;
    let (out, size) = (args.out.display(), count(size, "byte"));
    say(format_args!("{out}: {size} from {}", count(number, "object")))?;
    Ok(ExitCode::SUCCESS)
}

/// A stored object that lies in a file.
struct Sealed {
    path: PathBuf,
    file: File,
    bytes: [u8; HEADER_LEN],
    header: Header,
    layout: Layout,
}

impl Sealed {
    fn open(path: &Path) -> Result<Self, Failure> {
        let unreadable = || Failure::because(format!("cannot read {}", path.display()));
        let mut file = File::open(path).map_err(unreadable())?;
        let len = file.metadata().map_err(unreadable())?.len();
        let layout = Layout::of_sealed(len).map_err(refusal(path))?;
        let mut bytes = [0; HEADER_LEN];
        file.read_exact(&mut bytes).map_err(unreadable())?;
        Ok(Sealed {
            path: path.to_owned(),
            header: Header::decode(&bytes).map_err(refusal(path))?,
            file,
            bytes,
            layout,
        })
    }

    /// Writes the plaintext, a segment at a time; how long it is.
    fn decrypt(mut self, key: &DataKey, out: &mut NewFile) -> Result<u64, Failure> {
        let (content, ordinal) = (self.header.content(), self.header.ordinal());
        let len = self.layout.plain_len();
        let opener =
            Opener::new(key, &self.bytes, content, ordinal, len).map_err(refusal(&self.path))?;
        let mut segment = [0; SEALED_SEGMENT_LEN];
        for index in 0..self.layout.segments() {
            let len = self.layout.sealed_segment_len(index);
            let sealed = &mut segment[..len.expect("the layout counts its segments")];
            let path = self.path.display();
            self.file
                .read_exact(sealed)
                .map_err(Failure::because(format_args!("cannot read {path}")))?;
            out.write(opener.open(index, sealed).map_err(refusal(&self.path))?)?;
        }
        Ok(len)
    }
}

fn refusal(path: &Path) -> impl FnOnce(SealError) -> Failure {
    Failure::because(path.display().to_string())
}

/// All of one content, each place once, none left out before the last.
fn in_order(mut objects: Vec<Sealed>) -> Result<Vec<Sealed>, Failure> {
    objects.sort_by_key(|object| object.header.ordinal());
    let content = objects.first().map(|object| object.header.content());
    for (place, object) in (0..).zip(&objects) {
        let (path, ordinal) = (object.path.display(), object.header.ordinal());
        let why = if Some(object.header.content()) != content {
            format!("{path} belongs to another content than the other objects")
        } else if ordinal < place {
            format!("{path} is given twice, or is a copy: it is object {ordinal} of its content")
        } else if ordinal > place {
            format!("object {place} of the content is not given")
        } else {
            continue;
        };
        return Err(Failure::Failed(why));
    }
    Ok(objects)
}

fn file_id(text: &str) -> Result<FileId, &'static str> {
    FileId::from_letters(text).ok_or("this is not the id of a file")
}
