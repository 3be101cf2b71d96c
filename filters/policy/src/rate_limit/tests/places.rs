//! Keys and the places there are for them.

use super::*;

fn crowded(keys: u32, algorithm: &str) -> Policy {
    policy(&format!(
        r#"{{"limits":[{{"name":"a","requests":10,"windowSeconds":60,"algorithm":"{algorithm}","key":{{"header":"x-user"}},"keys":{keys}}}]}}"#
    ))
}

#[test]
fn any_number_of_keys_takes_a_fixed_amount_of_shared_data() {
    for (algorithm, bytes_a_key) in [("tokenBucket", 64), ("slidingWindow", 760)] {
        let (policy, shared, mut worker) = (crowded(64, algorithm), Memory::default(), Worker::new(1));
        for number in 0..5_000 {
            worker.is_admitted(&policy, &user(&number.to_string()), &shared, millis(0));
        }
        let (records, bytes) = shared.size();
        assert!(records <= 33, "{records}");
        assert!(bytes <= 64 * bytes_a_key, "{algorithm} {bytes}");
    }
}

#[test]
fn a_flood_of_keys_starts_no_more_counts_than_there_are_places() {
    for algorithm in ["tokenBucket", "slidingWindow"] {
        let (policy, shared, mut worker) = (crowded(64, algorithm), Memory::default(), Worker::new(1));
        let admitted = (0..100_000)
            .filter(|number| worker.is_admitted(&policy, &user(&number.to_string()), &shared, millis(0)))
            .count();
        // 128 places and an overflow for each 8 or 4 of them, 10 requests each; and as a key's own count began at the
        // overflow's or at none, no key had more than its limit.
        assert!(admitted <= (128 + 32) * 10, "{algorithm} {admitted}");
    }
}

#[test]
fn a_flood_of_keys_neither_frees_nor_blocks_a_user_who_is_counted_already() {
    for algorithm in ["tokenBucket", "slidingWindow"] {
        let (policy, shared, mut worker) = (crowded(64, algorithm), Memory::default(), Worker::new(1));
        let mut asks = |name: &str| worker.is_admitted(&policy, &user(name), &shared, millis(0));
        let mut spent = 0;
        while asks("spent") {
            spent += 1;
        }
        assert_eq!(spent, 10);
        assert!(asks("ada"));
        for number in 0..10_000 {
            asks(&number.to_string());
        }
        assert!(!asks("spent"), "{algorithm}");
        assert_eq!((0..20).filter(|_| asks("ada")).count(), 9, "{algorithm}");
    }
}

#[test]
fn places_that_are_idle_are_free_again() {
    for algorithm in ["tokenBucket", "slidingWindow"] {
        let (policy, shared, mut worker) = (crowded(64, algorithm), Memory::default(), Worker::new(1));
        for number in 0..10_000 {
            worker.is_admitted(&policy, &user(&number.to_string()), &shared, millis(0));
        }
        let later = millis(200_000);
        let admitted = (0..20)
            .filter(|_| worker.is_admitted(&policy, &user("new"), &shared, later))
            .count();
        assert_eq!(admitted, 10, "{algorithm}");
    }
}

#[test]
fn as_many_keys_as_there_is_room_for_are_nearly_all_counted_apart() {
    for (algorithm, least) in [("tokenBucket", 970), ("slidingWindow", 930)] {
        let (policy, shared, mut worker) = (crowded(1_000, algorithm), Memory::default(), Worker::new(1));
        let exact = (0..1_000).filter(|number| {
            let view = user(&number.to_string());
            (0..11)
                .filter(|_| worker.is_admitted(&policy, &view, &shared, millis(0)))
                .count()
                == 10
        });
        let exact = exact.count();
        assert!(exact >= least, "{algorithm} {exact}");
    }
}

#[test]
fn more_keys_than_a_worker_remembers_are_still_counted_exactly() {
    let (policy, shared, mut worker) = (crowded(30_000, "tokenBucket"), Memory::default(), Worker::new(1));
    let mut admitted = 0;
    for _ in 0..12 {
        for number in 0..3_000 {
            admitted += u32::from(worker.is_admitted(&policy, &user(&number.to_string()), &shared, millis(0)));
        }
    }
    assert_eq!(admitted, 30_000);
}

#[test]
fn all_workers_place_a_key_alike_whatever_seeds_they_drew() {
    let (policy, shared) = (crowded(64, "tokenBucket"), Memory::default());
    let admitted = (0..40).filter(|turn| {
        // A new VM each time.
        Worker::new(*turn).is_admitted(&policy, &user("ada"), &shared, millis(0))
    });
    assert_eq!(admitted.count(), 10);
}

#[test]
fn other_scopes_names_and_kinds_are_other_counts() {
    let (shared, mut worker) = (Memory::default(), Worker::new(1));
    let json = r#"{"limits":[{"name":"NAME","requests":1,"windowSeconds":60ALGORITHM}]}"#;
    for (scope, name, algorithm) in [
        ("s", "a", ""),
        ("t", "a", ""),
        ("s", "b", ""),
        ("s", "a", r#","algorithm":"slidingWindow""#),
        ("s", "a", r#","key":{"header":"x-user"}"#),
    ] {
        let json = json.replace("NAME", name).replace("ALGORITHM", algorithm);
        let policy = Policy::compile(&config(&json), scope).unwrap();
        assert!(
            worker.is_admitted(&policy, &user("ada"), &shared, millis(0)),
            "{scope} {name} {algorithm}"
        );
        assert!(
            !worker.is_admitted(&policy, &user("ada"), &shared, millis(0)),
            "{scope} {name} {algorithm}"
        );
    }
}
