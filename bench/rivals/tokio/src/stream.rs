use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub fn make_block(size: usize) -> Arc<[u8]> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

pub async fn send_until_gone(mut stream: TcpStream, block: Arc<[u8]>) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let mut ignored = tokio::io::sink();
    tokio::select! {
        gone = tokio::io::copy(&mut reader, &mut ignored) => gone.map(|_| ()),
        failed = send_for_ever(&mut writer, &block) => failed,
    }
}

async fn send_for_ever(writer: &mut (impl AsyncWrite + Unpin), block: &[u8]) -> io::Result<()> {
    loop {
        writer.write_all(block).await?;
    }
}
