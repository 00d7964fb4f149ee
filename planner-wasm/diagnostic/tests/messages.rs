//! Codes, places and texts of diagnostics.
#![allow(clippy::unwrap_used)]

use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span, all_codes, render_json, render_text};

#[test]
fn codes_ascend_and_each_reads_back_from_its_text() {
    let numbers: Vec<u16> = all_codes().iter().map(|c| c.entry().number).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    for code in all_codes() {
        assert_eq!(code.to_string().parse::<Code>().unwrap(), *code);
        assert!(!code.entry().explanation.is_empty());
    }
    assert_eq!("dvt5".parse::<Code>().unwrap(), Code::NotPushed);
    assert!("DVT9999".parse::<Code>().is_err());
}

#[test]
fn a_message_shows_code_place_and_hint_on_lines_of_their_own() {
    let d = Diagnostic::error(Code::TargetNotFound, "target `x` is not an output").at(Span::new("models/a.sql", 1, 19)).hint("known targets: pg");
    assert_eq!(render_text(&d), "DVT2101: target `x` is not an output\n  --> models/a.sql:1:19\n  hint: known targets: pg");
    let json = render_json(&d.about("model.shop.a"));
    assert_eq!((&json["code"], &json["span"]["column"], &json["node"]), (&"DVT2101".into(), &19.into(), &"model.shop.a".into()));
}

#[test]
fn columns_count_characters_and_positions_round_trip() {
    let text = "äb\nçd€f\n";
    let index = LineIndex::new(text);
    let offset = text.find('f').unwrap();
    assert_eq!(index.position(text, offset), (2, 4));
    assert_eq!(index.offset(text, 2, 4), offset);
    assert_eq!(index.offset(text, 99, 1), text.len());
}
