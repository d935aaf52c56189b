//! (i) Files: resident memory of the API and of the worker while many large files go through them at
//! once; how long one file takes from its acceptance to its acknowledgement, against a bare encryption
//! and upload of the same bytes to the same CDN; and what a text to somebody else takes meanwhile.

use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_tests::client::{ApiClient, SandboxAdmin, SendRequest};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;
use wacore::download::MediaType;
use wacore::upload::encrypt_media_streaming;

use crate::figures::{millis, percentile};
use crate::plan::Plan;
use crate::process::resident_kib;
use crate::stage::Stage;

/// Bytes of one piece of a body.
const PIECE: usize = 64 << 10;
/// How often the memory is looked at.
const GLANCE: Duration = Duration::from_millis(200);
/// How long all files together may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Files at once, and MiB of each.
    pub(crate) files: usize,
    pub(crate) file_mib: usize,
    /// The most that the API's process took above what it took idle, in MiB.
    pub(crate) api_mib: f64,
    /// The same of the worker's.
    pub(crate) worker_mib: f64,
    /// MiB of the one document.
    pub(crate) document_mib: usize,
    /// Seconds from its acceptance to WhatsApp's acknowledgement, and of the bare upload.
    pub(crate) gateway_seconds: f64,
    pub(crate) plain_seconds: f64,
    /// The throughput of the gateway over that of the bare upload.
    pub(crate) throughput: f64,
    /// What 99 of 100 texts to others do not exceed: idle, and while the files go through, in ms.
    pub(crate) text_p99_idle: f64,
    pub(crate) text_p99_busy: f64,
}

/// Measures it.
///
/// # Errors
/// When a part does not start, or a file does not arrive.
pub(crate) async fn measure(plan: &Plan) -> Result<Measured> {
    let (files, file_mib, document_mib, texts) = plan.media;
    let world = Stage::world().setting("GATEWAY_MEDIA__QUOTA_BYTES", "1099511627776");
    let mut stage = Stage::start_in(world).await?;
    stage.pair(1).await?;
    let session = stage.sessions()[0].session.to_string();
    let peers = stage.peers(files + 2).await?;
    let (api, sandbox) = (stage.world.api(0).within(PATIENCE)?, stage.world.sandbox());
    let (other, peers) = peers.split_last().context("no peers")?;

    let text_p99_idle = text_p99(&api, &session, other, texts, None).await?;
    let (gateway_seconds, plain_seconds) =
        document(&stage, &api, &session, &peers[files], document_mib).await?;

    let idle = memory(&stage)?;
    let (most, over) = (Arc::new(Mutex::new(idle)), Arc::new(AtomicBool::new(false)));
    let through = async {
        let sent = stream::iter(peers[..files].iter().enumerate())
            .map(async |(number, to)| through(&api, &session, to, number, file_mib << 20).await)
            .buffer_unordered(files)
            .try_collect::<Vec<()>>()
            .await;
        if sent.is_ok() {
            arrived(&sandbox, peers, files).await?;
        }
        over.store(true, Ordering::Relaxed);
        sent.map(|_| ())
    };
    let watch = async {
        while !over.load(Ordering::Relaxed) {
            let now = memory(&stage)?;
            {
                let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
                *most = (most.0.max(now.0), most.1.max(now.1));
            }
            tokio::time::sleep(GLANCE).await;
        }
        anyhow::Ok(())
    };
    let texting = text_p99(&api, &session, other, usize::MAX, Some(&over));
    let ((), (), text_p99_busy) = tokio::try_join!(through, watch, texting)?;
    let most = *most.lock().unwrap_or_else(PoisonError::into_inner);
    stage.end();
    Ok(Measured {
        files,
        file_mib,
        api_mib: (most.0 - idle.0) / 1_024.0,
        worker_mib: (most.1 - idle.1) / 1_024.0,
        document_mib,
        gateway_seconds,
        plain_seconds,
        throughput: plain_seconds / gateway_seconds,
        text_p99_idle,
        text_p99_busy,
    })
}

/// The resident memory of the API and of the worker, in KiB.
fn memory(stage: &Stage) -> Result<(f64, f64)> {
    Ok((
        resident_kib(&stage.world.apis[0].program)?,
        resident_kib(&stage.world.workers[0].program)?,
    ))
}

/// The bytes of a file that no other has.
fn content(number: usize, length: usize) -> impl Iterator<Item = Bytes> {
    let mut first = vec![0; PIECE];
    first[..8].copy_from_slice(&number.to_le_bytes());
    let rest = Bytes::from(vec![7; PIECE]);
    let pieces = length / PIECE;
    std::iter::once(Bytes::from(first)).chain(std::iter::repeat_n(rest, pieces.saturating_sub(1)))
}

async fn hand_in(api: &ApiClient, number: usize, length: usize) -> Result<String> {
    let body = stream::iter(content(number, length).map(Ok::<_, std::io::Error>));
    let request = api
        .request(Method::POST, "/media")
        .body(reqwest::Body::wrap_stream(body));
    api.call(request).await?.expect(201)?.text("id")
}

/// Hands a file in and sends it.
async fn through(
    api: &ApiClient,
    session: &str,
    to: &str,
    number: usize,
    length: usize,
) -> Result<()> {
    let id = hand_in(api, number, length).await?;
    let send = json!({ "type": "document", "to": to, "media": { "id": id } });
    api.send(session, &SendRequest::body(send).asynchronous())
        .await?
        .expect(202)?;
    Ok(())
}

async fn arrived(sandbox: &SandboxAdmin, peers: &[String], files: usize) -> Result<()> {
    for peer in &peers[..files] {
        let phone = peer.split('@').next().unwrap_or_default();
        let begin = Instant::now();
        while sandbox.messages(phone).await?.is_empty() {
            ensure!(begin.elapsed() < PATIENCE, "a file did not arrive");
            tokio::time::sleep(GLANCE).await;
        }
    }
    Ok(())
}

/// What 99 of 100 texts do not exceed: of so many, or until `over`.
async fn text_p99(
    api: &ApiClient,
    session: &str,
    to: &str,
    most: usize,
    over: Option<&AtomicBool>,
) -> Result<f64> {
    let mut figures = Vec::new();
    while figures.len() < most && over.is_none_or(|over| !over.load(Ordering::Relaxed)) {
        let begin = Instant::now();
        let send = SendRequest::text(to, "A message of an ordinary length.");
        api.send(session, &send).await?.expect(200)?;
        figures.push(millis(begin.elapsed()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(percentile(&figures, 0.99))
}

/// Seconds that one document takes through the gateway, and a bare upload of as many bytes.
async fn document(
    stage: &Stage,
    api: &ApiClient,
    session: &str,
    to: &str,
    mib: usize,
) -> Result<(f64, f64)> {
    let id = hand_in(api, usize::MAX, mib << 20).await?;
    let send = json!({ "type": "document", "to": to, "media": { "id": id } });
    let begin = Instant::now();
    let answer = api.send(session, &SendRequest::body(send)).await?;
    ensure!(
        matches!(answer.status, 200 | 202),
        "{}: {}",
        answer.status,
        answer.json
    );
    let phone = to.split('@').next().unwrap_or_default();
    let sandbox = stage.world.sandbox();
    while answer.status == 202 && sandbox.messages(phone).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let gateway = begin.elapsed().as_secs_f64();

    let url = stage.world.sandbox.media().to_owned();
    let begin = Instant::now();
    let uploaded = tokio::task::spawn_blocking(move || bare(mib << 20));
    let (file, token, length) = uploaded.await??;
    let body = tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE);
    let url = format!("{url}/mms/document/{token}?auth=sandbox-0&token={token}");
    let response = reqwest::Client::new()
        .post(url)
        .header(reqwest::header::CONTENT_LENGTH, length)
        .body(reqwest::Body::wrap_stream(body))
        .send()
        .await?;
    ensure!(
        response.status().is_success(),
        "the CDN refused: {}",
        response.status()
    );
    Ok((gateway, begin.elapsed().as_secs_f64()))
}

/// Encrypts as many bytes into a file: the file, the name of its ciphertext, and its length.
fn bare(length: usize) -> Result<(std::fs::File, String, u64)> {
    let mut file = tempfile::tempfile()?;
    let source = Pieces {
        pieces: content(usize::MAX - 1, length),
        left: Bytes::new(),
    };
    let writer = std::io::BufWriter::new(&mut file);
    let info = encrypt_media_streaming(source, writer, MediaType::Document)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, URL_SAFE_NO_PAD.encode(info.file_enc_sha256), length))
}

struct Pieces<I> {
    pieces: I,
    left: Bytes,
}

impl<I: Iterator<Item = Bytes>> Read for Pieces<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.left = piece,
                None => return Ok(0),
            }
        }
        let taken = self.left.split_to(buffer.len().min(self.left.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}
