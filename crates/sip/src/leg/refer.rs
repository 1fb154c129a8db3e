//! Transfers by REFER (RFC 3515) in both directions. Not the transfer itself: who calls whom is the product's.
//!
//! ```text
//!   ours:    REFER ─▶ 202 ─▶ NOTIFY 100 … NOTIFY 200 (sipfrag) ─▶ done
//!                  ─▶ refused ─▶ done
//!                  ─▶ 202 with Refer-Sub: false (RFC 4488) ─▶ done, the outcome stays unknown
//!   theirs:  REFER ─▶ the product says yes ─▶ 202, NOTIFY 100 ─▶ its reports as NOTIFY ─▶ done
//! ```

use super::offer::refused;
use super::session::{Ask, Session};
use super::sink::Teller;
use super::{DialogId, LegEvent, RequestFailure};
use crate::account::aor_uri;
use crate::header::{self, percent_decode, scan::param};
use crate::stack::{Heard, Incoming, Method};
use callie_domain::DialTarget;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The product answers out of memory; longer than this means that nobody does.
const REPLY_WITHIN: Duration = Duration::from_secs(5);
/// A telephone that rings longer than this is given up: the life of a subscription that nobody ends.
const LONGEST: Duration = Duration::from_secs(330);
/// Notices and reports that wait; a transfer has a handful.
const QUEUE: usize = 8;
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// Whom a REFER names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferTo {
    /// `sip:+491234@carrier.example`, without headers.
    pub uri: String,
    /// The call of the target that the new one takes the place of (RFC 3891), as its other party names it: our own
    /// [`super::LegControl::dialog_id`] of the leg to the target, or, when we are asked, the peer's.
    pub replaces: Option<DialogId>,
}

impl ReferTo {
    /// The value of `Refer-To`.
    fn header(&self) -> String {
        match &self.replaces {
            None => format!("<{}>", self.uri),
            Some(id) => format!("<{}?Replaces={}>", self.uri, escape_header(&id.replaces())),
        }
    }

    /// Reads a `Refer-To`; `None` when it is no call that we could place.
    fn parse(value: &str) -> Option<Self> {
        let whole = super::dialog::address_uri(value);
        let (uri, headers) = whole.split_once('?').unwrap_or((whole, ""));
        let (scheme, rest) = uri.split_once(':')?;
        let is_known = ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let is_invite = param(rest, "method").is_none_or(|method| method.eq_ignore_ascii_case("INVITE"));
        if !is_known || !is_invite || rest.is_empty() || uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return None;
        }
        let mut replaces = None;
        for field in headers.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=')?;
            if name.eq_ignore_ascii_case("Replaces") {
                let (id, _) = DialogId::of_replaces(&percent_decode(value)?)?;
                replaces = Some(id.reversed());
            }
        }
        Some(Self { uri: uri.to_owned(), replaces })
    }

    /// The target as something that may be dialled; `None` when it has parts that we would not write.
    pub fn dial_target(&self) -> Option<DialTarget> {
        let (scheme, rest) = self.uri.split_once(':')?;
        let (user, host) = match rest.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None if scheme.eq_ignore_ascii_case("tel") => (rest, None),
            None => return None,
        };
        let bare = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
        let user = percent_decode(&bare(user))?;
        match host {
            Some(host) => format!("{user}@{}", bare(host)).parse().ok(),
            None => user.parse().ok(),
        }
    }
}

/// Everything that `hname` and `hvalue` of a URI must not hold (RFC 3261 §25.1), escaped.
fn escape_header(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:+$".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The transfers of one leg: at most one of each direction.
#[derive(Debug, Default)]
pub(super) struct Refers {
    ours: Mutex<Option<mpsc::Sender<Progress>>>,
    theirs: Mutex<Option<mpsc::Sender<(u16, String)>>>,
}

/// What a NOTIFY tells.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Progress {
    code: u16,
    phrase: String,
    done: bool,
}

impl Progress {
    fn new(code: u16, phrase: &str, done: bool) -> Self {
        Self { code, phrase: phrase.to_owned(), done }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a REFER, and tells what comes of it.
pub(super) fn begin(session: &Arc<Session>, target: ReferTo, events: Teller) {
    let (notices, heard) = mpsc::channel(QUEUE);
    let tell = move |p: Progress| {
        events.tell(LegEvent::TransferProgress { code: p.code, phrase: p.phrase, done: p.done });
    };
    {
        let mut ours = lock(&session.refers.ours);
        if ours.is_some() {
            return tell(Progress::new(491, "a transfer is under way", true));
        }
        // A NOTIFY may overtake the 202 (RFC 6665 §4.1.2.4).
        *ours = Some(notices);
    }
    let session = session.clone();
    session.clone().beside(async move {
        follow(&session, &target, heard, &tell).await;
        *lock(&session.refers.ours) = None;
    });
}

async fn follow(session: &Session, target: &ReferTo, mut notices: mpsc::Receiver<Progress>, tell: &impl Fn(Progress)) {
    let account = session.line.account();
    let ask = Ask::new(Method::Refer)
        .with("Refer-To", target.header())
        .with("Referred-By", format!("<{}>", aor_uri(&account, account.from_user.as_deref())));
    match session.ask(&ask).await {
        Ok(Heard::Reply(reply)) if reply.code < 300 => {
            let is_silent = reply.header("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
            tell(Progress::new(reply.code, &reply.phrase, is_silent));
            if is_silent {
                return;
            }
        }
        Ok(Heard::Reply(reply)) => return tell(Progress::new(reply.code, &reply.phrase, true)),
        Ok(Heard::Timeout) => return tell(Progress::new(408, "no response to our REFER", true)),
        Ok(Heard::ConnectionLost) => return tell(Progress::new(503, "the connection broke under our REFER", true)),
        Err(error) => return tell(Progress::new(503, &error.to_string(), true)),
    }
    // The first NOTIFY comes at once (RFC 3515 §2.4.4), the last when the target's telephone has had its time.
    let mut patience = session.wire.patience();
    loop {
        match tokio::time::timeout(patience, notices.recv()).await {
            Ok(Some(progress)) => {
                let done = progress.done;
                tell(progress);
                if done {
                    return;
                }
                patience = LONGEST;
            }
            _ => return tell(Progress::new(408, "the peer has not told what became of the transfer", true)),
        }
    }
}

/// A NOTIFY of the peer: about our REFER, or about nothing that we know.
pub(super) async fn notified(session: &Session, request: Incoming) {
    let event = request.header("Event").unwrap_or_default();
    let event = event.split(';').next().unwrap_or_default().trim().to_owned();
    if !event.eq_ignore_ascii_case("refer") {
        return request.answer(session.answer(489).with("Allow-Events", "refer")).await;
    }
    let Some(notices) = lock(&session.refers.ours).clone() else { return request.answer(session.answer(481)).await };
    let progress = progress(request.header("Subscription-State").unwrap_or_default(), request.body());
    // A flood of notices loses the newest: the last one is waited for, with a bound.
    if let Some(progress) = progress {
        notices.try_send(progress).ok();
    }
    request.answer(session.answer(200)).await;
}

/// What a NOTIFY says: the status line of its fragment, and whether it is the last one.
fn progress(subscription: &str, body: &[u8]) -> Option<Progress> {
    let state = subscription.split(';').next().unwrap_or_default().trim();
    let is_terminated = state.eq_ignore_ascii_case("terminated");
    let text = String::from_utf8_lossy(body);
    let status = text.lines().next().and_then(|line| line.strip_prefix("SIP/2.0 ")).and_then(|rest| {
        let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code.trim().parse::<u16>().ok().filter(|code| (100..700).contains(code))?;
        Some((code, header::scan::printable(phrase, 128)))
    });
    match status {
        Some((code, phrase)) => Some(Progress { code, phrase, done: is_terminated || code >= 200 }),
        None if is_terminated => {
            let reason = param(subscription, "reason").unwrap_or_default();
            Some(Progress::new(487, &format!("the transfer was given up {}", header::scan::printable(&reason, 64)), true))
        }
        None => None,
    }
}

/// A REFER of the peer: the product is asked.
pub(super) async fn asked(session: &Arc<Session>, request: Incoming, events: Teller) {
    let targets: Vec<&str> = request.headers("Refer-To").collect();
    let target = match targets.as_slice() {
        [one] => ReferTo::parse(one),
        _ => return request.answer(session.answer(400)).await,
    };
    let Some(target) = target else { return request.answer(session.answer(603)).await };
    let (reports, told) = mpsc::channel(QUEUE);
    let is_busy = {
        let mut theirs = lock(&session.refers.theirs);
        let is_busy = theirs.is_some();
        if !is_busy {
            *theirs = Some(reports);
        }
        is_busy
    };
    if is_busy {
        return request.answer(session.answer(491)).await;
    }
    let session = session.clone();
    session.clone().beside(async move {
        serve(&session, request, target, told, &events).await;
        *lock(&session.refers.theirs) = None;
    });
}

async fn serve(
    session: &Session,
    request: Incoming,
    target: ReferTo,
    mut reports: mpsc::Receiver<(u16, String)>,
    events: &Teller,
) {
    let (reply, replied) = oneshot::channel();
    let referred_by = request.header("Referred-By").map(|value| header::scan::printable(value, 256));
    events.tell(LegEvent::ReferAsked { target, referred_by, reply });
    let code = match tokio::time::timeout(REPLY_WITHIN, replied).await {
        Ok(Ok(Ok(()))) => 202,
        Ok(Ok(Err(code))) if (300..700).contains(&code) => code,
        _ => 603,
    };
    let is_silent = request.header("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
    let event = format!("refer;id={}", request.cseq().unwrap_or_default());
    let answer = session.answer(code).with("Contact", session.contact());
    request.answer(if is_silent && code == 202 { answer.with("Refer-Sub", "false") } else { answer }).await;
    if code != 202 || is_silent {
        return;
    }
    let mut report = (100, "Trying".to_owned());
    loop {
        let (code, phrase) = report;
        let state =
            if code >= 200 { "terminated;reason=noresource".to_owned() } else { format!("active;expires={}", LONGEST.as_secs()) };
        let notify = Ask::new(Method::Notify)
            .with("Event", event.clone())
            .with("Subscription-State", state)
            .with_body(SIPFRAG, &format!("SIP/2.0 {code} {}\r\n", header::scan::printable(&phrase, 128)));
        let gone = matches!(session.ask(&notify).await, Ok(Heard::Reply(reply)) if reply.code == 481);
        if code >= 200 || gone {
            return;
        }
        report = match tokio::time::timeout(LONGEST, reports.recv()).await {
            Ok(Some(report)) => report,
            _ => (408, "Request Timeout".to_owned()),
        };
    }
}

/// A word of the product about the call that the peer asked for.
pub(super) fn report(session: &Session, code: u16, phrase: String) {
    if let Some(reports) = lock(&session.refers.theirs).as_ref() {
        reports.try_send((code.clamp(100, 699), phrase)).ok();
    }
}

/// Sends an INFO after those before it.
pub(super) async fn info(session: &Session, kind: String, body: &str) -> Result<(), RequestFailure> {
    let _in_order = session.infos.lock().await;
    match session.ask(&Ask::new(Method::Info).with_body(kind, body)).await {
        Ok(Heard::Reply(reply)) if reply.code < 300 => Ok(()),
        Ok(Heard::Reply(reply)) => Err(refused(&reply)),
        Ok(Heard::Timeout) => Err(RequestFailure::Timeout),
        Ok(Heard::ConnectionLost) => Err(RequestFailure::Transport("connection lost".into())),
        Err(error) => Err(RequestFailure::Transport(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_and_read() {
        let id = DialogId { call_id: "a@b;c".into(), local_tag: "us".into(), remote_tag: "th=m".into() };
        let target = ReferTo { uri: "sip:bob@h".into(), replaces: Some(id.clone()) };
        assert_eq!(target.header(), "<sip:bob@h?Replaces=a%40b%3Bc%3Bto-tag%3Dth%3Dm%3Bfrom-tag%3Dus>");
        let plain = DialogId { call_id: "a@b".into(), ..id };
        let target = ReferTo { replaces: Some(plain), ..target };
        assert_eq!(ReferTo::parse(&target.header()), Some(target));
        for (value, uri) in [
            ("<sip:bob@h;user=phone>;x=1", Some("sip:bob@h;user=phone")),
            ("\"Bob\" <tel:+1234>", Some("tel:+1234")),
            ("sip:bob@h", Some("sip:bob@h")),
            ("<sip:bob@h?Subject=x>", Some("sip:bob@h")),
            ("<sip:bob@h;method=BYE>", None),
            ("<http://h>", None),
            ("<sip:bo b@h>", None),
            ("<sip:bob@h?Replaces=broken>", None),
            ("", None),
        ] {
            assert_eq!(ReferTo::parse(value).map(|t| t.uri).as_deref(), uri, "{value}");
        }
    }

    #[test]
    fn targets_may_be_dialled_when_they_are_plain() {
        for (uri, want) in [
            ("sip:+1234@h;user=phone", Some("+1234@h")),
            ("tel:+1-234", Some("+1234")),
            ("sip:*97%23@h:5070", Some("*97#@h:5070")),
            ("sip:h", None),
            ("sip:a%0db@h", None),
        ] {
            let target = ReferTo { uri: uri.into(), replaces: None };
            assert_eq!(target.dial_target().map(|t| t.to_string()).as_deref(), want, "{uri}");
        }
    }

    #[test]
    fn notices_are_read() {
        for (state, body, want) in [
            ("active;expires=60", "SIP/2.0 100 Trying\r\n", Some((100, false))),
            ("active", "SIP/2.0 180 Ringing", Some((180, false))),
            ("terminated;reason=noresource", "SIP/2.0 200 OK", Some((200, true))),
            ("active", "SIP/2.0 486 Busy Here", Some((486, true))),
            ("Terminated;reason=timeout", "", Some((487, true))),
            ("active", "", None),
            ("active", "SIP/2.0 9999 x", None),
            ("", "HTTP/1.1 200 OK", None),
        ] {
            assert_eq!(progress(state, body.as_bytes()).map(|p| (p.code, p.done)), want, "{state} {body}");
        }
    }
}
