//! Requests to the server that runs on this data directory.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use isochron::config::Config;
use serde_json::Value;
use tokio::net::TcpStream;

/// Sends a request with the admin token, and returns the body of an answer that is no error.
pub(super) async fn ask(
    config: &Config,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let address = address(config.listen)?;
    let context = || format!("the server has the store open, so ask it at {address} (--listen)");
    let stream = TcpStream::connect(address).await.with_context(context)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.with_context(context)?;
    tokio::spawn(connection);
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {}", token(config)?))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let answer = sender.send_request(request).await.with_context(context)?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await.with_context(context)?.to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if !status.is_success() {
        bail!("the server at {address} refused: {status} {}", answer["message"].as_str().unwrap_or_default());
    }
    Ok(answer)
}

/// The address of a server on this machine that listens as configured.
fn address(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    ensure!(listen.port() != 0, "the server has the store open: name its address with --listen");
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

fn token(config: &Config) -> anyhow::Result<String> {
    if let Some(token) = &config.admin_token {
        return Ok(token.expose().to_owned());
    }
    let path = config.data.join("admin-token");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim().to_owned())
}
