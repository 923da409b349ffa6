//! The beginning of a connection, until its client is let in.
//!
//! The broker lets everybody in for a minute and then refuses to let them in again, which a client
//! takes for a wrong password. So clients are told that there is no such end.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Kafka's numbers of the requests that come before a client is let in
/// (<https://kafka.apache.org/protocol.html#protocol_api_keys>).
const HANDSHAKE: u16 = 17;
const VERSIONS: u16 = 18;
const AUTHENTICATE: u16 = 36;
/// The first version of `AUTHENTICATE` whose answer ends with a session's length, and the first
/// that has a byte for further fields behind it.
const WITH_LENGTH: u16 = 1;
const WITH_FIELDS: u16 = 2;

/// Longer than the longest request that a test sends, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// Hands on one request and its answer after another, up to the first request of a client that is in.
pub async fn let_in(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    broker: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let request = read(client).await?;
        write(broker, &request).await?;
        let (kind, version) = (number(&request, 0)?, number(&request, 2)?);
        if !matches!(kind, HANDSHAKE | VERSIONS | AUTHENTICATE) {
            return Ok(());
        }
        let mut answer = read(broker).await?;
        if kind == AUTHENTICATE {
            without_end(&mut answer, version);
        }
        write(client, &answer).await?;
    }
}

/// Zero milliseconds: the session has no end.
fn without_end(answer: &mut [u8], version: u16) {
    let behind = usize::from(version >= WITH_FIELDS);
    let end = answer.len().saturating_sub(behind);
    if let Some(length) = answer.get_mut(end.saturating_sub(8)..end)
        && version >= WITH_LENGTH
    {
        length.fill(0);
    }
}

fn number(frame: &[u8], at: usize) -> io::Result<u16> {
    let bytes = frame.get(at..at + 2).ok_or(io::ErrorKind::InvalidData)?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.read_u32().await?).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    to.write_all(frame).await?;
    to.flush().await
}
