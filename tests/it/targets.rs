//! `egret notify test`, as a person would use it.

use egret_tests::binary::run;

#[test]
fn a_target_is_tried_out_and_the_conversation_is_shown() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("egret.toml");
    let alerts = folder.path().join("alerts.json");
    let url = folder.path().join("url");
    std::fs::write(&url, "http://127.0.0.1:9/services/hidden").expect("a secret");
    let config = format!(
        "[[notify.targets]]\nkind = 'file'\nname = 'file'\npath = '{}'\n\
         [[notify.targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = '{}'\nallow_private = true\n",
        alerts.display(),
        url.display()
    );
    std::fs::write(&path, config).expect("a configuration");
    let test = |target: &str| {
        let args = ["notify", "test", target, "--config", path.to_str().expect("UTF-8")];
        let output = run(&args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (is_well, said, _) = test("file");
    assert!(is_well && said.contains("file: the alerts were taken"), "{said}");
    let written = std::fs::read_to_string(&alerts).expect("the alerts");
    assert_eq!(written.lines().count(), 2, "opened and closed: {written}");
    assert!(said.contains(written.lines().next().expect("a line")), "what was written is shown");
    let (is_well, said, error) = test("chat");
    assert!(!is_well && error.contains("chat: the target cannot be reached"), "{error}");
    assert!(said.contains("> POST http://127.0.0.1:9, ") && !said.contains("hidden"), "{said}");
    let (is_well, _, error) = test("nobody");
    assert!(!is_well && error.contains("it has: file, chat"), "{error}");
}
