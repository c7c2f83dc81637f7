//! A client that says something to itself again and again, while something happens to others.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, Failure};
use super::storm::quantile;

/// How long an echo may take before it counts as lost.
const LOST: Duration = Duration::from_secs(20);

/// A client at work, in a task of its own.
pub struct Pulse {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Beats>,
}

/// What it met.
pub struct Beats {
    /// Still connected, unless `end` says otherwise.
    pub client: Client,
    /// How long each echo took.
    pub times: Vec<Duration>,
    /// Why it went no further, if it did not.
    pub end: Option<Failure>,
}

impl Pulse {
    /// Subscribes to `topic`, and from then on hears an echo every `pause`.
    pub async fn start(mut client: Client, topic: &str, pause: Duration) -> Pulse {
        client.subscribe(topic, 0).await;
        let (stop, mut stopped) = oneshot::channel();
        let topic = topic.to_owned();
        let task = tokio::spawn(async move {
            let mut beats = Beats { client, times: Vec::new(), end: None };
            while stopped.try_recv().is_err() {
                if let Err(end) = beats.echo(&topic).await {
                    beats.end = Some(end);
                    break;
                }
                tokio::time::sleep(pause).await;
            }
            beats
        });
        Pulse { stop, task }
    }

    /// Ends it after the echo that is under way.
    pub async fn stop(self) -> Beats {
        // It may have ended by itself.
        let _ = self.stop.send(());
        self.task.await.expect("it does not panic")
    }
}

impl Beats {
    async fn echo(&mut self, topic: &str) -> Result<(), Failure> {
        let said = format!("{topic} {}", self.times.len()).into_bytes();
        let start = Instant::now();
        let (bytes, _) = self.client.encode_publish(topic, &said, &Default::default());
        self.client.send(&bytes).await?;
        let heard = self.client.next_publish(LOST).await?;
        assert!(heard.topic == topic && heard.payload == said, "what was said comes back");
        self.times.push(start.elapsed());
        Ok(())
    }

    /// The worst of them.
    pub fn worst(&self) -> Duration {
        quantile(self.times.clone(), 1.0)
    }
}

/// Ends them all; panics unless each went on to the last. One line for people.
pub async fn undisturbed(what: &str, pulses: Vec<Pulse>) -> Duration {
    let (mut all, mut worst) = (Vec::new(), Duration::ZERO);
    let n = pulses.len();
    for pulse in pulses {
        let beats = pulse.stop().await;
        assert_eq!(beats.end, None, "{what}: undisturbed");
        assert!(beats.times.len() > 1, "{what}: it went on");
        worst = worst.max(beats.worst());
        all.extend(beats.times);
        beats.client.disconnect().await;
    }
    println!(
        "{what}: {n} clients, {} echoes, median {:.1?}, p99 {:.1?}, worst {worst:.1?}",
        all.len(),
        quantile(all.clone(), 0.5),
        quantile(all.clone(), 0.99)
    );
    worst
}
