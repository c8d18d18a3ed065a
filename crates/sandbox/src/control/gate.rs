//! The gate in front of both servers: counts, delays, replaces and drops.

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{Control, Endpoint, Fault};
use crate::wire::Cut;

/// The faults that the handler itself has to act out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

/// Refuses requests in another host's name: a web page that rebinds its own name to loopback gets nowhere.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "This is Callbox's sandbox. It answers to 127.0.0.1 only.").into_response()
    }
}

/// Acts out the faults of one request around its handler.
pub(crate) async fn pass(control: &Control, endpoint: Endpoint, mut request: Request, next: Next) -> Response {
    let faults = control.take(endpoint);
    let cut = request.extensions().get::<ConnectInfo<Cut>>().map(|info| info.0.clone());
    let drop_it = || {
        if let Some(cut) = &cut {
            cut.now();
        }
        StatusCode::NO_CONTENT.into_response()
    };
    for fault in &faults {
        match fault {
            Fault::Delay { by } => tokio::time::sleep(*by).await,
            Fault::Drop => return drop_it(),
            Fault::Respond { status, headers, body } => {
                if endpoint == Endpoint::Socket {
                    control.count(|counters| counters.refused += 1);
                }
                return respond(*status, headers, body);
            }
            _ => {}
        }
    }
    request.extensions_mut().insert(Faults(faults.clone()));
    let response = next.run(request).await;
    for fault in &faults {
        match fault {
            Fault::DelayReply { by } => tokio::time::sleep(*by).await,
            Fault::HoldReply => control.told_to_go_on().await,
            Fault::DropReply => return drop_it(),
            _ => {}
        }
    }
    response
}

fn respond(status: u16, headers: &[(String, String)], body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
