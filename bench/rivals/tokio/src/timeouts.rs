use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::echo::echo_once;
use crate::BUFFER_SIZE;

pub async fn echo_until_idle(mut stream: TcpStream, idle: Duration) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_SIZE);
    while timeout(idle, echo_once(&mut stream, &mut buffer)).await?? > 0 {}
    Ok(())
}
