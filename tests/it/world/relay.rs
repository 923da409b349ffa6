//! An address that stays, whatever stands behind it at the moment.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes bytes on, in both directions.
pub(super) struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
}

impl Relay {
    /// Listens until this process ends, outside of every story's runtime.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let led = Arc::clone(&target);
        thread::spawn(move || {
            for caller in listener.incoming() {
                let target = *led.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody there is what the caller sees: the connection is closed.
                let Some(server) = target.and_then(|to| TcpStream::connect(to).ok()) else {
                    continue;
                };
                let Ok(caller) = caller else { continue };
                join(&caller, &server).expect("handles of a connection");
            }
        });
        Self { address, target }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next connection on.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }
}

fn join(one: &TcpStream, other: &TcpStream) -> io::Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let ended = io::copy(&mut from, &mut to);
            // An end is passed on as such, a break as a break of both.
            let how = if ended.is_ok() { Shutdown::Write } else { Shutdown::Both };
            let (_gone, _already) = (to.shutdown(how), ended);
        });
    }
    Ok(())
}
