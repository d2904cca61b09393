//! Fills a store with many small files of one user, to see what a request costs beside a million of
//! them: `cargo run --release -p bindery-core --example seed -- DATA LOGIN FILES [FOLDER]`. The files lie
//! in My Files, or in a new folder there.

use bindery_core::{
    Caller, Clock, Drive, FolderRef, Location, Name, OnTaken, Result, Target, UploadEnd,
};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use std::path::PathBuf;

const AT_ONCE: usize = 256;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, login, files, title) = match &arguments[..] {
        [data, login, files] => (data, login, files, None),
        [data, login, files, title] => (data, login, files, Some(Name::parse_legal(title)?)),
        _ => {
            eprintln!("usage: seed DATA LOGIN FILES [FOLDER]");
            std::process::exit(2);
        }
    };
    let files: u64 = files.parse().expect("FILES is a number");
    let location = Location::directory(PathBuf::from(data));
    let drive = Drive::open(&location, Clock::System).await?;
    let token = drive.create_token(login, "seed", None).await?;
    let caller = Caller::with_token(&token.secret);
    let folder = match title {
        None => FolderRef::Home,
        Some(title) => drive.create_folder(&caller, FolderRef::Home, &title).await?.id.into(),
    };
    let target = Target::Folder { folder, name: None, on_taken: OnTaken::Number };
    stream::iter(0..files)
        .map(|number| put(&drive, &caller, target.clone(), number))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|number| async move {
            if number % 100_000 == 0 {
                println!("{number}");
            }
            Ok(())
        })
        .await?;
    while drive.index_names().await? {}
    println!("{files} files; the token is {}", token.secret);
    Ok(())
}

async fn put(drive: &Drive, caller: &Caller, target: Target, number: u64) -> Result<u64> {
    let mut upload = drive.upload(caller, target, None).await?;
    upload.write(format!("file {number}\n").into()).await?;
    let name = Name::parse(&format!("case-{:04}-step-{number:07}.dat", number % 997))?;
    upload.finish(UploadEnd { name: Some(name), ..UploadEnd::default() }).await?;
    Ok(number)
}
