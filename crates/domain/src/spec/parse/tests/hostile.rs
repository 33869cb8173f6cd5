//! No text makes the reader fall over, nor keeps it busy for long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::GOOD;
use crate::spec::parse::parse;
use crate::spec::write::to_yaml;

#[test]
fn hostile_files_are_refused_quickly() {
    let bomb: String = (1..30).map(|i| format!("a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1)).collect();
    let head = "apiVersion: tidemill.dev/v1\nkind: Loop\nmetadata: { name: a }\nspec:\n  schema:\n";
    let many: String = (0..20_000).map(|i| format!("    - {{ name: f{i}, type: numeric }}\n")).collect();
    let cases = [
        format!("a0: &a0 [x]\n{bomb}"),
        "[".repeat(1_000_000),
        "{a: ".repeat(200_000),
        "- ".repeat(400_000),
        "? ".repeat(400_000),
        "a".repeat(1_000_000),
        format!("{{{}", "\"".repeat(500_000)),
        (0..100_000).map(|i| format!("k{i}: 1\n")).collect(),
        (0..100_000).map(|_| "kind: 1\n").collect(),
        format!("[{}]", "a,".repeat(500_000)),
        format!("{{{}}}", "a: 1,".repeat(200_000)),
        format!("- !!{}", "%".repeat(500_000)),
        format!("a: &{} b", "x".repeat(500_000)),
        "x: |\n".to_owned() + &" \n".repeat(400_000),
        format!("{head}    features:\n{many}    target: {{ name: y, type: numeric }}\n"),
        "\n".repeat((1 << 20) + 1),
    ];
    for (i, text) in cases.iter().enumerate() {
        let start = Instant::now();
        let problems = parse(text).err().unwrap_or_default();
        assert!((1..=1_001).contains(&problems.len()), "case {i}: {}", problems.len());
        assert!(start.elapsed() < Duration::from_secs(10), "case {i}: {:?}", start.elapsed());
        assert!(problems.iter().all(|p| p.to_string().len() < 1_000), "case {i}");
    }
}

/// Tokens that a YAML reader may stumble over.
fn fragment() -> impl Strategy<Value = String> {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        ",",
        "#",
        " #",
        "&a",
        "*a",
        "!",
        "!!str ",
        "|",
        ">",
        "|2-\n",
        "'",
        "\"",
        "\\",
        "%",
        "%YAML 1.2\n",
        "@",
        "`",
        "?",
        "? ",
        "---\n",
        "...\n",
        "\n",
        "\r",
        "\r\n",
        "\t",
        " ",
        "  ",
        "~",
        "null",
        "<<: ",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "\"\\x",
        "\"\\uD800\"",
        "1e999",
        "-",
        "0x",
        ".",
        "9999999999999999999d",
        "name",
        "spec",
        "on",
        "100%",
        "rows",
    ];
    prop_oneof![3 => proptest::sample::select(tokens.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

/// The good file with pieces cut out, doubled, or put in.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<proptest::sample::Index>(), 0..40_usize, fragment(), any::<bool>());
    proptest::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, fragment, doubled) in edits {
            let from = at.index(text.len().max(1)).min(text.len());
            let to = (from + length).min(text.len());
            let piece: Vec<char> = if doubled { text[from..to].to_vec() } else { fragment.chars().collect() };
            let to = if doubled { from } else { to };
            text.splice(from..to, piece);
        }
        text.into_iter().collect()
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(spec) => prop_assert_eq!(parse(&to_yaml(&spec)), Ok(spec)),
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            for p in problems {
                prop_assert!(
                    p.line >= 1 && p.column >= 1 && !p.what.is_empty() && !p.remedy.is_empty(),
                    "{:?}",
                    p
                );
                prop_assert!(p.line <= text.split(['\n', '\r']).count() + 1, "{:?}", p);
                prop_assert!(!p.to_string().contains(|c: char| c.is_control()), "{:?}", p);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_mutation_makes_it_fall_over(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn no_soup_of_tokens_makes_it_fall_over(tokens in proptest::collection::vec(fragment(), 0..40)) {
        check(&tokens.concat())?;
    }
}
