use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BUFFER_SIZE;

pub async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    while echo_once(&mut stream, &mut buffer).await? > 0 {}
    Ok(())
}

/// Sends back what one read brings. Returns how much that was; 0 is the peer's end.
pub async fn echo_once(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let size = stream.read(buffer).await?;
    stream.write_all(&buffer[..size]).await?;
    Ok(size)
}
