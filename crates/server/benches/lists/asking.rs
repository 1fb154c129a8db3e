//! Questions asked one after the other on one connection, as a dashboard asks them, and how long the answers took.

use crate::questions::{Question, Until};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const HEAD: &str = "what | median ms | p95 | worst | KB";

pub struct Desk {
    base: String,
    client: reqwest::Client,
    runs: usize,
}

/// Sorted.
pub struct Taken {
    times: Vec<Duration>,
    bytes: usize,
}

impl Desk {
    pub fn new(address: SocketAddr, runs: usize) -> Self {
        Self { base: format!("http://{address}"), client: reqwest::Client::new(), runs }
    }

    pub async fn json(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.base)).send().await.expect("an answer").json().await.expect("JSON")
    }

    /// After one that warms the caches, as any question does.
    pub async fn ask(&self, question: &Question) -> Taken {
        let (_, bytes) = self.once(question).await;
        let mut times = Vec::new();
        for _ in 0..self.runs {
            times.push(self.once(question).await.0);
        }
        times.sort_unstable();
        Taken { times, bytes }
    }

    async fn once(&self, question: &Question) -> (Duration, usize) {
        let url = format!("{}{}", self.base, question.path);
        let begun = Instant::now();
        let mut response = self.client.get(&url).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{url}");
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.expect("a body") {
            bytes += chunk.len();
            if question.until == Until::FirstByte {
                break;
            }
        }
        (begun.elapsed(), bytes)
    }
}

impl Taken {
    pub fn median(&self) -> Duration {
        self.share(50)
    }

    fn share(&self, percent: usize) -> Duration {
        self.times[(self.times.len() - 1) * percent / 100]
    }

    pub fn row(&self, question: &Question) -> String {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
        let (median, p95, worst) = (ms(self.median()), ms(self.share(95)), ms(self.share(100)));
        format!("{} | {median} | {p95} | {worst} | {:.0}", question.what, self.bytes as f64 / 1_024.0)
    }
}
