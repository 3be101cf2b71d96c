//! Records that others wrote.

use proptest::prelude::*;

use super::*;

const BOTH: [&str; 2] = [
    r#"{"limits":[{"name":"a","requests":10,"windowSeconds":1,"key":{"header":"x-user"}}]}"#,
    r#"{"limits":[{"name":"a","requests":10,"windowSeconds":1,"algorithm":"slidingWindow"}]}"#,
];

#[test]
fn a_record_that_is_none_admits_nothing_and_recovers_within_a_window() {
    for json in BOTH {
        let (policy, shared, mut worker) = (policy(json), Memory::default(), Worker::new(1));
        assert!(worker.is_admitted(&policy, &user("ada"), &shared, millis(0)));
        for junk in [&b""[..], b"x", &[0xff; 152], &[0; 272]] {
            shared.overwrite_all(junk);
            // The seed is a record too; who has it keeps it.
            assert!(!worker.is_admitted(&policy, &user("ada"), &shared, millis(0)));
        }
        let mut admitted = 0;
        for at in 0..3_000 {
            admitted += u32::from(worker.is_admitted(&policy, &user("ada"), &shared, millis(at)));
        }
        assert!((5..=40).contains(&admitted), "{admitted}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_shared_data_and_any_times_are_decided_about(
        json in 0_usize..2,
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        keep_header in any::<bool>(),
        times in proptest::collection::vec(any::<u64>(), 1..20),
        name in ".{0,20}",
    ) {
        let (policy, shared, mut worker) = (policy(BOTH[json]), Memory::default(), Worker::new(1));
        worker.is_admitted(&policy, &user(&name), &shared, Duration::ZERO);
        let mut junk = bytes;
        if keep_header {
            let (length, header) = [(152, [1, 8, 0, 0, 0, 0, 0, 0]), (280, [2, 0, 0, 0, 1, 0, 0, 0])][json];
            junk.resize(length, 0xff);
            junk[..8].copy_from_slice(&header);
        }
        shared.overwrite_all(&junk);
        for time in times {
            worker.is_admitted(&policy, &user(&name), &shared, Duration::from_nanos(time));
        }
    }
}
