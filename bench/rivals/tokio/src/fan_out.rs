use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// All open connections. A message is written to one after the other under the lock: a slow reader holds back the
/// senders, so nothing waits in memory.
#[derive(Clone)]
pub struct Group {
    members: Arc<Mutex<HashMap<SocketAddr, OwnedWriteHalf>>>,
}

impl Group {
    pub fn new() -> Self {
        Group {
            members: Arc::default(),
        }
    }

    async fn join(&self, name: SocketAddr, member: OwnedWriteHalf) {
        self.members.lock().await.insert(name, member);
    }

    async fn leave(&self, name: SocketAddr) {
        self.members.lock().await.remove(&name);
    }

    async fn send(&self, message: &[u8]) {
        for member in self.members.lock().await.values() {
            let _ = write_all(member, message).await; // one that failed leaves when its own read fails
        }
    }
}

/// Like AsyncWriteExt::write_all, on a shared writer.
async fn write_all(writer: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => writer.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub async fn take_part(stream: TcpStream, group: Group, size: usize) -> io::Result<()> {
    let name = stream.peer_addr()?;
    let (mut reader, writer) = stream.into_split();
    group.join(name, writer).await;
    let mut message = vec![0; size];
    while reader.read_exact(&mut message).await.is_ok() {
        group.send(&message).await;
    }
    group.leave(name).await;
    Ok(())
}
