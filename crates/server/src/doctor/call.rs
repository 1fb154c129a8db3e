//! Judging the call of the account to itself.

use super::facts::{End, Facts, Held, SelfCall};
use callie_domain::examination::{Finding, Outcome, Subject};
use callie_domain::record::Cdr;

/// Of the time that an end listened, so much must be the other end's tone.
const HEARD: f32 = 0.6;
/// A score below this is what people complain of (ITU-T G.107, "some users dissatisfied").
const POOR_MOS: f32 = 3.6;

pub fn findings(facts: &Facts) -> Vec<Finding> {
    let rest = [Subject::Audio, Subject::Codec, Subject::Dtmf, Subject::Hold, Subject::SessionTimer];
    let without = |why: &str| rest.map(|subject| Finding::skipped(subject, why));
    let call = match &facts.call {
        Err(why) => {
            let mut findings = vec![Finding::skipped(Subject::SelfCall, why.clone())];
            findings.extend(without("there was no call"));
            return findings;
        }
        Ok(call) => call,
    };
    let reached = reached(call);
    if reached.outcome == Outcome::Failed {
        let mut findings = vec![reached];
        findings.extend(without("there was no call"));
        return findings;
    }
    vec![reached, audio(call), codec(call), dtmf(call), hold(call), session_timer(call)]
}

fn answered(end: Option<&End>) -> Option<&Cdr> {
    end?.cdr.as_ref().filter(|cdr| cdr.answered_at.is_some())
}

fn reached(call: &SelfCall) -> Finding {
    let number = &call.number;
    let (out, back) = (answered(call.out.as_ref()), answered(call.back.as_ref()));
    if let (Some(out), Some(_)) = (out, back) {
        let ms = out.answered_at.map_or(0, |at| at.as_millisecond() - out.started_at.as_millisecond());
        return Finding::passed(
            Subject::SelfCall,
            format!("{number} was called through the provider and answered here after {ms} ms"),
        );
    }
    let ended = call.out.as_ref().and_then(|end| end.cdr.as_ref()?.termination.clone());
    let why = ended.map_or_else(
        || "it was not answered".to_owned(),
        |end| format!("{}{}", end.reason.text(), end.detail.map(|detail| format!(" ({detail})")).unwrap_or_default()),
    );
    match (out, &call.back) {
        (Some(_), _) => Finding::failed(
            Subject::SelfCall,
            format!("{number} was answered, but not here: the provider sends its calls elsewhere (voicemail, another telephone)"),
            "check at the provider where calls of this number go, or give the line's own number: POST /users/{id}/doctor {\"number\": …}",
        ),
        (None, Some(_)) => Finding::failed(
            Subject::SelfCall,
            format!("{number} rang here, and the answer did not get through: {why}"),
            "our 200 or its ACK is lost: check external_address, NAT and SIP ALG",
        ),
        (None, None) => Finding::failed(
            Subject::SelfCall,
            format!("{number} was dialled and did not ring here: {why}"),
            "some providers do not let a line call itself: give another number of the line with {\"number\": …}; else the provider \
             cannot reach our Contact: check NAT, keepalive and accept_from",
        ),
    }
}

fn audio(call: &SelfCall) -> Finding {
    let share = |end: &Option<End>| end.as_ref().map_or(0.0, |end| end.tone_share);
    let (there, back) = (share(&call.back), share(&call.out));
    let heard = |share: f32| {
        if share >= HEARD {
            "heard"
        } else if share > 0.05 {
            "heard in part"
        } else {
            "not heard"
        }
    };
    let mos = |end: &Option<End>| end.as_ref()?.cdr.as_ref()?.media.as_ref()?.mos;
    let worst = [mos(&call.out), mos(&call.back)].into_iter().flatten().reduce(f32::min);
    let score = worst.map(|mos| format!(", MOS {mos:.1}")).unwrap_or_default();
    let text = format!(
        "caller to callee {} ({:.0} %), callee to caller {} ({:.0} %){score}",
        heard(there),
        there * 100.0,
        heard(back),
        back * 100.0
    );
    if there.min(back) < HEARD {
        return Finding::failed(
            Subject::Audio,
            text,
            "RTP does not get through: check that the RTP ports (rtp_port_min to rtp_port_max) are open for UDP both ways, \
             external_address, and that no SIP ALG rewrites our SDP",
        );
    }
    match worst {
        Some(mos) if mos < POOR_MOS => Finding::warning(
            Subject::Audio,
            text,
            "packets are lost or late on the way to the provider: check the network's load",
        ),
        _ => Finding::passed(Subject::Audio, text),
    }
}

fn codec(call: &SelfCall) -> Finding {
    let media = |end: &Option<End>| end.as_ref()?.cdr.as_ref()?.media.clone();
    match (media(&call.out), media(&call.back)) {
        (Some(out), Some(back)) => {
            let srtp = |suite: &Option<String>| suite.as_ref().map(|suite| format!(", {suite}")).unwrap_or_default();
            let text = format!("{}{} out, {}{} in", out.codec, srtp(&out.srtp), back.codec, srtp(&back.srtp));
            Finding::passed(Subject::Codec, text)
        }
        _ => Finding::skipped(Subject::Codec, "no audio was opened"),
    }
}

fn dtmf(call: &SelfCall) -> Finding {
    let heard = call.back.as_ref().map_or("", |end| end.keys_heard.as_str());
    let sent = call.keys_sent.as_str();
    if sent.is_empty() {
        return Finding::skipped(Subject::Dtmf, "the other side takes no keys");
    }
    if heard == sent {
        return Finding::passed(Subject::Dtmf, format!("{sent} was sent and heard"));
    }
    let text = format!("{sent} was sent, {} was heard", if heard.is_empty() { "nothing" } else { heard });
    Finding::warning(
        Subject::Dtmf,
        text,
        "try another dtmf setting of the user (rfc4733, info or inband) and ask the provider which it carries",
    )
}

fn hold(call: &SelfCall) -> Finding {
    match call.hold {
        Some(Held::Accepted) => Finding::passed(Subject::Hold, "the call was held and taken back"),
        Some(Held::Refused(code)) => Finding::warning(
            Subject::Hold,
            format!("the provider refuses to hold ({code})"),
            "warm transfers will leave the caller listening instead of on hold; nothing else depends on it",
        ),
        Some(Held::Broken) => Finding::failed(
            Subject::Hold,
            "the call broke when it was held",
            "the provider does not take re-INVITE: tell it; avoid holding and warm transfers on this line",
        ),
        None => Finding::skipped(Subject::Hold, "the call ended before it could be held"),
    }
}

fn session_timer(call: &SelfCall) -> Finding {
    let messages = call.out.iter().flat_map(|end| &end.messages);
    let wanted = messages.filter(|m| m.start_line().starts_with("SIP/2.0 200")).find_map(|m| {
        m.field("CSeq").filter(|cseq| cseq.ends_with("INVITE"))?;
        m.field("Session-Expires").map(str::to_owned)
    });
    match wanted {
        Some(timer) => Finding::passed(
            Subject::SessionTimer,
            format!("the provider agrees to one (Session-Expires: {timer}); it is kept by refreshes"),
        ),
        None => Finding::passed(
            Subject::SessionTimer,
            "the provider wants none; a call that goes dead is found by OPTIONS and by its silence",
        ),
    }
}
