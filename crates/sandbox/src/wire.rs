//! Connections that can be cut: the listener under both servers.
//!
//! A cut is what a client sees when a cable is pulled: no answer, no close frame, the connection is simply gone. HTTP has no way to
//! say that from inside a handler, so it is done below HTTP, on the stream itself.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
struct Blade {
    fallen: CancellationToken,
    reader: AtomicWaker,
}

/// The means to cut one connection. Clones cut the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut(Arc<Blade>);

impl Cut {
    /// Cuts the connection; whatever was not sent yet never will be.
    pub(crate) fn now(&self) {
        self.0.fallen.cancel();
        self.0.reader.wake();
    }

    /// Returns when the connection is cut.
    pub(crate) async fn fallen(&self) {
        self.0.fallen.cancelled().await;
    }

    fn check(&self) -> io::Result<()> {
        if self.0.fallen.is_cancelled() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Wires>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().cut.clone()
    }
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    cut: Cut,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.0.reader.register(cx.waker());
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A listener that remembers how to cut every connection it accepted.
#[derive(Debug)]
pub(crate) struct Wires {
    listener: TcpListener,
    open: Arc<Mutex<Vec<Weak<Blade>>>>,
}

impl Listener for Wires {
    type Io = Wire;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Wire, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Frames are small and meant to be seen at once.
                    let _ = stream.set_nodelay(true);
                    let cut = Cut::default();
                    let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                    open.retain(|blade| blade.strong_count() > 0);
                    open.push(Arc::downgrade(&cut.0));
                    return (Wire { stream, cut }, address);
                }
                // Out of descriptors, or the peer was gone before it was accepted: neither ends the server.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A running server. Dropping it stops it and cuts every connection.
#[derive(Debug)]
pub(crate) struct Server {
    open: Arc<Mutex<Vec<Weak<Blade>>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on `listener` until stopped.
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        let open = Arc::new(Mutex::new(Vec::new()));
        let wires = Wires { listener, open: open.clone() };
        let task = tokio::spawn(async move {
            // Never returns: accept errors are handled above.
            let _ = axum::serve(wires, router.into_make_service_with_connect_info::<Cut>()).await;
        });
        Self { open, task }
    }

    fn cut_all(&self) {
        for blade in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if let Some(blade) = blade.upgrade() {
                Cut(blade).now();
            }
        }
    }

    /// Stops listening (the port is free afterwards) and cuts every connection.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.cut_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        self.cut_all();
    }
}
