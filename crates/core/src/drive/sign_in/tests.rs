//! Signing in on a clock that stands still: what costs a token, who is refused, and what is
//! remembered.

use super::*;
use crate::drive::{Location, NewUser};
use futures_util::future::join_all;
use std::net::Ipv4Addr;
use tempfile::TempDir;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const START: Time = Time(1_750_000_000_000_000);

/// A store in which jane and ann have the password "secret".
async fn store() -> (TempDir, Drive) {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::directory(directory.path().join("data"));
    let drive = Drive::open(&location, Clock::fixed(START)).await.unwrap();
    for login in ["jane", "ann"] {
        let user = NewUser {
            login: login.into(),
            email: format!("{login}@example.org"),
            name: String::new(),
            password: "secret".into(),
            admin: false,
        };
        drive.add_user(user).await.unwrap();
    }
    (directory, drive)
}

#[derive(Debug, PartialEq)]
enum Answer {
    In,
    Refused,
    Wait(u64),
}
use Answer::{In, Refused, Wait};

async fn from(drive: &Drive, name: &str, password: &str, address: IpAddr) -> Answer {
    match drive.sign_in(name, password, address).await {
        Ok(_) => In,
        Err(Error::Unauthenticated) => Refused,
        Err(Error::Throttled { seconds }) => Wait(seconds),
        Err(error) => panic!("{error}"),
    }
}

async fn ask(drive: &Drive, name: &str, password: &str) -> Answer {
    from(drive, name, password, HERE).await
}

/// Fails until the account waits; how often that went.
async fn exhaust(drive: &Drive, name: &str) -> usize {
    for failed in 0..=PER_ACCOUNT.0 as usize {
        match ask(drive, name, &format!("wrong {failed}")).await {
            Refused => {}
            answer => {
                assert!(matches!(answer, Wait(_)), "{answer:?}");
                return failed;
            }
        }
    }
    panic!("{name} never waits")
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

#[tokio::test]
async fn a_login_or_an_email_signs_in_without_regard_to_case() {
    let (_directory, drive) = store().await;
    for name in ["jane", "JANE", "jane@example.org", "Jane@Example.ORG"] {
        let caller = drive.sign_in(name, "secret", HERE).await.unwrap();
        assert_eq!(drive.identify(&caller).await.unwrap().login, "jane", "{name}");
    }
    for (name, password) in
        [("jane", "Secret"), ("jane", "secret "), ("jane", ""), ("", "secret"), ("jan", "secret")]
    {
        assert_eq!(ask(&drive, name, password).await, Refused, "{name} {password}");
    }
}

#[tokio::test]
async fn ten_failures_then_one_each_six_seconds() {
    let (_directory, drive) = store().await;
    assert_eq!(exhaust(&drive, "jane").await, 10);
    assert_eq!(ask(&drive, "JANE", "secret").await, Wait(6));
    assert_eq!(ask(&drive, "ann", "secret").await, In);
    drive.clock().advance_seconds(5);
    assert_eq!(ask(&drive, "jane", "secret").await, Wait(1));
    drive.clock().advance_seconds(1);
    assert_eq!(ask(&drive, "jane", "wrong").await, Refused);
    assert_eq!(ask(&drive, "jane", "secret").await, Wait(6));
    drive.clock().advance_seconds(6);
    assert_eq!(ask(&drive, "jane", "secret").await, In);
}

#[tokio::test]
async fn who_is_not_there_is_limited_alike() {
    let (_directory, drive) = store().await;
    drive.set_disabled("ann", true).await.unwrap();
    assert_eq!(exhaust(&drive, "nobody").await, 10);
    assert_eq!(ask(&drive, "ann", "secret").await, Refused);
    assert_eq!(exhaust(&drive, "ann").await, 9);
}

#[tokio::test]
async fn an_address_fails_fifty_times_then_once_a_second() {
    let (_directory, drive) = store().await;
    for number in 0..50 {
        assert_eq!(ask(&drive, &format!("nobody {number}"), "wrong").await, Refused);
    }
    assert_eq!(ask(&drive, "jane", "secret").await, Wait(1));
    // What the address had to wait for cost the account nothing.
    for _ in 0..10 {
        assert_eq!(from(&drive, "jane", "wrong", address(1)).await, Refused);
    }
    assert_eq!(from(&drive, "jane", "wrong", address(2)).await, Wait(6));
    drive.clock().advance_seconds(1);
    assert_eq!(ask(&drive, "ann", "secret").await, In);
}

#[tokio::test]
async fn what_is_right_costs_nothing() {
    let (_directory, drive) = store().await;
    for _ in 0..30 {
        assert_eq!(ask(&drive, "jane", "secret").await, In);
    }
    for number in 0..50 {
        assert_eq!(ask(&drive, &format!("nobody {number}"), "wrong").await, Refused);
    }
    let elsewhere = address(1);
    for number in 0..10 {
        let wrong = format!("wrong {number}");
        assert_eq!(from(&drive, "jane", &wrong, elsewhere).await, Refused);
    }
    assert_eq!(from(&drive, "jane", "wrong", elsewhere).await, Wait(6));
}

#[tokio::test]
async fn what_was_verified_is_remembered_for_a_minute_and_not_limited() {
    let (_directory, drive) = store().await;
    assert_eq!(ask(&drive, "jane", "secret").await, In);
    drive.clock().advance_seconds(REMEMBERED_SECONDS - 1);
    assert_eq!(exhaust(&drive, "jane").await, 10);
    assert_eq!(ask(&drive, "jane", "secret").await, In);
    assert_eq!(ask(&drive, "jane", "Secret").await, Wait(6));
    // An e-mail is another name, of the same user.
    assert_eq!(exhaust(&drive, "jane@example.org").await, 10);
    assert_eq!(ask(&drive, "jane@example.org", "secret").await, In);
    drive.clock().advance_seconds(1);
    assert_eq!(ask(&drive, "jane", "secret").await, Wait(5));
}

#[tokio::test]
async fn a_changed_password_ends_what_was_verified() {
    let (_directory, drive) = store().await;
    let caller = drive.sign_in("jane", "secret", HERE).await.unwrap();
    drive.identify(&caller).await.unwrap();
    // The same password again, under another salt.
    drive.set_password("jane", "secret".into()).await.unwrap();
    let refused = drive.identify(&caller).await.unwrap_err();
    assert!(matches!(refused, Error::Unauthenticated), "{refused}");
    assert_eq!(exhaust(&drive, "jane").await, 10);
    assert!(matches!(ask(&drive, "jane", "secret").await, Wait(_)));
    drive.set_password("ann", "other".into()).await.unwrap();
    assert_eq!(ask(&drive, "ann", "secret").await, Refused);
    assert_eq!(ask(&drive, "ann", "other").await, In);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let (_directory, drive) = store().await;
    let caller = drive.sign_in("jane", "secret", HERE).await.unwrap();
    drive.set_disabled("jane", true).await.unwrap();
    let refused = drive.identify(&caller).await.unwrap_err();
    assert!(matches!(refused, Error::Unauthenticated), "{refused}");
    assert_eq!(ask(&drive, "jane", "secret").await, Refused);
    drive.set_disabled("jane", false).await.unwrap();
    assert_eq!(ask(&drive, "jane", "secret").await, In);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_at_once_are_no_more_than_one_by_one() {
    let (_directory, drive) = store().await;
    let passwords: Vec<_> = (0..64).map(|number| format!("wrong {number}")).collect();
    let tries = passwords.iter().map(|password| {
        let (drive, password) = (drive.clone(), password.clone());
        tokio::spawn(async move { ask(&drive, "jane", &password).await })
    });
    let answers: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    let refused = answers.iter().filter(|answer| **answer == Refused).count();
    assert_eq!(refused, 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Wait(6)).count(), 54);
}

#[tokio::test(flavor = "multi_thread")]
async fn right_passwords_at_once_are_one_try() {
    let (_directory, drive) = store().await;
    let tries = (0..64).map(|_| {
        let drive = drive.clone();
        tokio::spawn(async move { ask(&drive, "jane", "secret").await })
    });
    for answer in join_all(tries).await {
        assert_eq!(answer.unwrap(), In);
    }
    assert_eq!(exhaust(&drive, "jane").await, 10);
}

#[tokio::test]
async fn who_hangs_up_before_the_work_gets_the_token_back() {
    let (_directory, drive) = store().await;
    let sign_ins = &drive.0.sign_ins;
    let busy = sign_ins.hashing.acquire_many(VERIFIED_AT_ONCE as u32).await.unwrap();
    for number in 0..20 {
        let password = number.to_string();
        let waiting = ask(&drive, "jane", &password);
        assert!(futures_util::FutureExt::now_or_never(waiting).is_none(), "{number}");
    }
    drop(busy);
    assert_eq!(exhaust(&drive, "jane").await, 10);
}

#[test]
fn no_password_fits_who_is_not_there() {
    let verified = Argon2::default().verify_password(b"secret", hash_of_nothing().as_str());
    assert_eq!(verified, Err(HashError::PasswordInvalid));
}

#[tokio::test]
async fn nobody_costs_what_a_user_costs() {
    let made = super::super::account::hash_password("secret".into()).await.unwrap();
    let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
    assert_eq!(costs(&made), costs(&hash_of_nothing()));
    assert_eq!(made.len(), hash_of_nothing().len());
}

#[test]
fn an_ipv6_network_is_one_address() {
    let network = |text: &str| network(text.parse().unwrap());
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
    assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let (_directory, drive) = store().await;
    let sign_ins = &drive.0.sign_ins;
    for number in 0..REMEMBERED_MAX + 2 {
        sign_ins.remember(sign_ins.proof(UserId(number as i64), "", ""), START);
    }
    assert_eq!(lock(&sign_ins.verified).len(), REMEMBERED_MAX);
    let later = START.plus_seconds(REMEMBERED_SECONDS);
    sign_ins.remember(sign_ins.proof(UserId(0), "", ""), later);
    assert_eq!(lock(&sign_ins.verified).len(), 1);
}
