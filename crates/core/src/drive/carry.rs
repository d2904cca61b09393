//! Contents on their way from one vault to another: sealed as they are, and opened where they arrive.

use super::inspect::verify_content;
use super::upload::note_upload;
use super::{Checked, Drive};
use crate::catalog::Catalog;
use crate::catalog::files::File;
use crate::catalog::versions;
use crate::error::{Error, Result};
use crate::id::FileId;
use crate::vault::blobs::{APPEND_MAX, BlobWriter, Blobs, Buffer};
use crate::vault::seal::{ContentId, Layout};
use crate::vault::{ObjectRef, Sealed, StoredContent, Vault};
use std::collections::HashSet;
use tokio::task::{JoinError, JoinSet};

/// Contents on their way at once.
const AT_ONCE: usize = 8;
/// Bytes of an object that are read at once.
const PIECE: u64 = 4 << 20;

/// Does `work` for the content of every version that a catalog names, several at once; how often it did something.
pub(super) async fn each_content<F>(
    catalog: &Catalog,
    progress: &mut impl FnMut(Checked, Checked),
    work: impl Fn(File) -> F,
) -> Result<u64>
where
    F: Future<Output = Result<bool>> + Send + 'static,
{
    let (versions, bytes) = catalog.read(&(), |tx, ()| Box::pin(versions::totals(tx))).await?;
    let of = Checked { versions, bytes };
    let (mut seen, mut done) = (Checked::default(), 0);
    let mut behind = (FileId(0), 0);
    let mut under_way = JoinSet::new();
    let mut begun = HashSet::new();
    loop {
        let next = catalog
            .read(&behind, |tx, (file, number)| {
                Box::pin(versions::next_version(tx, *file, *number))
            })
            .await?;
        let Some(version) = next else { break };
        behind = (version.id, version.version);
        seen.versions += 1;
        seen.bytes += version.size;
        // Versions that are copies of each other have one content.
        let content = version.held()?.content;
        if begun.insert(content) {
            let work = work(version);
            under_way.spawn(async move { (content, work.await) });
        }
        while under_way.len() >= AT_ONCE {
            done += ended(under_way.join_next().await, &mut begun)?;
        }
        progress(seen, of);
    }
    while !under_way.is_empty() {
        done += ended(under_way.join_next().await, &mut begun)?;
    }
    Ok(done)
}

/// What became of a content: 1 if something was done. It need not be remembered for longer than it is under way:
/// then it is found done.
fn ended(
    joined: Option<Result<(ContentId, Result<bool>), JoinError>>,
    begun: &mut HashSet<ContentId>,
) -> Result<u64> {
    let Some(joined) = joined else { return Ok(0) };
    let (content, done) = joined.map_err(Error::internal)?;
    begun.remove(&content);
    done.map(u64::from)
}

/// Copies a version's objects into a directory, but for those that are there whole, and opens the content there.
/// False: all were there, and nothing was opened.
pub(super) async fn carry(from: &Vault, to: &Vault, version: &File) -> Result<bool> {
    let mut missing = Vec::new();
    for object in &version.objects()?.0 {
        if to.blobs.size(&object.blob).await? != Some(sealed_len(object)?) {
            missing.push(object);
        }
    }
    for object in &missing {
        let (found, wanted) = (from.blobs.size(&object.blob).await?, sealed_len(object)?);
        if found.is_some_and(|found| found != wanted) {
            let why = format!("object {} does not have its {wanted} bytes", object.blob);
            return Err(Error::Damaged { why });
        }
        to.blobs.remove(&object.blob, None).await?;
        pour(&from.blobs, &to.blobs, object, None).await?;
    }
    if missing.is_empty() {
        return Ok(false);
    }
    let sealed = Sealed::Objects(version.objects()?.clone());
    let content = StoredContent { id: version.held()?.content, size: version.size, sealed };
    if let Err(error) = verify_content(to, version, &content).await {
        // What arrived otherwise than it was sealed is not to pass for a copy the next time.
        for object in &missing {
            to.blobs.remove(&object.blob, None).await?;
        }
        return Err(error);
    }
    Ok(true)
}

fn sealed_len(object: &ObjectRef) -> Result<u64> {
    Ok(Layout::of_plain(object.size).map_err(Error::internal)?.sealed_len())
}

/// Copies an object as it is stored. A store whose service takes it in parts makes that known to its catalog.
pub(super) async fn pour(
    from: &Blobs,
    to: &Blobs,
    object: &ObjectRef,
    noted: Option<&Drive>,
) -> Result<()> {
    let mut writer = to.create(&object.blob).await?;
    match pour_into(&mut writer, from, object, noted).await {
        Ok(rest) => writer.finish(rest).await,
        Err(error) => {
            writer.discard().await?;
            Err(error)
        }
    }
}

async fn pour_into(
    writer: &mut BlobWriter,
    from: &Blobs,
    object: &ObjectRef,
    noted: Option<&Drive>,
) -> Result<Buffer> {
    let size = sealed_len(object)?;
    let (mut at, mut buffer) = (0, Buffer::default());
    while at < size {
        let end = size.min(at + PIECE);
        let piece = from.read(&object.blob, at..end).await?;
        let cut =
            || Error::Damaged { why: format!("object {} is missing or cut short", object.blob) };
        for piece in piece.ok_or_else(cut)?.chunks(APPEND_MAX) {
            buffer.end().extend_from_slice(piece);
            if buffer.is_full() {
                writer.write(&mut buffer).await?;
            }
        }
        if writer.wants_parts()
            && let Some(upload) = writer.begin_parts().await?
            && let Some(drive) = noted
        {
            note_upload(drive, (object.blob.clone(), upload)).await?;
        }
        at = end;
    }
    Ok(buffer)
}
