//! Who receives: the endpoint's driver, which takes datagrams from the socket and hands them to the
//! connections they belong to.
//!
//! It sits on a worker, for most of what comes is for flows, and waking a second thread for each
//! datagram costs as much as all that is done with it. But news must come through however busy that
//! worker is: the mesh's thread asks it now and then, and while it does not answer in time, receives
//! itself.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two questions to the worker: how late it may be.
const ASK: Duration = Duration::from_millis(50);
/// Answers in time after which it receives again.
const PUNCTUAL: u32 = 20;

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets a worker drive `driver` while it is punctual, and the mesh's thread otherwise.
pub(super) fn share(driver: BoxFuture, mesh: &Handle, worker: &Handle) {
    let seat = Arc::new(Seat {
        driver: Mutex::new(Some(driver)),
        with_worker: AtomicBool::new(true),
        asked: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        worker: Mutex::new(None),
    });
    let watched = seat.clone();
    mesh.spawn(async move { watched.watch().await });
    worker.spawn(poll_fn(move |cx| seat.poll_as_worker(cx)));
}

struct Seat {
    /// `None` once it has ended.
    driver: Mutex<Option<BoxFuture>>,
    with_worker: AtomicBool,
    asked: AtomicU64,
    answered: AtomicU64,
    worker: Mutex<Option<Waker>>,
}

impl Seat {
    fn poll_as_worker(&self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut waker = lock(&self.worker);
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.answered.store(self.asked.load(Ordering::Acquire), Ordering::Release);
        if self.with_worker.load(Ordering::Acquire) { self.drive(cx) } else { self.has_ended() }
    }

    fn drive(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut driver = lock(&self.driver);
        let Some(future) = driver.as_mut() else { return Poll::Ready(()) };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            *driver = None;
        }
        polled
    }

    fn has_ended(&self) -> Poll<()> {
        if lock(&self.driver).is_none() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn ask(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
        if let Some(waker) = &*lock(&self.worker) {
            waker.wake_by_ref();
        }
    }

    /// The mesh's thread: asks, and receives while the answer is late. A worker that has ended
    /// never answers again.
    async fn watch(&self) {
        let mut beat = interval(ASK);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut punctual = 0;
        while self.beat(&mut beat).await {
            let in_time =
                self.answered.load(Ordering::Acquire) == self.asked.load(Ordering::Acquire);
            punctual = if in_time { punctual + 1 } else { 0 };
            let with_worker = self.with_worker.load(Ordering::Acquire);
            if with_worker && !in_time {
                self.with_worker.store(false, Ordering::Release);
            } else if !with_worker && punctual >= PUNCTUAL {
                self.with_worker.store(true, Ordering::Release);
            }
            if in_time {
                self.ask();
            }
        }
        // For the worker's task to see the end.
        self.ask();
    }

    /// Until the next question; receives meanwhile, where that is ours to do. False at the end.
    async fn beat(&self, beat: &mut Interval) -> bool {
        poll_fn(|cx| {
            let ended = if self.with_worker.load(Ordering::Acquire) {
                self.has_ended()
            } else {
                self.drive(cx)
            };
            match ended {
                Poll::Ready(()) => Poll::Ready(false),
                Poll::Pending => beat.poll_tick(cx).map(|_| true),
            }
        })
        .await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // One who panics here does so inside quinn, whose endpoint is then at its end.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::{self, ThreadId};

    use tokio::runtime::Builder;
    use tokio::sync::Notify;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    /// A thread with a runtime, until its sender is dropped.
    fn desk() -> (Handle, Sender<()>, ThreadId) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (stay, stays) = channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                while !matches!(stays.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected))
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        });
        (handle, stay, thread.thread().id())
    }

    /// A driver that says on which thread it is polled, whenever it is told to.
    fn driver() -> (BoxFuture, Arc<Notify>, Receiver<ThreadId>) {
        let (says, said) = channel();
        let call = Arc::new(Notify::new());
        let called = call.clone();
        let future = async move {
            loop {
                called.notified().await;
                if says.send(thread::current().id()).is_err() {
                    return;
                }
            }
        };
        (Box::pin(future), call, said)
    }

    fn until_with(thread: ThreadId, call: &Notify, said: &Receiver<ThreadId>) {
        let end = std::time::Instant::now() + WITHIN;
        loop {
            call.notify_one();
            if said.recv_timeout(WITHIN).expect("somebody drives it") == thread {
                return;
            }
            assert!(std::time::Instant::now() < end, "it stays elsewhere");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn the_mesh_takes_over_from_a_worker_that_hangs_and_gives_back() {
        let (mesh, _mesh_stays, mesh_thread) = desk();
        let (worker, _worker_stays, worker_thread) = desk();
        let (future, call, said) = driver();
        share(future, &mesh, &worker);
        until_with(worker_thread, &call, &said);
        let (go, gone) = channel::<()>();
        worker.spawn(async move {
            // It hangs, which no task should.
            let _ = gone.recv_timeout(WITHIN);
        });
        until_with(mesh_thread, &call, &said);
        drop(go);
        until_with(worker_thread, &call, &said);
    }

    #[test]
    fn the_mesh_takes_over_from_a_worker_that_has_ended() {
        let (mesh, _mesh_stays, mesh_thread) = desk();
        let (worker, worker_stays, worker_thread) = desk();
        let (future, call, said) = driver();
        share(future, &mesh, &worker);
        until_with(worker_thread, &call, &said);
        drop(worker_stays);
        until_with(mesh_thread, &call, &said);
    }
}
