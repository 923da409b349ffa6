//! What stands before several processes: a balancer that sends each connection to one that lives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};

/// Where the processes are that live.
#[derive(Clone, Default)]
pub(super) struct Living(Arc<Mutex<Vec<SocketAddr>>>);

impl Living {
    pub(super) fn add(&self, address: SocketAddr) {
        self.0.lock().unwrap().push(address);
    }

    pub(super) fn remove(&self, address: SocketAddr) {
        self.0.lock().unwrap().retain(|other| *other != address);
    }

    fn all(&self) -> Vec<SocketAddr> {
        let mut all = self.0.lock().unwrap().clone();
        fastrand::shuffle(&mut all);
        all
    }
}

/// Starts to balance, and answers where.
pub(super) async fn open(living: Living) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let living = living.all();
            tokio::spawn(pass(client, living));
        }
    });
    address
}

/// Where nobody lives, the connection is closed.
async fn pass(mut client: TcpStream, living: Vec<SocketAddr>) {
    for address in living {
        if let Ok(mut server) = TcpStream::connect(address).await {
            let _one_side_may_break_off =
                tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
