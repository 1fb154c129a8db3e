//! JSON Web Tokens of an identity provider (RFC 7519, RFC 8725): signed by one of its keys, for us, not over, and with a role
//! in their claims.

use super::provider::{Provider, ProviderFault};
use callie_domain::Role;
use jiff::Timestamp;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::PublicKeyUse;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What a provider may sign with. None of them takes a key that we could be made to mistake for a password (RFC 8725 §3.1).
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// That clocks may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// Bytes; a token with many groups in it has a few thousand.
const LONGEST: usize = 16 * 1024;

/// Which claims mean what.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Whom tokens must be for.
    pub audience: String,
    /// Holds `admin`, `operator` or `user`, alone or in a list; a path with dots leads into objects.
    pub role: String,
    /// Holds the user's id for role `user`.
    pub user: String,
    /// Verified e-mail addresses or subjects that are admins whatever the claims say.
    pub admins: Vec<String>,
}

#[derive(Debug)]
pub struct Tokens {
    pub(super) provider: Arc<Provider>,
    claims: Claims,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The e-mail address where it is verified, else the subject.
    pub name: String,
    pub role: Role,
    /// It is good no longer than this.
    pub until: Timestamp,
    pub nonce: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    #[error("the token {0}")]
    Bad(String),
    #[error(
        "{name} is known to the identity provider and has no role here: its token needs the claim {claim} (admin, operator, or user with the user's id in {user_claim})"
    )]
    NoRole { name: String, claim: String, user_claim: String },
    #[error(transparent)]
    Provider(#[from] ProviderFault),
}

impl Tokens {
    pub fn new(provider: Arc<Provider>, claims: Claims) -> Self {
        Self { provider, claims }
    }

    pub async fn verify(&self, token: &str) -> Result<Bearer, TokenFault> {
        let bad = |why: &str| TokenFault::Bad(why.to_owned());
        if token.len() > LONGEST {
            return Err(bad("is too long"));
        }
        let header = decode_header(token).map_err(|error| explained(&error))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenFault::Bad(format!("is signed with {:?}, which is not taken", header.alg)));
        }
        let jwk = self.provider.key(header.kid.as_deref()).await?;
        let jwk = jwk.ok_or_else(|| bad("names a key that the identity provider does not publish"))?;
        let for_signing = jwk.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature);
        let for_this = jwk.common.key_algorithm.is_none_or(|alg| alg.to_string() == format!("{:?}", header.alg));
        if !for_signing || !for_this {
            return Err(bad("is signed with a key that is for something else"));
        }
        let key = DecodingKey::from_jwk(&jwk).map_err(|error| explained(&error))?;
        let mut rules = Validation::new(header.alg);
        rules.leeway = LEEWAY.as_secs();
        rules.validate_nbf = true;
        rules.set_audience(&[&self.claims.audience]);
        rules.set_issuer(&[&self.provider.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Map<String, Value>>(token, &key, &rules).map_err(|error| explained(&error))?.claims;
        self.bearer(&claims)
    }

    fn bearer(&self, claims: &Map<String, Value>) -> Result<Bearer, TokenFault> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = text("sub").unwrap_or_default();
        let email = text("email").filter(|_| claims.get("email_verified") == Some(&Value::Bool(true)));
        let name = email.unwrap_or(subject).to_owned();
        let is_named = |who: &str| self.claims.admins.iter().any(|admin| admin.eq_ignore_ascii_case(who));
        let role = match is_named(subject) || email.is_some_and(is_named) {
            true => Some(Role::Admin),
            false => self.role(claims),
        };
        let role = role.ok_or_else(|| TokenFault::NoRole {
            name: name.clone(),
            claim: self.claims.role.clone(),
            user_claim: self.claims.user.clone(),
        })?;
        // It was looked at already: there is one.
        let ends_s = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        let until =
            Timestamp::from_second(ends_s as i64).ok().and_then(|at| at.checked_add(LEEWAY).ok()).unwrap_or(Timestamp::MAX);
        Ok(Bearer { name, role, until, nonce: text("nonce").map(str::to_owned) })
    }

    /// The highest of the roles in the claim.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let words: Vec<&str> = match at(claims, &self.claims.role)? {
            Value::String(word) => vec![word],
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let user = at(claims, &self.claims.user).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let all = [Role::read("admin", None), Role::read("operator", None), Role::read("user", user)];
        all.into_iter().flatten().find(|role| words.contains(&role.word()))
    }
}

/// The claim of that name, or at that path.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(claims.get(first)?.as_object()?, rest)
    })
}

/// What is wrong, without the token's text.
fn explained(error: &Error) -> TokenFault {
    let why = match error.kind() {
        ErrorKind::ExpiredSignature => "has expired",
        ErrorKind::ImmatureSignature => "is not valid yet",
        ErrorKind::InvalidIssuer => "is of another issuer than CALLIE_OIDC_ISSUER",
        ErrorKind::InvalidAudience => "is for another audience than this server's (CALLIE_OIDC_AUDIENCE)",
        ErrorKind::InvalidSignature => "is not signed by the key that it names",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "is signed with an algorithm that is not taken",
        ErrorKind::MissingRequiredClaim(_) => "lacks one of exp, iss, aud and sub",
        _ => "cannot be read",
    };
    TokenFault::Bad(why.to_owned())
}
