use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BUFFER_SIZE;

pub async fn echo_in_pieces(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let received = stream.read(&mut buffer).await?;
        if received == 0 {
            return Ok(());
        }
        for piece in buffer[..received].chunks(size) {
            stream.write_all(piece).await?;
        }
    }
}
