//! The rival written with Tokio: one file a server.
//!
//!     bench-tokio SERVER [NAME=VALUE]...
//!     bench-tokio --version

mod command_line;
mod echo;
mod fan_out;
mod pieces;
mod relay;
mod stream;
mod timeouts;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use command_line::{Failure, Settings, HIGHEST_PORT, HIGHEST_SIZE, LONGEST_IDLE};

const BACKLOG: u32 = 4096;
const BUFFER_SIZE: usize = 16 * 1024; // of one connection [bytes]

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(failure) = run(&arguments) {
        eprintln!("bench-tokio: {failure}");
        std::process::exit(match failure {
            Failure::Usage(_) => 2,
            Failure::System(_) => 1,
        });
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let (server, given) = arguments
        .split_first()
        .ok_or_else(|| Failure::Usage("usage: bench-tokio SERVER [NAME=VALUE]... | --version".into()))?;
    if server == "--version" {
        println!("{}", env!("BENCH_TOKIO_VERSION"));
        return Ok(());
    }
    allow_many_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run_server(server, Settings(given)))
}

async fn run_server(server: &str, settings: Settings<'_>) -> Result<(), Failure> {
    match server {
        "echo" => {
            settings.none()?;
            serve(echo::echo).await
        }
        "pieces" => {
            let size = settings.only("size", Some(64), HIGHEST_SIZE)?;
            serve(move |stream| pieces::echo_in_pieces(stream, size)).await
        }
        "timeouts" => {
            let idle = Duration::from_millis(settings.only("idle", Some(30_000), LONGEST_IDLE)? as u64);
            serve(move |stream| timeouts::echo_until_idle(stream, idle)).await
        }
        "stream" => {
            let block = stream::make_block(settings.only("block", Some(65_536), HIGHEST_SIZE)?);
            serve(move |stream| stream::send_until_gone(stream, block.clone())).await
        }
        "fan_out" => {
            let size = settings.only("size", Some(1024), HIGHEST_SIZE)?;
            let group = fan_out::Group::new();
            serve(move |stream| fan_out::take_part(stream, group.clone(), size)).await
        }
        "relay" => {
            let upstream = settings.only("upstream", None, HIGHEST_PORT)? as u16;
            serve(move |stream| relay::relay(stream, upstream)).await
        }
        _ => Err(Failure::Usage(format!(
            "'{server}' is no server; it must be echo, pieces, timeouts, stream, fan_out or relay"
        ))),
    }
}

/// Accepts connections for ever; each is served by a task of its own and closed when that ends.
async fn serve<Handler, Served>(handle: Handler) -> Result<(), Failure>
where
    Handler: Fn(TcpStream) -> Served,
    Served: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = listen()?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true); // fails only for a connection that is gone already
                tokio::spawn(handle(stream));
            }
            // Such as no descriptor left: better once others have ended.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}

/// A connection costs a descriptor, one that is relayed two.
fn allow_many_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid rlimit that outlives them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
