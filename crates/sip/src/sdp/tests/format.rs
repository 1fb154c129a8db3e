//! Codecs in whose order, and what goes with them.

use super::*;

fn with(codecs: &[Codec]) -> LocalMedia {
    LocalMedia { codecs: codecs.to_vec(), either_law: false, ..local() }
}

fn offer_of(stream: &[&str]) -> Vec<u8> {
    body(&[&HEAD[..], &[C], stream].concat())
}

#[test]
fn an_offer_names_codecs_in_the_users_order_with_an_event_for_each_clock() {
    let all = with(&[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]);
    insta::assert_snapshot!(shown(&offer(&all)), @"
    v=0
    o=- 42 7 IN IP4 192.0.2.1
    s=-
    c=IN IP4 192.0.2.1
    t=0 0
    m=audio 10000 RTP/AVP 111 9 8 0 101 110
    a=rtpmap:111 opus/48000/2
    a=fmtp:111 maxplaybackrate=16000;stereo=0;useinbandfec=1
    a=rtpmap:9 G722/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtpmap:110 telephone-event/48000
    a=fmtp:110 0-15
    a=rtcp-mux
    a=ptime:20
    a=sendrecv
    ");
    assert!(offer(&with(&[Codec::Opus])).contains("m=audio 10000 RTP/AVP 111 101 110\r\n"), "8 kHz is what all know");
    assert!(offer(&with(&[Codec::Pcmu])).contains("m=audio 10000 RTP/AVP 0 101\r\n"), "no clock that no codec has");
}

#[test]
fn an_answer_takes_what_the_user_likes_best() {
    let wide = ["m=audio 4000 RTP/AVP 0 8 9 96", "a=rtpmap:96 opus/48000/2"];
    for (codecs, want) in [
        (vec![Codec::Pcma, Codec::Pcmu], Codec::Pcma),
        (vec![Codec::G722, Codec::Opus], Codec::G722),
        (vec![Codec::Opus, Codec::Pcmu], Codec::Opus),
        (vec![Codec::Pcmu], Codec::Pcmu),
    ] {
        assert_eq!(negotiate(&offer_of(&wide), &with(&codecs)).map(|n| n.media.codec), Ok(want));
        let first = read_answer(&offer_of(&wide), &with(&codecs)).map(|media| media.codec);
        let theirs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].into_iter().find(|codec| codecs.contains(codec));
        assert_eq!(first.ok(), theirs, "of an answer the first counts, for its writer sends it");
    }
}

#[test]
fn between_the_two_laws_the_network_decides_where_the_user_has_not() {
    let all = [Codec::Pcmu, Codec::Pcma, Codec::G722];
    for (either_law, codecs, stream, want) in [
        (true, &all[..], "m=audio 4000 RTP/AVP 9 8 0", Codec::Pcma),
        (true, &all[..], "m=audio 4000 RTP/AVP 9 0 8", Codec::Pcmu),
        (false, &all[..], "m=audio 4000 RTP/AVP 9 8 0", Codec::Pcmu),
        (true, &[Codec::G722, Codec::Pcmu, Codec::Pcma][..], "m=audio 4000 RTP/AVP 8 9", Codec::G722),
        (true, &[Codec::Pcmu][..], "m=audio 4000 RTP/AVP 8 0", Codec::Pcmu),
    ] {
        let local = LocalMedia { either_law, ..with(codecs) };
        assert_eq!(negotiate(&offer_of(&[stream]), &local).map(|n| n.media.codec), Ok(want), "{stream}");
    }
}

#[test]
fn an_answer_with_opus() {
    let stream = [
        "m=audio 4000 RTP/AVPF 96 0 97 98",
        "a=rtpmap:96 OPUS/48000/2",
        "a=fmtp:96 useinbandfec=1; maxaveragebitrate = 20000;MaxPlaybackRate=16000;x",
        "a=rtpmap:97 telephone-event/8000",
        "a=rtpmap:98 telephone-event/48000",
        "a=rtcp-mux",
    ];
    let negotiated = negotiate(&offer_of(&stream), &with(&[Codec::Opus, Codec::Pcmu])).expect("usable");
    insta::assert_snapshot!(shown(&negotiated.answer), @"
    v=0
    o=- 42 7 IN IP4 192.0.2.1
    s=-
    c=IN IP4 192.0.2.1
    t=0 0
    m=audio 10000 RTP/AVPF 96 98
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 maxplaybackrate=16000;stereo=0;useinbandfec=1
    a=rtpmap:98 telephone-event/48000
    a=fmtp:98 0-15
    a=rtcp-mux
    a=ptime:20
    a=sendrecv
    ");
    let wanted = OpusParams { max_playback_rate_hz: 16_000, max_average_bitrate: Some(20_000), use_inband_fec: true };
    assert_eq!((negotiated.media.opus, negotiated.media.dtmf_clock_hz), (wanted, 48_000));
}

#[test]
fn what_a_stranger_says_of_opus_is_taken_where_it_makes_sense() {
    let usual = OpusParams::default();
    for (fmtp, want) in [
        ("96 maxplaybackrate=8000", OpusParams { max_playback_rate_hz: 8_000, ..usual }),
        ("96 maxplaybackrate=7999;maxaveragebitrate=1", usual),
        ("96 maxplaybackrate=-1;useinbandfec=yes", usual),
        ("96 useinbandfec=1", OpusParams { use_inband_fec: true, ..usual }),
        ("97 useinbandfec=1", usual),
        ("96", usual),
        ("96 ;;=;=", usual),
    ] {
        let stream = ["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000", &format!("a=fmtp:{fmtp}")];
        let media = negotiate(&offer_of(&stream), &with(&[Codec::Opus])).expect("usable").media;
        assert_eq!(media.opus, want, "{fmtp}");
    }
}

#[test]
fn events_and_noise_go_with_the_codec() {
    let events = ["a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000", "a=rtpmap:96 opus/48000/2"];
    for (codec, formats, event, clock, noise) in [
        (Codec::Opus, "96 101 102", Some(102), 48_000, None),
        (Codec::Opus, "96 101 13", Some(101), 8_000, None),
        (Codec::Opus, "96", None, 48_000, None),
        (Codec::Pcmu, "0 102 101", Some(101), 8_000, None),
        (Codec::Pcmu, "0 102", None, 8_000, None),
        (Codec::G722, "9 13 101", Some(101), 8_000, Some(13)),
        (Codec::Pcma, "8 98", None, 8_000, Some(98)),
    ] {
        let stream = format!("m=audio 4000 RTP/AVP {formats}");
        let lines: Vec<&str> = [&[&*stream][..], &events, &["a=rtpmap:98 CN/8000"]].concat();
        let negotiated = negotiate(&offer_of(&lines), &with(&[codec])).expect("usable");
        let media = &negotiated.media;
        assert_eq!(
            (media.dtmf_payload_type, media.dtmf_clock_hz, media.comfort_noise_payload_type),
            (event, clock, noise),
            "{codec:?} {formats}"
        );
        assert_eq!(negotiated.answer.contains("CN/8000"), noise.is_some(), "what is understood is said");
    }
}

#[test]
fn g722_has_a_number_of_its_own() {
    let ok = |lines: &[&str], want: u8| {
        let media = negotiate(&offer_of(lines), &with(&[Codec::G722])).expect("usable").media;
        assert_eq!((media.codec, media.payload_type), (Codec::G722, want));
    };
    ok(&["m=audio 4000 RTP/AVP 9"], 9);
    ok(&["m=audio 4000 RTP/AVP 99", "a=rtpmap:99 g722/8000/1"], 99);
}

#[test]
fn packets_are_no_longer_than_the_other_side_allows() {
    for (lines, want) in [
        (["a=ptime:40", "a=maxptime:30"], 30),
        (["a=ptime:20", "a=maxptime:150"], 20),
        (["", "a=maxptime:10"], 10),
        (["", "a=maxptime:15"], 10),
        (["a=ptime:30", "a=maxptime:0"], 30),
        (["a=maxptime:240", "a=ptime:60"], 60),
    ] {
        let stream = [&["m=audio 4000 RTP/AVP 0"][..], &lines].concat();
        let media = negotiate(&offer_of(&stream), &local()).expect("usable").media;
        assert_eq!(media.ptime_ms, want, "{lines:?}");
    }
}

#[test]
fn reports_share_the_port_or_go_where_they_are_wanted() {
    for (line, mux, want) in [
        ("", false, Some("198.51.100.1:4001")),
        ("a=rtcp-mux", true, None),
        ("a=rtcp:4444", false, Some("198.51.100.1:4444")),
        ("a=rtcp:4444 IN IP4 198.51.100.9", false, Some("198.51.100.9:4444")),
        ("a=rtcp:4444 IN IP6 2001:db8::1", false, Some("198.51.100.1:4001")),
        ("a=rtcp:4444 IN IP4 224.0.0.1", false, Some("198.51.100.1:4001")),
        ("a=rtcp:0", false, Some("198.51.100.1:4001")),
        ("a=rtcp:x", false, Some("198.51.100.1:4001")),
    ] {
        let negotiated = negotiate(&offer_of(&["m=audio 4000 RTP/AVP 0", line]), &local()).expect("usable");
        let media = negotiated.media;
        assert_eq!((media.rtcp_mux, media.rtcp.map(|to| to.to_string()).as_deref()), (mux, want), "{line}");
        assert_eq!(negotiated.answer.contains("a=rtcp-mux\r\n"), mux);
    }
    let held = body(&[&HEAD[..], &["c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0"]].concat());
    assert_eq!(negotiate(&held, &local()).expect("usable").media.rtcp, None);
    assert_eq!(negotiate(&offer_of(&["m=audio 65535 RTP/AVP 0"]), &local()).expect("usable").media.rtcp, None);
}
