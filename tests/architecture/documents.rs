//! Names in documents and comments: paths, items, flags and environment variables that they
//! mention must exist.

use crate::{code, files, read, report, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Documents besides those in `docs/`.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "data/mnist/README.md",
    "fuzz/README.md",
];

/// Folders with Rust code of this repository.
const CODE: [&str; 6] = ["src", "cli", "benches", "tests", "examples", "fuzz"];

/// All documents, with their texts. Of the changelog only what holds for the next version.
fn documents() -> Vec<(String, String)> {
    let others = DOCUMENTS.iter().map(|file| file.to_string());
    let all = files("docs", ".md").into_iter().chain(others);
    all.map(|file| {
        let text = read(&file);
        let text = match file == "CHANGELOG.md" {
            true => of_next_version(&text),
            false => text,
        };
        (file, text)
    })
    .collect()
}

/// The part of the changelog on the version to come, without what was removed and without the
/// old names of what was renamed.
fn of_next_version(changelog: &str) -> String {
    let next = changelog.split("\n## ").nth(1).unwrap();
    let sections = next.split("\n### ");
    let kept = sections.filter(|section| !section.starts_with("Removed"));
    let lines = kept.flat_map(str::lines).map(|line| {
        let new_name = line
            .trim()
            .strip_prefix("| ")
            .map(|row| row.split('|').nth(1));
        new_name.flatten().unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The spans of code in a document, and the lines of its blocks of code.
fn spans(document: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut is_block = false;
    for (i, part) in document.split("```").enumerate() {
        is_block = i % 2 == 1;
        match is_block {
            true => found.extend(part.lines()),
            // A span may go on in the next line.
            false => found.extend(part.split('`').skip(1).step_by(2)),
        }
    }
    assert!(!is_block, "a block of code has no end");
    found
}

/// The comments of a source.
fn comments(source: &str) -> String {
    let after = |line: &'_ str| line.find("//").map(|at| line[at..].to_string());
    source
        .lines()
        .filter_map(after)
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a text that begin with one of these folders, up to `:` or `#`.
fn named_paths(words: &[&str]) -> Vec<String> {
    let folders = [
        "src/",
        "cli/",
        "benches/",
        "tests/",
        "examples/",
        "docs/",
        "fuzz/",
        "data/",
        ".ci/",
    ];
    words
        .iter()
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains([' ', '*', '<', '…', '{', '$']))
        .map(|word| word.split([':', '#']).next().unwrap().to_string())
        .collect()
}

/// The headings of a document with their levels, 1 to 6.
fn headings(document: &str) -> Vec<(usize, &str)> {
    let parts = document.split("```").step_by(2);
    let lines = parts.flat_map(str::lines);
    lines
        .filter_map(|line| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            let text = text.strip_prefix(' ')?;
            (1..=6).contains(&level).then_some((level, text))
        })
        .collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase().replace(' ', "-");
    lower.chars().filter(|&c| is_word(c) || c == '-').collect()
}

/// Beginnings of summaries that say nothing on a page of their own.
const EMPTY_BEGINNINGS: [&str; 3] = ["What ", "The same ", "Those of "];

/// Folders whose summaries are checked.
const SUMMARIES: [&str; 6] = ["src", "cli/src", "cli/tests", "tests", "examples", "fuzz"];

/// The numbers of the lines with which documentation begins in one of these ways.
fn empty_summaries(source: &str) -> Vec<usize> {
    let doc = |line: &str| {
        let line = line.trim_start().to_string();
        let text = line.strip_prefix("///").or(line.strip_prefix("//!"))?;
        Some(text.trim_start().to_string())
    };
    let (mut found, mut is_inside) = (vec![], false);
    for (number, line) in (1..).zip(source.lines()) {
        let text = doc(line);
        let begins = |text: &String| EMPTY_BEGINNINGS.iter().any(|empty| text.starts_with(empty));
        if !is_inside && text.as_ref().is_some_and(begins) {
            found.push(number);
        }
        is_inside = text.is_some();
    }
    found
}

#[test]
fn summaries_say_something_on_their_own_page() {
    let source =
        "//! What it is.\n\n/// Rows.\n/// What they hold.\nfn f() {}\n    /// Those of A.\n";
    assert_eq!(empty_summaries(source), [1, 6]);
    let sources = SUMMARIES.iter().flat_map(|folder| files(folder, ".rs"));
    let mut found = vec![];
    for source in sources {
        let lines = empty_summaries(&read(&source));
        found.extend(lines.into_iter().map(|line| format!("{source}:{line}")));
    }
    report(found);
}

/// A section that stands twice under one heading was pasted twice.
#[test]
fn no_section_stands_twice() {
    let mut twice = vec![];
    for (document, text) in documents() {
        let (mut path, mut found) = (vec![], BTreeSet::new());
        for (level, heading) in headings(&text) {
            path.truncate(level - 1);
            path.resize(level - 1, "");
            path.push(heading);
            if !found.insert(path.clone()) {
                twice.push(format!("{document}: {}", path.join(" > ")));
            }
        }
    }
    report(twice);
}

#[test]
fn links_lead_somewhere() {
    let mut broken = vec![];
    for (document, text) in documents() {
        let beside = root().join(&document);
        let targets = text.split("](").skip(1);
        for target in targets.map(|rest| rest.split(')').next().unwrap()) {
            if target.contains("://") {
                continue;
            }
            let (path, name) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => beside.clone(),
                _ => beside.with_file_name(path),
            };
            let has_anchor = || {
                let text = std::fs::read_to_string(&file).unwrap();
                headings(&text)
                    .iter()
                    .any(|(_, heading)| anchor(heading) == name)
            };
            if !file.exists() || !name.is_empty() && !has_anchor() {
                broken.push(format!("{document}: {target}"));
            }
        }
    }
    report(broken);
}

#[test]
fn paths_exist() {
    let mut missing = vec![];
    for (document, text) in documents() {
        let beside = PathBuf::from(&document);
        let beside = root().join(beside.parent().unwrap());
        for path in named_paths(&spans(&text)) {
            if !root().join(&path).exists() && !beside.join(&path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    for source in CODE.iter().flat_map(|folder| files(folder, ".rs")) {
        let text = comments(&read(&source));
        let words = text.split(|c: char| c.is_whitespace() || "`()[];,\"".contains(c));
        let words: Vec<&str> = words
            .map(|word| word.trim_end_matches(['.', ':']))
            .collect();
        let is_file = |path: &String| path.ends_with(".rs") || path.ends_with(".md");
        let beside = root().join(&source);
        for path in named_paths(&words).into_iter().filter(is_file) {
            if !root().join(&path).exists() && !beside.with_file_name(&path).exists() {
                missing.push(format!("{source}: {path}"));
            }
        }
    }
    report(missing);
}

/// The names that code defines: items, fields, variants, and what it exports.
fn defined(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        found.insert(text.chars().take_while(|&c| is_word(c)).collect());
    };
    for keyword in [
        "fn ",
        "struct ",
        "enum ",
        "trait ",
        "const ",
        "static ",
        "type ",
        "mod ",
        "macro_rules! ",
    ] {
        for (at, _) in code.match_indices(keyword) {
            add(&code[at + keyword.len()..]);
        }
    }
    for line in code.lines().map(str::trim_start) {
        let line = line.strip_prefix("pub").unwrap_or(line);
        let line = line.strip_prefix("(crate)").unwrap_or(line).trim_start();
        let end = line.find(|c| !is_word(c)).unwrap_or(line.len());
        let is_member = [":", ",", "(", " {", " ="]
            .iter()
            .any(|next| line[end..].starts_with(next));
        if end > 0 && (is_member || end == line.len()) {
            add(line);
        }
    }
    for (at, _) in code.match_indices("pub use ") {
        let exported = code[at..].split(';').next().unwrap();
        exported.split(|c| !is_word(c)).for_each(&mut add);
    }
    found
}

/// The names that each file defines, and its code.
struct Names {
    of_file: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Names {
    fn new() -> Self {
        let all = CODE.iter().flat_map(|folder| files(folder, ".rs"));
        let of_file = all.map(|file| {
            let code = code(&read(&file));
            let defined = defined(&code);
            (file, (code, defined))
        });
        Self {
            of_file: of_file.collect(),
        }
    }

    /// Whether the path of an item leads to something.
    fn has(&self, path: &[&str]) -> bool {
        let (name, owners) = path.split_last().unwrap();
        let Some(owner) = owners.last() else {
            return self
                .of_file
                .values()
                .any(|(_, names)| names.contains(*name));
        };
        let is_type = owner.starts_with(char::is_uppercase);
        let is_owner = |file: &str, code: &str| match is_type {
            true => ["struct ", "enum ", "trait ", "impl ", "> ", "for "]
                .iter()
                .any(|before| {
                    code.match_indices(&format!("{before}{owner}"))
                        .any(|(at, found)| !code[at + found.len()..].starts_with(is_word))
                }),
            false => {
                let inside = format!("/{owner}/");
                ["handwritten", "crate"].contains(owner)
                    || file.contains(&inside)
                    || file.ends_with(&format!("/{owner}.rs"))
            }
        };
        let mut files = self.of_file.iter();
        files.any(|(file, (code, names))| names.contains(*name) && is_owner(file, code))
    }
}

/// The paths of items that a span of code names: `a::b`, or `a::{b, c}` for two; and single
/// names of types and constants.
fn named_items(span: &str) -> Vec<Vec<&str>> {
    let span = span.strip_suffix("()").unwrap_or(span);
    let (before, names) = match span.split_once("::{") {
        Some((before, names)) => (before, names.trim_end_matches('}').split(',').collect()),
        None => (span, vec![]),
    };
    let mut path: Vec<&str> = before.split("::").collect();
    let is_name = |name: &&str| !name.is_empty() && name.chars().all(is_word);
    if !path.iter().all(is_name) {
        return vec![];
    }
    if names.is_empty() {
        let is_item =
            path.len() > 1 || path[0].len() > 2 && path[0].starts_with(char::is_uppercase);
        return if is_item { vec![path] } else { vec![] };
    }
    let names = names.into_iter().map(str::trim).filter(is_name);
    names
        .map(|name| {
            path.push(name);
            let whole = path.clone();
            path.pop();
            whole
        })
        .collect()
}

/// Names that are no items of this repository.
const FOREIGN: [&str; 21] = [
    "ALL_PROXY",
    "CLASS",
    "CONNECT",
    "Copy",
    "DIR",
    "Debug",
    "Deref",
    "Display",
    "FromStr",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NET",
    "NO_COLOR",
    "NO_PROXY",
    "None",
    "PATH",
    "RAYON_NUM_THREADS",
    "SHA256SUMS",
    "SSL_CERT_FILE",
    "rand_core",
    "usize",
];

#[test]
fn items_exist() {
    let names = Names::new();
    let sources = CODE.iter().flat_map(|folder| files(folder, ".rs"));
    let sources = sources.filter(|source| !source.starts_with("tests/architecture"));
    let sources = sources.map(|source| {
        let comments = comments(&read(&source));
        (source, comments)
    });
    let mut missing = vec![];
    for (file, text) in documents().into_iter().chain(sources) {
        let is_own =
            |path: &Vec<&str>| !FOREIGN.contains(&path[0]) && !path[0].starts_with("HANDWRITTEN_");
        let paths = spans(&text).into_iter().flat_map(named_items);
        for path in paths.filter(is_own).filter(|path| !names.has(path)) {
            missing.push(format!("{file}: {}", path.join("::")));
        }
    }
    report(missing);
}

/// The variables in a text whose names begin with `HANDWRITTEN_`.
fn variables(text: &str) -> BTreeSet<&str> {
    let found = text.match_indices("HANDWRITTEN_");
    found
        .map(|(at, _)| text[at..].split(|c| !is_word(c)).next().unwrap())
        .filter(|name| !name.ends_with('_'))
        .collect()
}

#[test]
fn environment_variables_exist() {
    let sources = CODE.iter().flat_map(|folder| files(folder, ".rs"));
    let sources: Vec<String> = sources.map(|source| read(&source)).collect();
    let is_read = |name: &str| {
        let read = format!("var(\"{name}\")");
        let read_os = format!("var_os(\"{name}\")");
        let mut sources = sources.iter();
        sources.any(|source| source.contains(&read) || source.contains(&read_os))
    };
    let scripts = files(".ci", "").into_iter();
    let scripts = scripts.map(|script| (script.clone(), read(&script)));
    let texts = documents().into_iter().chain(scripts);
    let help = ("cli/src/args.rs".to_string(), read("cli/src/args.rs"));
    let mut missing = vec![];
    for (file, text) in texts.chain([help]) {
        let unknown = variables(&text).into_iter().filter(|name| !is_read(name));
        missing.extend(unknown.map(|name| format!("{file}: {name}")));
    }
    report(missing);
}

/// The flags in a text, without the hyphens before them.
fn flags(text: &str) -> Vec<&str> {
    let found = text.match_indices("--").filter(|&(at, _)| {
        let is_inside = text[..at].ends_with(|c| is_word(c) || c == '-');
        !is_inside && text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
    });
    let is_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    found
        .map(|(at, _)| text[at + 2..].split(|c| !is_flag(c)).next().unwrap())
        .collect()
}

/// The flags that fields of arguments define in a source of the programs.
fn defined_flags(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices("#[arg(") {
        let (attribute, after) = source[at..].split_once(")]").unwrap();
        if attribute.split(|c| !is_word(c)).any(|word| word == "long") {
            let field = after.split(':').next().unwrap();
            let name = field.rsplit(|c| !is_word(c)).next().unwrap();
            found.insert(name.replace('_', "-"));
        }
    }
    found
}

/// Flags of cargo, of `cargo fuzz` and of the example `learning_rates`.
const FOREIGN_FLAGS: [&str; 17] = [
    "all",
    "all-targets",
    "batches",
    "bench",
    "bin",
    "example",
    "features",
    "lib",
    "locked",
    "no-default-features",
    "nocapture",
    "no-trace-compares",
    "path",
    "release",
    "seeds",
    "test",
    "workspace",
];

#[test]
fn flags_exist() {
    let mut known: BTreeSet<String> = ["help", "version"].map(String::from).into();
    known.extend(FOREIGN_FLAGS.map(String::from));
    for source in [
        "cli/src/args.rs",
        "cli/src/args/augment.rs",
        "cli/src/args/compare.rs",
        "cli/src/args/convert.rs",
        "cli/src/args/data.rs",
        "cli/src/args/report.rs",
        "cli/src/args/train.rs",
        "cli/src/settings/flags.rs",
    ] {
        known.extend(defined_flags(&read(source)));
    }
    assert!(known.len() > 30, "{known:?}");
    let mut missing = vec![];
    let mut check = |file: &str, text: &str| {
        let unknown = flags(text)
            .into_iter()
            .filter(|&flag| !known.contains(flag));
        missing.extend(unknown.map(|flag| format!("{file}: --{flag}")));
    };
    for (file, text) in documents() {
        spans(&text).into_iter().for_each(|span| check(&file, span));
    }
    // Messages, help and comments.
    let sources = ["src", "cli/src"].iter();
    for source in sources.flat_map(|folder| files(folder, ".rs")) {
        let text = read(&source);
        check(&source, text.split("#[cfg(test)]").next().unwrap());
    }
    report(missing);
}

#[test]
fn names_are_read_as_they_are_meant() {
    let text = "a `src/lib.rs`, `cargo test`\n```sh\ntrain --lr 1\n```\n`docs/*.md`";
    let found = spans(text);
    assert_eq!(
        found,
        [
            "src/lib.rs",
            "cargo test",
            "sh",
            "train --lr 1",
            "docs/*.md"
        ]
    );
    assert_eq!(named_paths(&found), ["src/lib.rs"]);
    assert_eq!(
        flags("(--lr takes) a--b -- --checkpoint-every"),
        ["lr", "checkpoint-every"]
    );

    assert_eq!(named_items("a::{B, c}"), [["a", "B"], ["a", "c"]]);
    assert_eq!(named_items("Net::step()"), [["Net", "step"]]);
    assert!(named_items("a < b").is_empty() && named_items("word").is_empty());
    let names = Names::new();
    for path in [
        "Workspace::step",
        "files::load",
        "Batch::Full",
        "TrainError",
    ] {
        assert!(names.has(&path.split("::").collect::<Vec<_>>()), "{path}");
    }
    for path in [
        "Workspace::leap",
        "files::step",
        "Batch::Half",
        "TrainErrors",
    ] {
        assert!(!names.has(&path.split("::").collect::<Vec<_>>()), "{path}");
    }
    let changelog =
        "# C\n\n## [Next]\n\n### Changed\n\n  | `old` | `new` |\n\n### Removed\n\n- x\n\n## 1";
    let kept = of_next_version(changelog);
    assert!(
        kept.contains("`new`") && !kept.contains("`old`") && !kept.contains("- x"),
        "{kept}"
    );
}
