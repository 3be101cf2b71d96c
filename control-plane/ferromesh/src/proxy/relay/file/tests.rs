use std::os::unix::fs::PermissionsExt;

use super::*;

fn owner(id: &str) -> Owner {
    Owner {
        id: id.to_owned(),
        cluster: "c".to_owned(),
    }
}

fn image() -> Image {
    let mut configuration = Configuration::default();
    for (url, name, content) in [
        (type_url::CLUSTER, "blue", "an encoded cluster"),
        (type_url::LISTENER, "ingress", ""),
        (type_url::SECRET, "key", "an encoded private key"),
    ] {
        let kept = Kept {
            version: format!("version of {name}"),
            value: Bytes::from_static(content.as_bytes()),
        };
        configuration.put(&url.into(), name.into(), kept);
    }
    Image {
        owner: owner("mesh/m/virtualNode/n"),
        good_at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        configuration,
    }
}

#[test]
fn what_was_written_is_read_by_its_owner_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    let image = image();
    assert!(read(&path, &image.owner).unwrap().is_none());
    write(&path, &image, Secrets::Kept).unwrap();
    assert_eq!(read(&path, &image.owner).unwrap().unwrap(), image);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for other in [owner("mesh/m/virtualNode/o"), owner("mesh/m/virtualNode/n ")] {
        let refused = read(&path, &other).unwrap_err().to_string();
        assert!(refused.contains("of node \"mesh/m/virtualNode/n\""), "{refused}");
    }
    let in_another_cluster = Owner {
        cluster: "d".to_owned(),
        ..image.owner
    };
    assert!(matches!(read(&path, &in_another_cluster), Err(Unusable::Foreign(_))));
}

#[test]
fn secrets_can_be_left_out_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    let image = image();
    write(&path, &image, Secrets::LeftOut).unwrap();
    let text = std::fs::read(&path).unwrap();
    let key = b"an encoded private key";
    assert!(!text.windows(key.len()).any(|window| window == key));
    let read = read(&path, &image.owner).unwrap().unwrap();
    assert_eq!(read.configuration.len(), image.configuration.len() - 1);
}

#[test]
fn no_damage_goes_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    let image = image();
    write(&path, &image, Secrets::Kept).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let read = read(&path, &image.owner);
        assert!(matches!(read, Err(Unusable::Damaged(_))), "{length} bytes: {read:?}");
    }
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x10;
        std::fs::write(&path, damaged).unwrap();
        let read = read(&path, &image.owner);
        assert!(matches!(read, Err(Unusable::Damaged(_))), "byte {index}: {read:?}");
    }
    std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert!(read(&path, &image.owner).is_err());
}

#[test]
fn another_format_is_said_and_not_guessed_at() {
    let mut bytes = [&MAGIC[..], &(FORMAT + 1).to_be_bytes(), b"something else"].concat();
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    assert!(matches!(decode(bytes), Err(Unusable::Format(2))));
}

#[test]
fn a_write_that_was_cut_leaves_what_was_there_and_the_next_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    let image = image();
    write(&path, &image, Secrets::Kept).unwrap();
    // As one that was killed leaves it.
    std::fs::write(folder.path().join("last-good.new"), b"FMGOOD\r\n half of it").unwrap();
    assert_eq!(read(&path, &image.owner).unwrap().unwrap(), image);
    let later = Image {
        good_at: image.good_at + Duration::from_secs(1),
        ..image
    };
    write(&path, &later, Secrets::Kept).unwrap();
    assert_eq!(read(&path, &later.owner).unwrap().unwrap(), later);
    assert!(!folder.path().join("last-good.new").exists());
}

#[test]
fn what_is_not_used_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    std::fs::write(&path, b"something").unwrap();
    let aside = set_aside(&path).unwrap();
    assert!(!path.exists());
    assert_eq!(std::fs::read(aside).unwrap(), b"something");
}

/// Set for the process that is killed: the file that it writes again and again.
const WRITER: &str = "FERROMESH_TEST_LAST_GOOD_WRITER";

/// An image whose content says its number, large enough that a write takes a while.
fn numbered(number: u64) -> Image {
    let mut configuration = Configuration::default();
    for index in 0..64_u64 {
        let value = (number + index).to_be_bytes().repeat(2048);
        let kept = Kept {
            version: number.to_string(),
            value: value.into(),
        };
        configuration.put(&type_url::CLUSTER.into(), index.to_string().into(), kept);
    }
    Image {
        good_at: UNIX_EPOCH + Duration::from_secs(number),
        configuration,
        ..image()
    }
}

#[test]
fn who_is_killed_while_writing_leaves_a_whole_file() {
    if let Some(path) = std::env::var_os(WRITER) {
        for number in 1.. {
            write(path.as_ref(), &numbered(number), Secrets::Kept).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last-good");
    let mut before = 0;
    for round in 0..30_u64 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "proxy::relay::file::tests::who_is_killed_while_writing_leaves_a_whole_file",
            ])
            .env(WRITER, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        while !path.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another moment of a write each time.
        std::thread::sleep(Duration::from_micros(round * 733 % 9_000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let found = read(&path, &image().owner).unwrap().unwrap();
        let number = found.good_at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(found, numbered(number));
        before += u64::from(folder.path().join("last-good.new").exists());
    }
    assert!(
        before > 0,
        "no writer was killed while it wrote: the test shows nothing"
    );
}
