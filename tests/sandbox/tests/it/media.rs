//! Files: from a client to a person and back, over a CDN that breaks off, refuses and forgets.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};
use wacore::download::{Downloadable as _, MediaType};
use wacore::media_retry::MediaRetryResult;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
use wacore::upload::encrypt_media_streaming;
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::features::MediaReuploadRequest;
use whatsapp_rust::http::UreqHttpClient;
use whatsapp_rust::media::{ImageOptions, image_message};
use whatsapp_rust::prelude::*;
use whatsapp_rust::upload::UploadResponse;

use crate::client::{Companion, World, jid};
use crate::content::arrived;

const OWN: &str = "15550000001";
const PERSON: &str = "15550000002";

/// The library asks for `https`, and this sandbox's certificate is signed by nobody.
pub(crate) struct Plain(UreqHttpClient);

impl Default for Plain {
    fn default() -> Self {
        Self(UreqHttpClient::new())
    }
}

fn plain(request: HttpRequest) -> HttpRequest {
    HttpRequest {
        url: request.url.replacen("https://", "http://", 1),
        ..request
    }
}

#[async_trait]
impl HttpClient for Plain {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        self.0.execute(plain(request)).await
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        self.0.execute_streaming(plain(request))
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        length: u64,
    ) -> anyhow::Result<HttpResponse> {
        self.0.execute_upload(plain(request), body, length)
    }
}

impl World {
    /// The file of a message as a person's phone opens it.
    async fn file(&self, phone: &str, id: &str) -> (StatusCode, Vec<u8>) {
        let url = format!(
            "{}/admin/peers/{phone}/media/{id}",
            self.sandbox.admin_url()
        );
        let response = reqwest::get(url).await.unwrap();
        (response.status(), response.bytes().await.unwrap().to_vec())
    }

    async fn count(&self, name: &str) -> u64 {
        self.admin.get("/admin/media").await["counts"][name]
            .as_u64()
            .unwrap()
    }

    async fn cdn_fault(&self, fault: Value) {
        self.admin.post("/admin/media/faults", fault).await;
    }
}

/// Bytes that compress badly, so many of them.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    });
    next.take(length).collect()
}

impl Companion {
    async fn upload(&self, file: &[u8]) -> anyhow::Result<UploadResponse> {
        let mut encrypted = Vec::new();
        let info = encrypt_media_streaming(file, &mut encrypted, MediaType::Image)?;
        self.client
            .upload_stream(bytes::Bytes::from(encrypted), info, MediaType::Image)
            .await
    }

    async fn send_picture(&self, file: &[u8]) -> (String, UploadResponse) {
        let upload = self.upload(file).await.unwrap();
        let options = ImageOptions {
            caption: Some("look".into()),
            ..ImageOptions::default()
        };
        let message = image_message(upload.clone(), options);
        let sent = self
            .client
            .send_message(jid(PERSON), message)
            .await
            .unwrap();
        (sent.message_id, upload)
    }
}

fn download(upload: &UploadResponse) -> DownloadParams {
    DownloadParams::encrypted(
        &upload.direct_path,
        &upload.media_key,
        &upload.file_sha256,
        &upload.file_enc_sha256,
        upload.file_length,
        MediaType::Image,
    )
}

#[tokio::test]
async fn a_person_opens_the_file_that_a_client_sends() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    let (id, _) = companion.send_picture(b"a picture").await;
    let shown = world.admin.wait_messages(PERSON, 1).await.remove(0);
    assert_eq!(shown["type"], "image");
    assert_eq!(shown["content"]["caption"], "look");
    assert_eq!(shown["content"]["uploaded"], true);
    assert_eq!(
        world.file(PERSON, &id).await,
        (StatusCode::OK, b"a picture".to_vec())
    );
    assert_eq!(world.file(PERSON, "none").await.0, StatusCode::NOT_FOUND);

    // Of a message that lies about its file, the phone says so.
    let mut lied = companion.upload(b"another").await.unwrap();
    lied.file_sha256 = [0; 32];
    let message = image_message(lied, ImageOptions::default());
    let sent = companion
        .client
        .send_message(jid(PERSON), message)
        .await
        .unwrap();
    world.admin.wait_messages(PERSON, 2).await;
    assert_eq!(
        world.file(PERSON, &sent.message_id).await.0,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn a_client_opens_each_kind_of_file_that_a_person_sends() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    for kind in [
        "image", "video", "gif", "ptv", "audio", "voice", "document", "sticker",
    ] {
        let file = format!("the file of a {kind}");
        let mut body = json!({ "to": OWN, "type": kind, "data": STANDARD.encode(&file) });
        if ["image", "video", "document"].contains(&kind) {
            body["caption"] = "below it".into();
        }
        let id = world.person_sends(PERSON, body).await;
        let (message, _) = arrived(&companion, &id).await;
        let base = message.get_base_message();
        macro_rules! bytes {
            ($($field:ident),+) => {
                match () {
                    $(() if base.$field.is_set() => {
                        let part = base.$field.as_option().unwrap();
                        (stringify!($field), companion.client.download(part).await.unwrap())
                    })+
                    () => panic!("{kind} is no file: {base:?}"),
                }
            };
        }
        let (field, bytes) = if let Some(note) = base.ptv_message.as_option() {
            let params = DownloadParams::encrypted(
                note.direct_path().unwrap(),
                note.media_key().unwrap(),
                note.file_sha256().unwrap(),
                note.file_enc_sha256().unwrap(),
                note.file_length().unwrap(),
                MediaType::Video,
            );
            (
                "ptv_message",
                companion.client.download(&params).await.unwrap(),
            )
        } else {
            bytes!(
                image_message,
                video_message,
                audio_message,
                document_message,
                sticker_message
            )
        };
        assert_eq!(bytes, file.as_bytes(), "{kind} as {field}");
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_was() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let file = noise(6 << 20);
    let mut encrypted = Vec::new();
    let info = encrypt_media_streaming(&file[..], &mut encrypted, MediaType::Document).unwrap();
    world
        .cdn_fault(json!({ "on": "upload", "cutAfter": 2 << 20, "count": 1 }))
        .await;
    // The second host is told how much the first one had.
    let uploaded = companion
        .client
        .upload_stream(bytes::Bytes::from(encrypted), info, MediaType::Document)
        .await
        .unwrap();
    assert_eq!(
        (world.count("uploads").await, world.count("resumed").await),
        (1, 1)
    );
    let params = DownloadParams::encrypted(
        &uploaded.direct_path,
        &uploaded.media_key,
        &uploaded.file_sha256,
        &uploaded.file_enc_sha256,
        uploaded.file_length,
        MediaType::Document,
    );
    assert!(companion.client.download(&params).await.unwrap() == file);
}

#[tokio::test]
async fn the_other_host_answers_when_one_does_not_and_stale_rights_are_renewed() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let broken = json!({ "host": "primary", "status": 503, "count": 0 });
    world.cdn_fault(broken).await;
    let upload = companion.upload(b"by the other host").await.unwrap();
    assert!(upload.url.contains("localhost"), "{}", upload.url);
    let bytes = companion.client.download(&download(&upload)).await.unwrap();
    assert_eq!(bytes, b"by the other host");

    world.admin.delete("/admin/media/faults").await;
    world
        .admin
        .post("/admin/media/rotate-auth", json!({}))
        .await;
    companion.upload(b"with new rights").await.unwrap();
}

#[tokio::test]
async fn a_phone_uploads_again_what_has_expired() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    let body = json!({ "to": OWN, "type": "image", "data": STANDARD.encode("a picture") });
    let id = world.person_sends(PERSON, body).await;
    let (message, _) = arrived(&companion, &id).await;
    let image = message.image_message.as_option().unwrap();
    for status in [403, 404, 410] {
        world
            .admin
            .post("/admin/media/expire", json!({ "status": status }))
            .await;
        assert!(companion.client.download(image).await.is_err(), "{status}");
    }

    let chat = jid(PERSON);
    let request = MediaReuploadRequest {
        msg_id: &id,
        chat_jid: &chat,
        media_key: image.media_key().unwrap(),
        is_from_me: false,
        participant: None,
    };
    let answer = companion
        .client
        .media_reupload()
        .request(&request)
        .await
        .unwrap();
    let MediaRetryResult::Success { direct_path } = answer else {
        panic!("{answer:?}");
    };
    let again = wa::message::ImageMessage {
        direct_path: Some(direct_path),
        ..image.clone()
    };
    assert_eq!(
        companion.client.download(&again).await.unwrap(),
        b"a picture"
    );

    // The phone has lost its files.
    let path = format!("/admin/peers/{PERSON}/forget-media");
    world.admin.post(&path, json!({})).await;
    let answer = companion
        .client
        .media_reupload()
        .request(&request)
        .await
        .unwrap();
    assert!(matches!(answer, MediaRetryResult::NotFound), "{answer:?}");
}

/// Over TLS, as clients ask that know nothing of sandboxes; the certificate is signed by nobody.
#[tokio::test]
async fn the_cdn_speaks_tls_too() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let upload = companion.upload(b"secret").await.unwrap();
    let client = Arc::new(
        ureq::Agent::config_builder()
            .tls_config(
                ureq::tls::TlsConfig::builder()
                    .disable_verification(true)
                    .build(),
            )
            .build(),
    );
    let agent: ureq::Agent = (*client).clone().into();
    let length = tokio::task::spawn_blocking(move || {
        let mut response = agent.get(&upload.url).call().unwrap();
        response.body_mut().read_to_vec().unwrap().len()
    });
    assert_eq!(length.await.unwrap(), 16 + 10);
}
