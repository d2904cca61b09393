//! What lies between a program and its S3 server, when it does not work well. It takes one request a
//! connection, so that a fault can be meant for one kind of request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To store an object at once.
    Put,
    /// To take an object in parts, one of them, to make the object of them, or to forget them.
    Create,
    Part,
    Complete,
    Abort,
    Get,
    Head,
    Delete,
}

impl Ask {
    fn of(line: &str) -> Self {
        let (method, target) = line.split_once(' ').unwrap_or((line, ""));
        let has = |word: &str| target.contains(word);
        match method {
            "POST" if has("uploads") => Ask::Create,
            "POST" if has("uploadId=") => Ask::Complete,
            "PUT" if has("partNumber=") => Ask::Part,
            "PUT" => Ask::Put,
            "DELETE" if has("uploadId=") => Ask::Abort,
            "HEAD" => Ask::Head,
            "GET" => Ask::Get,
            _ => Ask::Delete,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Passed on later.
    Delay(Duration),
    /// Closed, or reset, after so many bytes of its body.
    CutSent(usize),
    ResetSent(usize),
    /// Closed, or reset, after so many bytes of the answer; the server has done what was asked.
    CutAnswer(usize),
    ResetAnswer(usize),
    /// Answered with this status; the server never sees it.
    Status(u16),
    /// Taken, and never answered.
    Stall,
}

type Plan = Box<dyn FnMut(Ask) -> Option<Fault> + Send>;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    plan: Arc<Mutex<Plan>>,
    accepts: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let planned = Arc::clone(&plan);
        let accepts = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(client, target, Arc::clone(&planned)));
            }
        });
        Proxy { port, plan, accepts }
    }

    /// What becomes of each request from now on.
    pub(crate) fn plan(&self, plan: impl FnMut(Ask) -> Option<Fault> + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// The next requests of one kind suffer; those behind them nothing.
    pub(crate) fn suffer(&self, ask: Ask, fault: Fault, requests: usize) {
        let mut left = requests;
        self.plan(move |asked| {
            (asked == ask && left > 0).then(|| {
                left -= 1;
                fault
            })
        });
    }

    /// Works well from now on.
    pub(crate) fn recover(&self) {
        self.plan(|_| None);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

/// One request. Whatever cannot be read or written is the end of it.
async fn connection(mut client: TcpStream, target: u16, plan: Arc<Mutex<Plan>>) {
    let Some(request) = Request::read(&mut client).await else {
        return;
    };
    let fault = (plan.lock().unwrap())(request.ask);
    match fault {
        Some(Fault::Status(status)) => return answer(client, &request, status).await,
        Some(Fault::Stall) => {
            let mut ignored = [0; 4096];
            while client.read(&mut ignored).await.is_ok_and(|len| len > 0) {}
            return;
        }
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
    if let Ok(server) = TcpStream::connect(target).await {
        let _ended = pass(&mut client, server, &request, fault).await;
    }
    if matches!(fault, Some(Fault::ResetSent(_) | Fault::ResetAnswer(_))) {
        let _reset = client.set_zero_linger();
    }
}

async fn pass(
    client: &mut TcpStream,
    mut server: TcpStream,
    request: &Request,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let sent = match fault {
        Some(Fault::CutSent(len) | Fault::ResetSent(len)) => len.min(request.body_len),
        _ => request.body_len,
    };
    server.write_all(request.head.as_bytes()).await?;
    let begin = &request.body[..sent.min(request.body.len())];
    server.write_all(begin).await?;
    copy(client, &mut server, sent - begin.len()).await?;
    let answered = match fault {
        Some(Fault::CutSent(_) | Fault::ResetSent(_)) => return Ok(()),
        Some(Fault::CutAnswer(len) | Fault::ResetAnswer(len)) => len,
        _ => usize::MAX,
    };
    if answered == 0 {
        // The first byte says that the server is done.
        server.read_u8().await?;
        return Ok(());
    }
    copy(&mut server, client, answered).await
}

/// Passes on so many bytes, or all until the end.
async fn copy(from: &mut TcpStream, to: &mut TcpStream, mut len: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    while len > 0 {
        let most = len.min(buffer.len());
        let read = from.read(&mut buffer[..most]).await?;
        if read == 0 {
            break;
        }
        to.write_all(&buffer[..read]).await?;
        len -= read;
    }
    Ok(())
}

/// Answers in the server's place, once all of the request is there, so that the answer arrives.
async fn answer(mut client: TcpStream, request: &Request, status: u16) {
    let mut ignored = vec![0; 64 << 10];
    let mut left = request.body_len - request.body.len();
    while left > 0
        && let Ok(len @ 1..) = client.read(&mut ignored).await
    {
        left -= len.min(left);
    }
    let text = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _written = client.write_all(text.as_bytes()).await;
    let _ended = client.shutdown().await;
}

struct Request {
    ask: Ask,
    /// With the wish that the connection ends behind the answer.
    head: String,
    /// What has arrived of the body already.
    body: Vec<u8>,
    body_len: usize,
}

impl Request {
    async fn read(client: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if client.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        let body = bytes.split_off(end + 4);
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let header = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let body_len = header.unwrap_or(0);
        let head = format!("{head}\r\nconnection: close\r\n\r\n");
        Some(Request { ask: Ask::of(&head), head, body, body_len })
    }
}
