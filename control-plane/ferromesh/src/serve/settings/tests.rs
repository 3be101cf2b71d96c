use super::*;

fn arguments() -> Arguments {
    Arguments {
        data: Some("/d".into()),
        ..Arguments::default()
    }
}

#[test]
fn the_data_folder_is_enough() {
    let settings = Settings::read(arguments()).unwrap();
    assert_eq!(settings.listen[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.account, "123456789012");
    let back_off = Duration::from_millis(10);
    assert_eq!(settings.failure, FailurePolicy::Reload { back_off });
}

#[test]
fn plaintext_beyond_this_machine_is_refused() {
    for address in ["http://0.0.0.0:8080", "http://[::]:8080", "http://192.168.1.1:8080"] {
        let listen = vec![address.parse().unwrap()];
        let problems = Settings::read(Arguments { listen, ..arguments() }).unwrap_err();
        assert!(
            problems[0].contains("TLS") && problems[0].contains(address),
            "{problems:?}"
        );
    }
}

#[test]
fn nothing_is_limited_unless_the_file_or_a_flag_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    std::fs::write(&path, "quotas: {meshes: 2, routes: 7}\n").unwrap();
    let with_file = Arguments {
        config: Some(path.clone()),
        app_mesh_quotas: true,
        ..arguments()
    };
    let quotas = Settings::read(with_file.clone()).unwrap().quotas;
    assert_eq!(
        (quotas.meshes, quotas.routes, quotas.virtual_nodes),
        (Some(2), Some(7), None)
    );
    let app_mesh = Arguments {
        app_mesh_quotas: true,
        ..arguments()
    };
    assert_eq!(Settings::read(app_mesh).unwrap().quotas, Quotas::app_mesh());
    assert_eq!(Settings::read(arguments()).unwrap().quotas, Quotas::default());
    std::fs::write(&path, "quotas: {mesh: 2}\n").unwrap();
    assert!(
        Settings::read(with_file).unwrap_err()[0].contains("unknown field"),
        "which quotas there are is said"
    );
}

#[test]
fn flags_go_before_the_file_and_unknown_members_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    let text = "listen: ['unix:///x']\nregion: eu-west-1\naccount: '000000000001'\nfailurePolicy: open\n";
    std::fs::write(&path, text).unwrap();
    let with_file = Arguments {
        config: Some(path.clone()),
        account: Some("000000000002".into()),
        ..arguments()
    };
    let settings = Settings::read(with_file.clone()).unwrap();
    assert_eq!(settings.listen[0].address.to_string(), "unix:///x");
    assert_eq!(settings.region, "eu-west-1");
    assert_eq!(settings.account, "000000000002");
    assert_eq!(settings.failure, FailurePolicy::Open);

    for text in [
        "lisen: []\n",
        "listen: ['8080']\n",
        "reloadBackOffMillis: 1\n",
        "store: etcd://x\n",
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(Settings::read(with_file.clone()).is_err(), "{text}");
    }
}
