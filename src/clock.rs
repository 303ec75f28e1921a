//! Clock: the only source of time and of chance.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ulid::Ulid;

use crate::domain::{
    Millis,
    ids::{ExecutionId, TaskId, TokenId},
    lock::lock,
};

/// A wait until a time; it may end earlier.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// Epoch milliseconds by the wall clock.
    fn now(&self) -> Millis;
    /// Waits until the wall clock shows `moment`. The wait may end early, above all when the clock is set:
    /// read the time again afterwards.
    fn sleep_until(&self, moment: Millis) -> Sleep<'_>;
    /// Returns a random number in 0..1.
    fn roll(&self) -> f64;
    /// Returns 128 random bits.
    fn bits(&self) -> u128;
    /// Milliseconds since the machine started, those of its sleep included: nobody can set this clock.
    fn boot(&self) -> Millis {
        since_boot()
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Millis {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
fn since_boot() -> Millis {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    Millis::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(Millis::MAX)
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now(&self) -> Millis {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX),
            Err(before) => -Millis::try_from(before.duration().as_millis()).unwrap_or(Millis::MAX),
        }
    }

    fn sleep_until(&self, moment: Millis) -> Sleep<'_> {
        Box::pin(sleep_until(moment, self.now()))
    }

    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    fn roll(&self) -> f64 {
        rand::random()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    fn bits(&self) -> u128 {
        rand::random()
    }
}

/// Waits by a kernel timer on the wall clock: exact to the microsecond, and it fires when the clock is set.
#[cfg(target_os = "linux")]
async fn sleep_until(moment: Millis, now: Millis) {
    if moment <= now {
        return;
    }
    if let Err(error) = wall_clock_timer(moment).await {
        tracing::warn!(%error, "the wall-clock timer failed; waiting by the monotonic clock");
        tokio::time::sleep(bounded_wait(moment, now)).await;
    }
}

#[cfg(target_os = "linux")]
async fn wall_clock_timer(moment: Millis) -> std::io::Result<()> {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let value = Timespec { tv_sec: moment.div_euclid(1000), tv_nsec: moment.rem_euclid(1000) * 1_000_000 };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once)?;
    #[expect(unsafe_code, reason = "the timer has no safe wrapper in tokio")]
    // SAFETY: the OwnedFd stays open, with the same number, as long as the AsyncFd owns it.
    let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
    // The timer is readable at the moment, and with ECANCELED after the clock was set.
    timer.readable().await.map(drop)
}

#[cfg(not(target_os = "linux"))]
async fn sleep_until(moment: Millis, now: Millis) {
    tokio::time::sleep(bounded_wait(moment, now)).await;
}

/// The time until `moment`, at most a second, so that a step of the wall clock is noticed within one.
fn bounded_wait(moment: Millis, now: Millis) -> Duration {
    Duration::from_millis(moment.saturating_sub(now).clamp(0, 1000).unsigned_abs())
}

/// Measures durations by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at 0.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn millis(self) -> Millis {
        Millis::try_from(self.0.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Makes ids in ascending order, even when the clock is set back.
pub struct Ids {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Ulid>>,
}

impl Ids {
    /// Takes random bits from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::default() }
    }

    fn next(&self, now: Millis) -> Ulid {
        let mut last = lock(&self.last);
        let time = now.max(0).unsigned_abs();
        let fresh = Ulid::from_parts(time, self.clock.bits());
        let next = match *last {
            Some(last) if last.timestamp_ms() >= time => last.increment().unwrap_or(fresh),
            _ => fresh,
        };
        *last = Some(next);
        next
    }

    /// Makes an id for a task created at `now`.
    pub fn task(&self, now: Millis) -> TaskId {
        TaskId(self.next(now))
    }

    /// Makes an id for an execution created at `now`.
    pub fn execution(&self, now: Millis) -> ExecutionId {
        ExecutionId(self.next(now))
    }

    /// Makes an id for a token created at `now`.
    pub fn token(&self, now: Millis) -> TokenId {
        TokenId(self.next(now))
    }
}

/// Makes 256 random bits, in hexadecimal.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
pub fn random_token() -> String {
    let bits: [u128; 2] = [rand::random(), rand::random()];
    format!("{:032x}{:032x}", bits[0], bits[1])
}

/// Makes random bytes, for keys and nonces. The generator is a cryptographic one, seeded by the system.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
