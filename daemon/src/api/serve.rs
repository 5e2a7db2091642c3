//! Serves connections, a bounded number at a time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{Answer, Source, Surface, answer};
use super::listen::Control;

/// Connections served at once on one socket; more wait in the kernel's queue.
const CONNECTIONS: usize = 32;

/// A client that has not sent its request by then is not waited for: the health address is open to the network.
const HEADER_LIMIT: Duration = Duration::from_secs(5);

/// Pause after an error of accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control socket for ever.
pub async fn serve_control(control: Control, source: Source) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = take(&slots).await;
        match control.listener.accept().await {
            Ok((stream, _)) => serve_stream(stream, source.clone(), Surface::Control, slot),
            Err(error) => pause(&error).await,
        }
    }
}

/// Serves a TCP address for ever.
pub async fn serve_tcp(listener: TcpListener, source: Source, surface: Surface) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = take(&slots).await;
        match listener.accept().await {
            Ok((stream, _)) => serve_stream(stream, source.clone(), surface, slot),
            Err(error) => pause(&error).await,
        }
    }
}

async fn take(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    slots
        .clone()
        .acquire_owned()
        .await
        .expect("the semaphore is never closed")
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn serve_stream<S>(stream: S, source: Source, surface: Surface, slot: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let _slot = slot;
        converse(stream, true, |request: Request<Incoming>| {
            let source = source.clone();
            async move {
                let target = request
                    .uri()
                    .path_and_query()
                    .map_or("/", |target| target.as_str());
                answer(&source, surface, request.method().as_str(), target).await
            }
        })
        .await;
    });
}

/// Answers the requests of one connection: one, or with `keep_alive` as many as come.
pub(crate) async fn converse<S, A, F>(stream: S, keep_alive: bool, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(response(answered.await)) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .keep_alive(keep_alive)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.extend(answer.headers);
    response
}
