//! SCRAM (RFC 5802, RFC 7677) as a client: proves a password without sending it, and has the server prove that it knows
//! it too. Bound to the encrypted channel where the server offers that.
//!
//! A plugin carries the messages; the password stays here. Not here: mechanisms that send the password, or a form of it
//! that serves as one.

use crate::error::{EngineError, ErrorKind};
use crate::net::Stream;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

const PLAIN: &str = "SCRAM-SHA-256";
const BOUND: &str = "SCRAM-SHA-256-PLUS";

/// Fewer rounds than the RFC's least would make a recorded proof cheap to guess from; more than this burns time.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=10_000_000;

/// Bytes of one message from the server at most.
const MESSAGE_MAX: usize = 64 << 10;

enum Step {
    First,
    Challenged,
    /// The signature that the server must show.
    Proved(hmac::Tag),
    Done,
}

/// One authentication.
pub struct Scram {
    secret: Secret,
    bound: bool,
    /// The channel's name as the messages carry it.
    channel: String,
    nonce: String,
    first: String,
    step: Step,
}

impl std::fmt::Debug for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scram")
    }
}

fn refused(why: &str) -> EngineError {
    EngineError::new(ErrorKind::Auth, format!("the server's authentication cannot be trusted: {why}"))
}

/// Begins with the strongest of the mechanisms that the server offers.
///
/// # Errors
/// When none of them is known here.
pub fn start(offered: &[String], user: &str, secret: &Secret, stream: &Stream) -> Result<Scram, EngineError> {
    let mut bytes = [0_u8; 24];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| EngineError::new(ErrorKind::Auth, "no randomness for a nonce"))?;
    begin(offered, user, secret, stream.channel_binding(), STANDARD.encode(bytes))
}

fn begin(offered: &[String], user: &str, secret: &Secret, binding: Option<Vec<u8>>, nonce: String) -> Result<Scram, EngineError> {
    let offers = |name: &str| offered.iter().any(|o| o == name);
    // `y` tells a server that does offer binding that somebody took the offer out.
    let (header, binding) = match binding {
        Some(binding) if offers(BOUND) => ("p=tls-server-end-point,,", binding),
        Some(_) if offers(PLAIN) => ("y,,", Vec::new()),
        None if offers(PLAIN) => ("n,,", Vec::new()),
        _ => {
            let message = format!("the server offers no authentication that keeps the password here: {}", offered.join(", "));
            return Err(EngineError::new(ErrorKind::Auth, message).hint(format!("dvt knows {PLAIN} and {BOUND}; the latter needs TLS")));
        }
    };
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let mut channel = header.as_bytes().to_vec();
    channel.extend(&binding);
    Ok(Scram {
        secret: secret.clone(),
        bound: header.starts_with('p'),
        channel: STANDARD.encode(channel),
        first: format!("{header}n={user},r={nonce}"),
        nonce,
        step: Step::First,
    })
}

/// The value of `key=` in a message, in its place.
fn field<'a>(part: Option<&'a str>, key: &str) -> Result<&'a str, EngineError> {
    part.and_then(|p| p.strip_prefix(key)).ok_or_else(|| refused("a message of another form than expected"))
}

fn text(message: &[u8]) -> Result<&str, EngineError> {
    std::str::from_utf8(message).ok().filter(|_| message.len() <= MESSAGE_MAX).ok_or_else(|| refused("a message that is no text"))
}

impl Scram {
    pub fn mechanism(&self) -> &'static str {
        if self.bound { BOUND } else { PLAIN }
    }

    /// The client's first message.
    pub fn initial(&mut self) -> Result<Vec<u8>, EngineError> {
        if !matches!(self.step, Step::First) {
            return Err(refused("it was begun already"));
        }
        self.step = Step::Challenged;
        Ok(self.first.as_bytes().to_vec())
    }

    /// The proof for the server's challenge.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, EngineError> {
        if !matches!(self.step, Step::Challenged) {
            return Err(refused("a challenge out of turn"));
        }
        let challenge = text(challenge)?;
        let mut parts = challenge.split(',');
        let nonce = field(parts.next(), "r=")?;
        let salt = STANDARD.decode(field(parts.next(), "s=")?).map_err(|_| refused("a salt that is no base64"))?;
        let rounds: u32 = field(parts.next(), "i=")?.parse().map_err(|_| refused("rounds that are no number"))?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(refused("it answers another question than ours"));
        }
        let rounds = NonZeroU32::new(rounds).filter(|r| ROUNDS.contains(&r.get())).ok_or_else(|| refused("too few or too many rounds"))?;
        // A password that cannot be prepared counts as it is, as servers do.
        let password = stringprep::saslprep(self.secret.reveal()).map_or_else(|_| self.secret.reveal().to_owned(), std::borrow::Cow::into_owned);
        let mut salted = [0_u8; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&key, b"Client Key");
        let stored = digest::digest(&digest::SHA256, client_key.as_ref());
        let bare = self.first.splitn(3, ',').nth(2).unwrap_or_default();
        let unproved = format!("c={},r={nonce}", self.channel);
        let all = format!("{bare},{challenge},{unproved}");
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, stored.as_ref()), all.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::sign(&key, b"Server Key");
        self.step = Step::Proved(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref()), all.as_bytes()));
        Ok(format!("{unproved},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Checks that the server knows the password too.
    pub fn finish(&mut self, outcome: &[u8]) -> Result<(), EngineError> {
        let Step::Proved(expected) = std::mem::replace(&mut self.step, Step::Done) else {
            return Err(refused("an outcome out of turn"));
        };
        let shown = field(text(outcome)?.split(',').next(), "v=")?;
        let shown = STANDARD.decode(shown).map_err(|_| refused("a signature that is no base64"))?;
        // In constant time: how much of it was right is nobody's business.
        let same = expected.as_ref().len() == shown.len() && expected.as_ref().iter().zip(&shown).fold(0, |d, (a, b)| d | (a ^ b)) == 0;
        if same { Ok(()) } else { Err(refused("it does not know the password")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{BOUND, PLAIN, begin};
    use crate::secret::Secret;

    fn offered(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    /// The exchange that RFC 7677, section 3, prints.
    #[test]
    fn the_exchange_of_the_rfc_comes_out() {
        let mut scram = begin(&offered(&[PLAIN]), "user", &Secret::new("pencil"), None, "rOprNGfwEbeRWgbNEkqO".into()).unwrap();
        assert_eq!(scram.initial().unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.respond(challenge).unwrap();
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(String::from_utf8(proof).unwrap(), expected);
        scram.finish(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    }

    #[test]
    fn the_channel_is_named_where_it_can_be_and_its_absence_is_told() {
        let first = |names: &[&str], binding: Option<Vec<u8>>| {
            let mut scram = begin(&offered(names), "u", &Secret::new("p"), binding, "n".into()).unwrap();
            (scram.mechanism(), String::from_utf8(scram.initial().unwrap()).unwrap())
        };
        assert_eq!(first(&[PLAIN, BOUND], Some(vec![1])), (BOUND, "p=tls-server-end-point,,n=u,r=n".into()));
        assert_eq!(first(&[PLAIN], Some(vec![1])), (PLAIN, "y,,n=u,r=n".into()));
        assert_eq!(first(&[PLAIN, BOUND], None), (PLAIN, "n,,n=u,r=n".into()));
        let none = begin(&offered(&["PLAIN"]), "u", &Secret::new("p"), None, "n".into()).unwrap_err();
        assert!(none.message.contains("PLAIN"), "{none}");
    }

    #[test]
    fn a_server_that_cheats_is_refused() {
        let challenged = |challenge: &str| {
            let mut scram = begin(&offered(&[PLAIN]), "u", &Secret::new("p"), None, "nonce".into()).unwrap();
            scram.initial().unwrap();
            scram.respond(challenge.as_bytes()).map(|_| scram)
        };
        for (challenge, why) in [
            ("r=other,s=AAAA,i=4096", "another question"),
            ("r=nonce,s=AAAA,i=4096", "another question"),
            ("r=nonceX,s=AAAA,i=1", "rounds"),
            ("r=nonceX,s=AAAA,i=4000000000", "rounds"),
            ("r=nonceX,s=!,i=4096", "base64"),
            ("m=ext,r=nonceX,s=AAAA,i=4096", "form"),
        ] {
            assert!(challenged(challenge).unwrap_err().message.contains(why), "{challenge}");
        }
        let mut scram = challenged("r=nonceX,s=AAAA,i=4096").unwrap();
        assert!(scram.finish(b"v=AAAA").unwrap_err().message.contains("does not know"));
        assert!(scram.finish(b"v=AAAA").is_err());
        let mut early = begin(&offered(&[PLAIN]), "u", &Secret::new("p"), None, "n".into()).unwrap();
        assert!(early.finish(b"v=AAAA").is_err() && early.respond(b"r=nX,s=AAAA,i=4096").is_err());
    }
}
