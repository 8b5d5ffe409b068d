//! The only way out that a client is given: a listener that answers nobody and remembers who came.
//!
//! Most clients honour `HTTPS_PROXY` and its like, so whatever they send to another host than this
//! machine ends here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Dropping it ends it.
pub struct Trap {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Trap {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let at = {
                    let mut seen = kept.lock().unwrap();
                    seen.push("a connection".to_owned());
                    seen.len() - 1
                };
                tokio::spawn(first_line(stream, Arc::clone(&kept), at));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// The variables that lead a client here. What is on this machine it reaches without them.
    pub fn variables(&self) -> Vec<(String, String)> {
        let here = format!("http://{}", self.address);
        let mut all = vec![("TRAP_PORT".to_owned(), self.address.port().to_string())];
        for (name, value) in [
            ("HTTP_PROXY", here.as_str()),
            ("HTTPS_PROXY", here.as_str()),
            ("ALL_PROXY", here.as_str()),
            ("NO_PROXY", "127.0.0.1,localhost"),
        ] {
            all.push((name.to_owned(), value.to_owned()));
            all.push((name.to_lowercase(), value.to_owned()));
        }
        all
    }

    /// Who came: the first line that each said.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn first_line(stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, at: usize) {
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line).await.is_ok() {
        seen.lock().unwrap()[at] = line.trim_end().to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn who_comes_is_remembered() {
        let trap = Trap::start().await;
        assert!(trap.seen().is_empty());
        let mut stream = TcpStream::connect(trap.address).await.unwrap();
        let line = b"CONNECT api.github.com:443 HTTP/1.1\r\n";
        stream.write_all(line).await.unwrap();
        let seen = wait::until("the line", || {
            let seen = trap.seen();
            async move { seen.iter().any(|line| line.contains("api")).then_some(seen) }
        });
        assert_eq!(seen.await, ["CONNECT api.github.com:443 HTTP/1.1"]);
    }
}
