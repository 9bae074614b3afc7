use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BUFFER_SIZE;

pub async fn echo_in_pieces(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_SIZE);
    while stream.read_buf(&mut buffer).await? > 0 {
        for piece in buffer.chunks(size) {
            stream.write_all(piece).await?;
        }
        buffer.clear();
    }
    Ok(())
}
