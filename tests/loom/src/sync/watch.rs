//! The part of tokio's `watch` that pat-core uses. Its methods block: each thread of a model runs one
//! future.

use loom::sync::{Arc, Condvar, Mutex};

#[derive(Debug)]
struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    is_closed: bool,
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Channel<T>>);

#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

/// The sender is gone.
#[derive(Debug)]
pub(crate) struct Closed;

pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State {
        value,
        is_closed: false,
    };
    let channel = Arc::new(Channel {
        state: Mutex::new(state),
        changed: Condvar::new(),
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Channel<T> {
    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        change(&mut self.state.lock().expect("no thread panics"));
        self.changed.notify_all();
    }
}

impl<T> Sender<T> {
    pub(crate) fn send_replace(&self, value: T) {
        self.0.change(|state| state.value = value);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_closed = true);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Receiver<T> {
    #[expect(clippy::unused_async, reason = "the signature of tokio's")]
    pub(crate) async fn wait_for(&mut self, is_met: impl Fn(&T) -> bool) -> Result<T, Closed> {
        let mut state = self.0.state.lock().expect("no thread panics");
        loop {
            if is_met(&state.value) {
                return Ok(state.value.clone());
            }
            if state.is_closed {
                return Err(Closed);
            }
            state = self.0.changed.wait(state).expect("no thread panics");
        }
    }
}
