use std::net::IpAddr;

use super::*;

const HEADER: &str = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,\
                      TotBytes,SrcBytes,SrcPkts,Label";

fn read<'a>(header: &str, line: &'a str) -> Result<FlowRecord<'a>, LineProblem> {
    let mut argus = Argus::default();
    assert_eq!(argus.read(header.as_bytes()), Err(LineProblem::Note));
    match argus.read(line.as_bytes())? {
        Entry::Flow(record) => Ok(record),
        other => panic!("no flow: {other:?}"),
    }
}

#[test]
fn a_line_is_a_flow_with_what_each_side_sent() {
    let line = "2026/01/31 09:30:00.250000,2.5,tcp,10.20.0.17,40000,   ->,203.0.113.9,443,\
                FSPA_FSPA,0,0,30,22000,20660,20,flow=From-Label";
    let record = read(HEADER, line).unwrap();
    assert_eq!(record.from, Timestamp::from_parts(1_769_851_800, 250_000_000));
    assert_eq!(record.ends.at, Timestamp::from_parts(1_769_851_802, 750_000_000));
    assert_eq!(record.ends.client, ("10.20.0.17".parse::<IpAddr>().unwrap(), 40_000));
    assert_eq!(record.ends.server, ("203.0.113.9".parse::<IpAddr>().unwrap(), 443));
    let up = Volume {
        bytes: Some(20_660 - 20 * (14 + 20 + 32)),
        wire_bytes: Some(20_660 - 20 * 14),
        packets: Some(20),
    };
    assert_eq!(record.up, up);
    assert_eq!((record.down.wire_bytes, record.down.packets), (Some(1_200), Some(10)));
    assert_eq!((record.verdict, record.phase), (Verdict::Allowed, FlowPhase::Finished));
}

#[test]
fn columns_are_found_by_their_names() {
    let header = "stime,saddr,daddr,proto,sport,dport,spkts,dpkts,sbytes,dbytes,sappbytes,new";
    let line = "1769851800.5,2001:db8::17,2001:db8::9,udp,5353,53,1,1,120,200,58,x";
    let record = read(header, line).unwrap();
    assert_eq!(record.transport, Transport::Udp);
    assert_eq!(record.up.bytes, Some(58));
    assert_eq!(record.down.bytes, Some(200 - 62));
    assert_eq!(record.ends.at, Timestamp::from_parts(1_769_851_800, 500_000_000));
}

#[test]
fn states_say_what_was_blocked() {
    let no_answer = Verdict::Blocked(BlockReason::NoAnswer);
    for (proto, state, sent, verdict, phase) in [
        ("tcp", "S_", 4, no_answer, FlowPhase::Idle),
        ("tcp", "S_RA", 1, Verdict::Blocked(BlockReason::Reset), FlowPhase::Reset),
        ("tcp", "SPA_SRA", 2, Verdict::Allowed, FlowPhase::Reset),
        ("tcp", "PA_PA", 2, Verdict::Allowed, FlowPhase::Idle),
        ("6", "S_", 4, no_answer, FlowPhase::Idle),
        ("17", "INT", 4, Verdict::Allowed, FlowPhase::Idle),
        ("udp", "INT", 4, Verdict::Allowed, FlowPhase::Idle),
    ] {
        let line = format!(
            "2026/01/31 09:30:00.0,0,{proto},10.20.0.17,1,->,203.0.113.9,2,{state},0,0,4,400,400,{sent},"
        );
        let record = read(HEADER, &line).unwrap();
        assert_eq!((record.verdict, record.phase), (verdict, phase), "{proto} {state}");
    }
}

#[test]
fn parts_of_a_flow_are_one_contact_also_in_the_next_file() {
    let part = |minute: u32, second: u32| {
        format!(
            "2026/01/31 09:{minute}:{second:02}.0,2,tcp,10.20.0.17,1,->,203.0.113.9,443,CON,0,0,9,900,400,4,"
        )
    };
    let mut argus = Argus::default();
    let mut number = |line: &str| match argus.read(line.as_bytes()) {
        Ok(Entry::Flow(flow)) => Some(flow.number),
        _ => {
            argus.next_file();
            assert_eq!(argus.read(HEADER.as_bytes()), Err(LineProblem::Note));
            None
        }
    };
    assert_eq!(number("begin"), None);
    assert_eq!([number(&part(30, 0)), number(&part(30, 7))], [Some(0), Some(1)]);
    assert_eq!(number("next file"), None);
    assert_eq!([number(&part(30, 14)), number(&part(40, 0))], [Some(2), Some(0)]);
}

#[test]
fn a_flow_that_the_other_side_began_is_turned_round() {
    let line = "2026/01/31 09:30:00.0,0,udp,10.20.0.17,1,  <-,203.0.113.9,2,CON,0,0,3,300,200,2,";
    let record = read(HEADER, line).unwrap();
    assert_eq!(record.ends.server, ("10.20.0.17".parse::<IpAddr>().unwrap(), 1));
    assert_eq!((record.up.packets, record.down.packets), (Some(1), Some(2)));
}

#[test]
fn icmp_has_codes_and_no_ports_and_other_traffic_is_none_of_ours() {
    let line = |proto| {
        format!(
            "2026/01/31 09:30:00.0,0,{proto},10.20.0.17,0x0008,->,203.0.113.9,0x7208,ECO,,,1,98,98,1,"
        )
    };
    let icmp = line("icmp");
    let record = read(HEADER, &icmp).unwrap();
    assert_eq!((record.ends.client.1, record.ends.server.1), (0, 0));
    assert_eq!(record.up.bytes, Some(98 - 42));
    assert_eq!(read(HEADER, &line("arp")), Err(LineProblem::NoDestination));
    let udp = line("udp");
    assert_eq!(read(HEADER, &udp).unwrap().ends.server.1, 0x7208);
}

#[test]
fn damaged_lines_say_what_is_wrong() {
    let whole = "2026/01/31 09:30:00.0,0,tcp,10.20.0.17,1,->,203.0.113.9,2,S_,0,0,1,74,74,1,";
    assert!(read(HEADER, whole).is_ok());
    for (line, problem) in [
        (whole.replace("2026/01", "2026/13"), "StartTime"),
        (whole.replace("10.20.0.17", ""), "SrcAddr"),
        (whole.replace("203.0.113.9", "x"), "DstAddr"),
        (whole.replace(",tcp,", ",,"), "Proto"),
        ("2026/01/31".to_owned(), "fewer cells than columns"),
    ] {
        assert_eq!(read(HEADER, &line), Err(LineProblem::Malformed(problem)), "{line}");
    }
    let headless = Argus::default().read(whole.as_bytes());
    assert_eq!(headless, Err(LineProblem::Malformed("no header before it")));
}

proptest::proptest! {
    #[test]
    fn no_input_makes_it_panic(line in "[-0-9a-z/:. ,_<>]{0,200}", header in "[a-zA-Z,]{0,80}") {
        let mut argus = Argus::default();
        for text in ["StartTime,", &header, HEADER, &line] {
            let _ = argus.read(text.as_bytes());
        }
        let _ = argus.read(format!("2026/01/31 09:30:00.0,{line}").as_bytes());
    }
}
