//! Each code has its page and each page a code, and pages say what the program says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ferromesh_analyze::Explained;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/lints")
}

#[test]
fn each_code_has_a_page_and_each_page_a_code() {
    let codes: BTreeSet<String> = Explained::all()
        .iter()
        .map(|explained| explained.code.to_owned())
        .collect();
    assert_eq!(codes.len(), Explained::all().len(), "a code occurs twice");
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).expect("docs/lints") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if let Some(code) = name.strip_suffix(".md").filter(|name| *name != "README") {
            pages.insert(code.to_owned());
        }
    }
    assert_eq!(codes, pages);
}

#[test]
fn pages_say_what_the_program_says() {
    let index = std::fs::read_to_string(folder().join("README.md")).expect("the index");
    for explained in Explained::all() {
        let Explained {
            code,
            title,
            severity,
            reason,
            mend,
        } = explained;
        assert!(!reason.is_empty() && !mend.is_empty(), "{code} is not explained");
        let page = std::fs::read_to_string(folder().join(format!("{code}.md"))).expect("a page");
        assert!(
            page.starts_with(&format!("# {code}: {title}\n\nSeverity: {severity}.")),
            "{code}: {page}"
        );
        // Lines are broken anywhere.
        let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [reason, mend] {
            assert!(text.contains(said), "{code}: the page lacks {said:?}");
        }
        let row = format!("| [{code}]({code}.md) | {severity} | {title} |\n");
        assert!(index.contains(&row), "the index lacks {row}");
    }
}
