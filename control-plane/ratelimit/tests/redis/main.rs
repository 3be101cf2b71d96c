//! The store for many instances, with a real server: exact, in step with the pure bucket, and gone and back.

mod server;

use std::time::{Duration, Instant};

use ferromesh_ratelimit::bucket::{Bucket, Level};
use ferromesh_ratelimit::{Charge, Client, Key, Redis, RedisConfig, Store, StoreError, StoreTls};
use server::{until_ready, Server};

fn charge(key: &str, capacity: u32, requests: u32, window_seconds: u32, hits: i64) -> Charge {
    Charge {
        key: Key::of([key]),
        bucket: Bucket {
            capacity,
            requests,
            window_seconds,
        },
        hits,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_instances_admit_together_what_one_would() {
    let server = Server::start();
    let (capacity, requests) = (200, 400);
    let time = Duration::from_secs(3);
    let mut running = Vec::new();
    for _ in 0..3 {
        let instance = std::sync::Arc::new(server.connect().await);
        for _ in 0..8 {
            let instance = std::sync::Arc::clone(&instance);
            running.push(tokio::spawn(async move {
                let (begun, mut admitted, mut asked) = (Instant::now(), 0_u32, 0_u32);
                while begun.elapsed() < time {
                    let one = [charge("all", capacity, requests, 1, 1)];
                    let decision = instance.take(&one).await.expect("a decision");
                    admitted += u32::from(decision.admitted);
                    asked += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                (admitted, asked)
            }));
        }
    }
    let begun = Instant::now();
    let (mut admitted, mut asked) = (0, 0);
    for one in running {
        let (more, of) = one.await.expect("no panic");
        admitted += more;
        asked += of;
    }
    // From the first connection's start, which was a little before.
    let took = begun.elapsed().as_secs_f64() + 0.05;
    let most = f64::from(capacity) + f64::from(requests) * took;
    let share = f64::from(admitted) / (f64::from(capacity) + f64::from(requests) * time.as_secs_f64());
    println!("{admitted} of {asked} admitted in {took:.2} s: {share:.3} of the limit");
    assert!(f64::from(asked) > most * 1.2, "no overload: {asked} requests");
    assert!(share >= 0.95, "{share}");
    assert!(f64::from(admitted) <= most * 1.02, "{admitted} of at most {most}");
}

/// What the script decides is what the pure bucket decides at the script's own time, to the bit.
#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_the_bucket() {
    let server = Server::start();
    let store = server.connect().await;
    // A small generator: the same run every time but for the store's clock.
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut levels: Vec<Option<Level>> = vec![None; 6];
    for step in 0..3_000 {
        let first = random(6) as usize;
        let count = 1 + random(3) as usize;
        let chosen: Vec<usize> = (0..count).map(|offset| (first + offset) % 6).collect();
        // Numbers change from time to time, as policies do.
        let numbers = |index: usize| {
            [
                (5, 40, 1),
                (100, 7, 2),
                (3, 1_000, 60),
                (50, 50, 1),
                (1, 2, 1),
                (9, 333, 5),
            ][index]
        };
        let charges: Vec<Charge> = chosen
            .iter()
            .map(|&index| {
                let (capacity, requests, window) = numbers((index + step / 1_000) % 6);
                let hits = [1, 1, 1, 2, 5, 0, -1, 200][random(8) as usize];
                charge(&index.to_string(), capacity, requests, window, hits)
            })
            .collect();
        let decision = store.take(&charges).await.expect("a decision");
        let used: Vec<f64> = charges
            .iter()
            .zip(&chosen)
            .map(|(charge, &index)| charge.bucket.used(levels[index], decision.now_micros))
            .collect();
        // A key that was forgotten is one of which nothing was used.
        assert_eq!(decision.used, used, "step {step}: {charges:?}");
        let fits = charges
            .iter()
            .zip(&used)
            .all(|(charge, used)| charge.bucket.fits(*used, charge.hits));
        assert_eq!(decision.admitted, fits, "step {step}: {charges:?} {used:?}");
        for ((charge, used), &index) in charges.iter().zip(&used).zip(&chosen) {
            if fits && charge.hits != 0 {
                levels[index] = Some(Level {
                    used: charge.bucket.after(*used, charge.hits),
                    at_micros: decision.now_micros,
                });
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_when_nothing_is_used_of_them() {
    let server = Server::start();
    let store = server.connect().await;
    for user in 0..100 {
        let decision = store.take(&[charge(&user.to_string(), 10, 10, 2, 1)]).await;
        assert!(decision.expect("a decision").admitted);
    }
    assert_eq!(server.keys().await.len(), 100);
    // Two tenths of a second until it is unused, a second for good measure.
    let begun = Instant::now();
    while !server.keys().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "keys stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What was given back completely is forgotten at once.
    assert!(
        store
            .take(&[charge("a", 5, 1, 60, 2)])
            .await
            .expect("a decision")
            .admitted
    );
    assert!(
        store
            .take(&[charge("a", 5, 1, 60, -2)])
            .await
            .expect("a decision")
            .admitted
    );
    assert_eq!(server.keys().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_went_back_does_not_deny_for_as_long() {
    let server = Server::start();
    let store = server.connect().await;
    let one = [charge("a", 2, 20, 1, 1)];
    assert!(store.take(&one).await.expect("a decision").admitted);
    let key = server.keys().await.remove(0);
    // Full, an hour from now.
    let now = store.take(&one).await.expect("a decision").now_micros;
    let script = "return(redis.call('SET',KEYS[1],'2'..string.char(32)..ARGV[1]))";
    server
        .ask(&format!("EVAL {script} 1 {key} {}", now + 3_600_000_000))
        .await;
    assert!(!store.take(&one).await.expect("a decision").admitted);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(
        store.take(&one).await.expect("a decision").admitted,
        "it waits for the hour"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_killed_fails_at_once_and_is_found_again() {
    let mut server = Server::start();
    let store = server.connect().await;
    let one = [charge("a", 100, 1, 60, 1)];
    assert!(store.take(&one).await.expect("a decision").admitted);
    server.kill();
    let begun = Instant::now();
    while store.is_ready() {
        assert!(store.take(&one).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(10), "the loss is not noticed");
    }
    // Without a connection nobody waits.
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(store.take(&one).await, Err(StoreError::Lost));
    }
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    server.restart();
    until_ready(&store).await;
    assert!(store.take(&one).await.expect("a decision").admitted);
    assert_eq!(store.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_nobody_beyond_the_deadline() {
    let server = Server::start();
    let deadline = Duration::from_millis(100);
    let store = server
        .connect_with(RedisConfig {
            deadline,
            connect: Duration::from_millis(500),
            ..RedisConfig::default()
        })
        .await;
    let one = [charge("a", 100, 1, 60, 1)];
    assert!(store.take(&one).await.expect("a decision").admitted);
    server.hold(true);
    let (mut late, begun) = (0, Instant::now());
    while store.is_ready() {
        let one_begun = Instant::now();
        let error = store.take(&one).await.expect_err("nobody answers");
        late += u32::from(error == StoreError::Late);
        assert!(one_begun.elapsed() < deadline * 5, "{:?}", one_begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(20), "the loss is not noticed");
    }
    assert!(late >= 2, "{late}");
    assert_eq!(store.take(&one).await, Err(StoreError::Lost));
    server.hold(false);
    until_ready(&store).await;
    assert!(store.take(&one).await.expect("a decision").admitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_script_is_loaded_again_and_a_full_store_refuses() {
    let server = Server::start();
    let store = server.connect().await;
    let one = [charge("a", 100, 1, 60, 1)];
    server.ask("SCRIPT FLUSH").await;
    assert!(store.take(&one).await.expect("a decision").admitted);
    assert_eq!(store.connections(), 1);
    server.ask("CONFIG SET maxmemory 1").await;
    let refused = store.take(&one).await.expect_err("no memory");
    assert!(
        matches!(&refused, StoreError::Refused(text) if text.contains("OOM")),
        "{refused:?}"
    );
    assert!(store.is_ready(), "the connection is good");
    server.ask("CONFIG SET maxmemory 0").await;
    assert!(store.take(&one).await.expect("a decision").admitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_no_connection() {
    let server = Server::start();
    let url = server.url().replace("secret", "guess");
    let client = Client::open(&url, &StoreTls::default()).expect("a store");
    let store = Redis::start(client, RedisConfig::default());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!store.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_both_sides_show_certificates() {
    // As the program does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start_tls();
    let connect = |tls: &StoreTls| {
        let client = Client::open(&server.tls_url(), tls).expect("a store");
        Redis::start(client, RedisConfig::default())
    };
    let store = connect(&server.certificates());
    until_ready(&store).await;
    let one = [charge("a", 1, 1, 60, 1)];
    assert!(store.take(&one).await.expect("a decision").admitted);
    assert!(!store.take(&one).await.expect("a decision").admitted);

    let anonymous = StoreTls {
        client: None,
        ..server.certificates()
    };
    // Whom this machine trusts has not signed it.
    let strange = StoreTls {
        authorities: None,
        ..server.certificates()
    };
    for refused in [connect(&anonymous), connect(&strange)] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(refused.take(&one).await.is_err());
    }
}
