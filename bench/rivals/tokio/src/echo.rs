use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BUFFER_SIZE;

pub async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_SIZE);
    while echo_once(&mut stream, &mut buffer).await? > 0 {}
    Ok(())
}

/// Sends back what one read brings. Returns how much that was; 0 is the peer's end.
///
/// The buffer is filled, not overwritten: of one that is not full, the memory was never touched.
pub async fn echo_once(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.clear();
    let size = stream.read_buf(buffer).await?;
    stream.write_all(buffer).await?;
    Ok(size)
}
