//! Where quinn's tasks run.
//!
//! A connection's driver encrypts, decrypts and keeps its timers. One of news stays on the mesh's
//! thread. One of data moves to a worker as soon as it is known to be one: what a flow of that
//! worker writes is then sent without waking another thread, and nobody else takes the
//! connection's lock meanwhile. A worker that ends gives its drivers back: what its last flows
//! said is still on its way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::thread::{self, ThreadId};
use std::time::Instant;
use std::{fmt, io};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep_until};

use super::seat;
use super::socket::Socket;
use super::window::Switch;

/// The mesh's thread and the workers, as quinn sees them.
#[derive(Debug)]
pub struct Desks {
    mesh: Handle,
    workers: Vec<Handle>,
    next: AtomicUsize,
}

impl Desks {
    /// To be made on the mesh's thread. `workers` is not empty.
    pub fn new(workers: Vec<Handle>) -> Arc<Desks> {
        assert!(!workers.is_empty(), "a node has workers");
        Arc::new(Desks { mesh: Handle::current(), workers, next: AtomicUsize::new(0) })
    }
}

impl Runtime for Desks {
    fn new_timer(&self, due: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Timer::new(due))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        // quinn makes a connection's window just before it spawns its driver, in one call. The
        // endpoint's own driver comes before any.
        let Some(switch) = Switch::last_made() else {
            return seat::share(future, &self.mesh, &self.workers[0]);
        };
        let worker = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let place = Place::Mesh { switch, worker: self.workers[worker].clone() };
        self.mesh.spawn(Driver { future: Some(future), mesh: self.mesh.clone(), place });
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Socket::new(socket)?))
    }
}

/// A connection's driver, where it is now.
struct Driver {
    /// Until it has ended, or moved on.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    mesh: Handle,
    place: Place,
}

enum Place {
    /// On the mesh's thread, until its connection turns out to be one of data.
    Mesh {
        switch: Switch,
        worker: Handle,
    },
    Worker,
    /// On the mesh's thread again, for its worker has ended.
    Returned,
}

impl Driver {
    fn moves(&mut self, place: Place) -> Option<Driver> {
        Some(Driver { future: Some(self.future.take()?), mesh: self.mesh.clone(), place })
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Place::Mesh { switch, worker } = &self.place
            && switch.is_released()
        {
            let worker = worker.clone();
            if let Some(moved) = self.moves(Place::Worker) {
                // It is polled there at once, and so found by whoever wakes it.
                worker.spawn(moved);
            }
            return Poll::Ready(());
        }
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        ready!(future.as_mut().poll(cx));
        self.future = None;
        Poll::Ready(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Place::Worker = self.place
            && let Some(returned) = self.moves(Place::Returned)
        {
            // Where the mesh has ended as well, it is dropped there.
            self.mesh.clone().spawn(returned);
        }
    }
}

/// A timer that is mostly put off: with each packet, by a little. It is armed anew only when it
/// rings too early, or is due earlier, or has moved to another thread.
struct Timer {
    due: Instant,
    armed: Instant,
    sleep: Pin<Box<Sleep>>,
    thread: ThreadId,
}

impl Timer {
    fn new(due: Instant) -> Timer {
        let sleep = Box::pin(sleep_until(due.into()));
        Timer { due, armed: due, sleep, thread: thread::current().id() }
    }
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, due: Instant) {
        self.due = due;
        if due < self.armed {
            self.armed = due;
            self.sleep.as_mut().reset(due.into());
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.thread != thread::current().id() {
            let due = self.due;
            self.set(Timer::new(due));
        }
        loop {
            ready!(Future::poll(self.sleep.as_mut(), cx));
            if Instant::now() >= self.due {
                return Poll::Ready(());
            }
            self.armed = self.due;
            let due = self.due;
            self.sleep.as_mut().reset(due.into());
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("due", &self.due).finish_non_exhaustive()
    }
}
