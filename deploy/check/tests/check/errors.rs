//! The codes of errors: each has a page with both parts, each page a code, and each code is used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tidemill_domain::Code;

use crate::files::root;

type Pages = BTreeMap<String, String>;

fn pages() -> Pages {
    let entries = std::fs::read_dir(root().join("docs/errors")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    entries.map(read).collect()
}

fn check(pages: &Pages) -> Vec<String> {
    let mut breaches = Vec::new();
    let list = pages.get("README").cloned().unwrap_or_default();
    for code in Code::ALL {
        let id = code.id();
        let Some(page) = pages.get(id) else {
            breaches.push(format!("{id} has no page"));
            continue;
        };
        if !page.starts_with(&format!("# {id}: {}\n", code.title())) {
            breaches.push(format!("{id}: its page has another title than \"{}\"", code.title()));
        }
        for part in ["What happened", "What to do"] {
            let body =
                page.split(&format!("\n## {part}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
            if body.is_none_or(|body| body.trim().len() < 40) {
                breaches.push(format!("{id}: its page does not say: {part}"));
            }
        }
        if !list.contains(&format!("| [{id}]({id}.md) | {} |", code.title())) {
            breaches.push(format!("{id} is not in the list"));
        }
    }
    let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.id()).collect();
    for name in pages.keys().filter(|name| *name != "README" && !known.contains(name.as_str())) {
        breaches.push(format!("{name} has a page and no code"));
    }
    for (name, page) in pages {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split_once(".md)")).map(|(link, _)| link)
        {
            if !pages.contains_key(link) {
                breaches.push(format!("{name}: a link leads nowhere: {link}"));
            }
        }
    }
    breaches
}

#[test]
fn each_code_has_a_page_and_each_page_a_code() {
    let pages = pages();
    assert_eq!(check(&pages), Vec::<String>::new());
    let broken = |change: &dyn Fn(&mut Pages)| {
        let mut pages = pages.clone();
        change(&mut pages);
        check(&pages).join("\n")
    };
    assert!(broken(&|p| _ = p.remove("TM-0101")).contains("TM-0101 has no page"));
    assert!(
        broken(&|p| _ = p.insert("TM-9999".into(), String::new())).contains("TM-9999 has a page and no code")
    );
    let without = |from: &'static str, to: &'static str| {
        broken(&move |p| {
            let page = p.get_mut("TM-0101").unwrap();
            assert!(page.contains(from));
            *page = page.replacen(from, to, 1);
        })
    };
    assert!(without("## What to do", "## Nothing to do").contains("does not say: What to do"));
    assert!(without("# TM-0101: NATS", "# TM-0101: Nats").contains("another title"));
    assert!(without("TM-0102.md", "TM-0002.md").contains("a link leads nowhere"));
}

#[test]
fn each_code_is_used() {
    let mut sources = String::new();
    for folder in ["crates", "services", "tidemill"] {
        read(&root().join(folder), &mut sources);
    }
    let unused: Vec<_> =
        Code::ALL.iter().filter(|code| !sources.contains(&format!("Code::{code:?}"))).collect();
    assert_eq!(unused, Vec::<&Code>::new());
}

fn read(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("domain/src/code.rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
