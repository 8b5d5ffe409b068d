//! Listens, speaks HTTP/1.1 and HTTP/2 without TLS (h2c, with prior knowledge), and ends
//! connections in the rude ways that faults ask for.

use crate::pipeline::{self, Cut};
use crate::shared::Shared;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use socket2::SockRef;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on demand")
    }
}

impl std::error::Error for Cut {}

/// Serves the API until the task is aborted.
pub async fn api(listener: TcpListener, shared: Arc<Shared>) {
    while let Some(stream) = accept(&listener).await {
        tokio::spawn(connection(stream, Arc::clone(&shared)));
    }
}

/// The next connection; a failed one (too many open files) is tried again a little later.
pub async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return Some(stream);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // The second handle on the socket outlives the server's, so that what a fault does to the
    // socket is the last thing done to it.
    let Ok(stream) = stream.into_std() else {
        return;
    };
    let Ok(wire) = stream.try_clone() else { return };
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let asked: Arc<Mutex<Option<Cut>>> = Arc::default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (shared, asked) = (Arc::clone(&shared), Arc::clone(&asked));
        async move {
            let answer = pipeline::serve(shared, request).await;
            if let Err(cut) = &answer {
                *asked.lock() = Some(*cut);
            }
            answer
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    // Errors of a connection are the client's to see.
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
    let cut = *asked.lock();
    match cut {
        Some(Cut::Reset) => {
            let _ = SockRef::from(&wire).set_linger(Some(Duration::ZERO));
        }
        Some(Cut::NotHttp) => {
            let _ = (&wire).write_all(b"\x00\x01 this is not HTTP\r\n\r\n");
        }
        Some(Cut::Close) | None => {}
    }
}
