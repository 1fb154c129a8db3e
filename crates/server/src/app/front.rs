//! The front door as the configuration wants it: who is let in, under which names, over what connection.

use crate::api::authorize::TrustedProxies;
use crate::api::guard::Names;
use crate::api::headers::Secure;
use crate::config::{Config, Oidc};
use crate::identity::login::{Login, LoginSettings};
use crate::identity::provider::Provider;
use crate::identity::token::{Claims, Tokens};
use crate::identity::{Door, DoorSettings, FirstRun, Openness, Rates, Stays};
use anyhow::Context;
use axum::http::uri::Authority;
use callie_domain::Role;
use callie_domain::identity::KeyState;
use callie_store::{AccessStore, StoreError};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often addresses that nothing is held against any more are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// How often keys, sessions and tokens of those who stay are looked at again.
const ROUND_EVERY: Duration = Duration::from_secs(1);

pub struct Front {
    pub door: Door,
    pub names: Names,
    pub proxies: TrustedProxies,
    pub secure: Secure,
}

impl Front {
    pub fn new(config: &Config, access: Arc<dyn AccessStore>, listening: SocketAddr) -> anyhow::Result<Self> {
        let http = &config.http;
        let openness = openness(listening, http.closed, http.oidc.is_some());
        let tokens = http.oidc.as_ref().map(tokens).transpose()?;
        let login = match (&http.oidc, &tokens, &http.public_url) {
            (Some(oidc), Some(tokens), Some(url)) => login(oidc, tokens, url, http.is_secure()),
            _ => None,
        };
        let authority = |url: &url::Url| -> Option<Authority> {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}", url.host_str()?).parse().ok()
        };
        Ok(Self {
            door: Door {
                settings: DoorSettings { openness, secure: http.is_secure(), tokens, login },
                access,
                first: Arc::new(FirstRun::default()),
                rates: Arc::new(Rates::new(http.requests_per_second)),
                stays: Stays::default(),
            },
            names: Names { listening, public: http.public_url.as_ref().and_then(authority), any: openness == Openness::Closed },
            proxies: TrustedProxies(http.trusted_proxies.clone().into()),
            secure: Secure(http.is_secure()),
        })
    }

    /// Where nobody could get in yet, says how the first admin does.
    pub async fn announce(&self, config: &Config) -> Result<(), StoreError> {
        if self.door.is_open().await? || self.door.settings.tokens.is_some() {
            return Ok(());
        }
        let now = Timestamp::now();
        let keys = self.door.access.keys().await?;
        if keys.iter().any(|key| key.role == Role::Admin && key.state(now) == KeyState::Valid) {
            return Ok(());
        }
        let scheme = if config.http.tls.is_some() { "https" } else { "http" };
        let base = config
            .http
            .public_url
            .as_ref()
            .map_or_else(|| format!("{scheme}://{}", self.names.listening), |url| url.as_str().trim_end_matches('/').to_owned());
        let text = self.door.first.issue(now);
        tracing::warn!(
            "nobody has a key of role admin yet. Within the hour, once: open {base}/dashboard/first-run#{text} to sign in as the \
             first admin; or run on this machine: callie api-keys add --role admin --name NAME"
        );
        Ok(())
    }
}

/// Only this machine may come in without a key, and only where nobody has said that it must not.
fn openness(listening: SocketAddr, closed: bool, has_provider: bool) -> Openness {
    match listening.ip().is_loopback() && !closed && !has_provider {
        true => Openness::UntilThereIsAKey,
        false => Openness::Closed,
    }
}

/// Forgets what is over, for as long as it is awaited.
pub async fn tidy(door: Door) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        door.rates.tidy();
    }
}

/// Ends the feeds of those who may stay no longer, within a second, for as long as it is awaited.
pub async fn look_round(door: Door) {
    let mut rounds = tokio::time::interval(ROUND_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        door.look_round(Timestamp::now()).await;
    }
}

fn tokens(oidc: &Oidc) -> anyhow::Result<Arc<Tokens>> {
    let provider = Provider::new(&oidc.issuer, oidc.keys_url.clone()).context("no HTTP client for the identity provider")?;
    let claims = Claims {
        audience: oidc.audience.clone(),
        role: oidc.role_claim.clone(),
        user: oidc.user_claim.clone(),
        admins: oidc.admins.clone(),
    };
    Ok(Arc::new(Tokens::new(Arc::new(provider), claims)))
}

fn login(oidc: &Oidc, tokens: &Arc<Tokens>, public: &url::Url, secure: bool) -> Option<Arc<Login>> {
    let settings = LoginSettings {
        client_id: oidc.client_id.clone()?,
        client_secret: oidc.client_secret.clone(),
        redirect: public.join("/session/oidc/callback").ok()?.into(),
        secure,
    };
    Some(Arc::new(Login::new(settings, tokens.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_comes_in_without_a_key() {
        for (address, closed, provider, want) in [
            ("127.0.0.1:8080", false, false, Openness::UntilThereIsAKey),
            ("[::1]:8080", false, false, Openness::UntilThereIsAKey),
            ("127.0.0.1:8080", true, false, Openness::Closed),
            ("127.0.0.1:8080", false, true, Openness::Closed),
            ("0.0.0.0:8080", false, false, Openness::Closed),
            ("[::]:8080", false, false, Openness::Closed),
            ("192.168.1.5:8080", false, false, Openness::Closed),
            ("[::ffff:127.0.0.1]:8080", false, false, Openness::Closed),
        ] {
            assert_eq!(openness(address.parse().expect("an address"), closed, provider), want, "{address}");
        }
    }
}
