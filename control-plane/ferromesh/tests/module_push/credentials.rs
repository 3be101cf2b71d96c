//! Registries that let only those in that they know.

use crate::{
    program::{fine, text, Desk},
    registry::Registry,
};

const PASSWORD: &str = "secret word";

#[test]
fn a_user_is_named_on_the_command_line_and_the_password_on_standard_input() {
    let (desk, registry) = (Desk::new(), Registry::start_closed());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:1");
    let as_me = ["--username", "me", "--password-stdin"];
    let with = |command: &[&str], password: &str| {
        let arguments = [command, &as_me].concat();
        desk.module_with_input(&arguments, password)
    };
    with(&["push", text(&file), &name], &format!("{PASSWORD}\n")).succeeded();
    let back = desk.path("back.wasm");
    with(&["pull", &name, "-o", text(&back)], PASSWORD).succeeded();
    assert_eq!(std::fs::read(&back).expect("the module"), fine());
    with(&["push", text(&file), &name], "").failed_with("there is no password on standard input");
    let outcome = with(&["push", text(&file), &name], "wrong word");
    assert!(!outcome.stderr.contains("wrong word"), "{outcome:?}");
    outcome.failed_with("as user \"me\"");
}

#[test]
fn what_docker_login_left_is_used_and_never_printed() {
    let (desk, registry) = (Desk::new(), Registry::start_closed());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:1");
    desk.module(&["push", text(&file), &name])
        .failed_with("log in with docker, or use --username and --password-stdin");
    let host = name.split_once('/').expect("a host").0;
    // Base64 of `me:secret word`.
    let login = |auth: &str| {
        desk.write(
            "config.json",
            format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#),
        )
    };
    login("bWU6c2VjcmV0IHdvcmQ=");
    let outcome = desk.module(&["push", text(&file), &name]);
    assert!(!format!("{outcome:?}").contains(PASSWORD));
    outcome.succeeded();
    // Base64 of `me:wrong word`.
    login("bWU6d3Jvbmcgd29yZA==");
    let outcome = desk.module(&["push", text(&file), &name]);
    assert!(!format!("{outcome:?}").contains("wrong word"), "{outcome:?}");
    outcome.failed_with("as user \"me\"");
}
