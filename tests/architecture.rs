//! Rules of CONTRIBUTING.md that the compiler cannot check: where imports may point, what
//! reaches the disk, the streams and the environment, how long files and functions may be, that
//! one file detects instruction sets, and that what documents name exists.
//!
//! A folder of `src/` uses those above it in this list only: `compute` uses none, `data` and
//! `net` use `compute`, `step` uses these three, `training` the step, and `files` all others.

#![cfg(feature = "std")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "architecture/documents.rs"]
mod documents;

/// Maximum number of lines of a source file, tests apart.
const FILE_LINES: usize = 400;

/// Maximum number of lines of a function, from its name to its last brace, unless a
/// line comment beside it that begins with [`LONG`] says why.
const FUNCTION_LINES: usize = 60;
const LONG: &str = "// Long: ";

/// Allowed imports of each folder of `src/`, besides its own.
const ARROWS: [(&str, &[&str]); 6] = [
    ("compute", &[]),
    ("data", &["compute"]),
    ("net", &["compute"]),
    ("step", &["compute", "data", "net"]),
    ("training", &["compute", "data", "net", "step"]),
    ("files", &["compute", "data", "net", "step", "training"]),
];

/// Fails if there are findings.
fn report(findings: Vec<String>) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a folder whose name ends so, in order, as paths from the root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap();
            if path.is_dir() && !["target", "generated"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(ending) {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The source without comments, and without what strings and character literals hold.
/// Lines stay where they are.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let hashes = rest[1..].bytes().take_while(|&b| b == b'#').count();
        let is_raw = c == 'r' && rest[1 + hashes..].starts_with('"');
        let is_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if is_raw && (!is_word || code.ends_with('b')) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            start + rest[start..].find(&end).unwrap() + end.len()
        } else if c == '"' {
            quoted(rest, '"').unwrap()
        } else if c == '\'' && !is_lifetime(rest) {
            quoted(rest, '\'').unwrap()
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..len].chars().filter(|&c| c == '\n'));
        rest = &rest[len..];
    }
    code
}

/// The length of the literal that `text` begins with.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    let mut chars = text.char_indices().skip(1);
    let (end, _) = chars.find(|&(_, c)| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some(end + 1)
}

/// Whether `'` begins the name of a lifetime rather than a character.
fn is_lifetime(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    let (first, second) = (chars.next(), chars.next());
    first.is_some_and(|c| c.is_alphabetic() || c == '_') && second != Some('\'')
}

/// The code of a file up to the module of its tests.
fn without_tests(path: &str) -> String {
    let code = code(&read(path));
    let tests = code.find("mod tests {");
    let end = tests.map(|at| code[..at].rfind("#[cfg").unwrap_or(at));
    code[..end.unwrap_or(code.len())].to_string()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests")
}

/// A name that a file imports.
struct Import {
    path: String,
    /// The name by which others import it from here, if it is exported.
    exported: Option<String>,
}

/// The imports of a file, lists of `use` taken apart, and the paths from the crate's root
/// that it writes elsewhere.
fn imports(code: &str) -> Vec<Import> {
    let mut found = vec![];
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].trim_end_matches(' ');
        let is_exported = before.ends_with("pub") || before.ends_with(')');
        if !is_exported && !before.is_empty() && !before.ends_with(['\n', ';', ']', '}']) {
            continue;
        }
        if let Some(end) = code[at..].find(';') {
            let tree = code[at + 4..at + end].replace(" as ", "@");
            let tree: String = tree.split_whitespace().collect();
            expand("", &tree, &mut |path, name| {
                let exported = is_exported.then(|| name.to_string());
                found.push(Import { path, exported });
            });
        }
    }
    for (at, _) in code.match_indices("crate::") {
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let path = code[at..].split(|c| !is_path(c)).next().unwrap();
        if !code[..at].ends_with('$') && !path.ends_with("::") {
            let (path, exported) = (path.to_string(), None);
            found.push(Import { path, exported });
        }
    }
    found
}

/// Takes apart a tree of imports that stands after the path `before`: gives each path,
/// and the name by which it goes here.
fn expand(before: &str, tree: &str, found: &mut dyn FnMut(String, &str)) {
    let (mut depth, mut start) = (0, 0);
    for (i, c) in tree.char_indices().chain([(tree.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = &tree[start..i];
                start = i + 1;
                if let Some((path, inner)) = branch.split_once('{') {
                    let inner = inner.strip_suffix('}').unwrap_or(inner);
                    expand(&format!("{before}{path}"), inner, found);
                } else if !branch.is_empty() {
                    let (path, name) = branch.split_once('@').unwrap_or((branch, branch));
                    let path = format!("{before}{path}");
                    let path = path.strip_suffix("::self").unwrap_or(&path).to_string();
                    found(path, name.rsplit("::").next().unwrap());
                }
            }
            _ => {}
        }
    }
}

/// The module of a file: `["net", "loss"]` of `src/net/loss.rs`.
fn module(path: &str) -> Vec<&str> {
    let path = path
        .strip_prefix("src/")
        .unwrap()
        .strip_suffix(".rs")
        .unwrap();
    let parts = path.split('/');
    parts
        .filter(|part| !["mod", "lib"].contains(part))
        .collect()
}

/// Where an import of the module `own` leads, as a path from the crate's root; `None`
/// if that is another crate.
fn absolute(import: &str, own: &[&str], children: &BTreeSet<String>) -> Option<Vec<String>> {
    let parts: Vec<&str> = import.split("::").collect();
    let mut path: Vec<String> = own.iter().map(|part| part.to_string()).collect();
    let mut rest = &parts[..];
    match parts[0] {
        "crate" => {
            path.clear();
            rest = &parts[1..];
        }
        "self" => rest = &parts[1..],
        "super" => {
            while rest.first() == Some(&"super") {
                path.pop();
                rest = &rest[1..];
            }
        }
        child => {
            let mut module = path.clone();
            module.push(child.to_string());
            if !children.contains(&module.join("::")) {
                return None;
            }
        }
    }
    path.extend(rest.iter().map(|part| part.to_string()));
    Some(path)
}

/// Every file of the library with the files that it imports from, and imports from the
/// root of the crate. A name that a module exports from a module within it counts as an
/// import from where it is defined, and the export itself as none.
fn graph() -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
    let sources = files("src", ".rs")
        .into_iter()
        .filter(|file| !is_test(file));
    let of_module: BTreeMap<String, String> = sources
        .map(|file| (module(&file).join("::"), file))
        .collect();
    let modules: BTreeSet<String> = of_module.keys().cloned().collect();
    let (mut exports, mut all) = (BTreeMap::new(), vec![]);
    for (own, file) in &of_module {
        for import in imports(&without_tests(file)) {
            if let Some(path) = absolute(&import.path, &module(file), &modules) {
                match import.exported {
                    Some(name) => drop(exports.insert((own.clone(), name), path)),
                    None => all.push((file, import.path, path)),
                }
            }
        }
    }
    let none = |file: &String| (file.clone(), BTreeSet::new());
    let mut edges: BTreeMap<_, _> = of_module.values().map(none).collect();
    let mut from_root = vec![];
    for (file, import, mut path) in all {
        let target = loop {
            let is_module = |len: &usize| modules.contains(&path[..*len].join("::"));
            let len = (0..=path.len()).rev().find(is_module).unwrap();
            let (within, name) = (path[..len].join("::"), path.get(len));
            let key = name.map(|name| (within.clone(), name.clone()));
            match key.and_then(|key| exports.get(&key)) {
                Some(export) if !within.is_empty() => {
                    path = export.iter().chain(&path[len + 1..]).cloned().collect();
                }
                _ => break of_module[&within].clone(),
            }
        };
        if target == "src/lib.rs" {
            from_root.push(format!("{file} imports {import} from the root"));
        } else if target != *file {
            edges.get_mut(file).unwrap().insert(target);
        }
    }
    (edges, from_root)
}

fn folder(file: &str) -> &str {
    let path = file.strip_prefix("src/").unwrap();
    path.split_once('/').map_or("", |(folder, _)| folder)
}

#[test]
fn no_import_points_up() {
    let (edges, mut wrong) = graph();
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > 100);
    for (file, targets) in edges.iter().filter(|(file, _)| *file != "src/lib.rs") {
        let rule = ARROWS.iter().find(|(name, _)| *name == folder(file));
        let (_, below) = rule.unwrap_or_else(|| panic!("{file} is in no folder of the tree"));
        for target in targets {
            let into = folder(target);
            let is_up = into != folder(file) && !below.contains(&into);
            // The scanners of zero pixels use what products define, not the reverse.
            let into_zeros =
                file.starts_with("src/compute/gemm") && target.starts_with("src/compute/zeros");
            if is_up || into_zeros {
                wrong.push(format!("{file} imports from {target}"));
            }
        }
    }
    report(wrong);
}

/// All files that a file imports from, at any distance.
fn reachable<'a>(
    edges: &'a BTreeMap<String, BTreeSet<String>>,
    from: &'a str,
) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        let targets = edges[file].iter().map(String::as_str);
        open.extend(targets.filter(|target| found.insert(*target)));
    }
    found
}

#[test]
fn imports_make_no_circle() {
    let (edges, _) = graph();
    let mut circles = vec![];
    for (file, targets) in edges.iter().filter(|(file, _)| *file != "src/lib.rs") {
        let leads_back = |target: &&String| reachable(&edges, target).contains(file.as_str());
        let back: Vec<&str> = targets
            .iter()
            .filter(leads_back)
            .map(String::as_str)
            .collect();
        if !back.is_empty() {
            circles.push(format!(
                "{file} imports, in a circle, from {}",
                back.join(", ")
            ));
        }
    }
    report(circles);
}

/// All Rust files but tests.
fn sources() -> Vec<String> {
    let folders = ["src", "cli/src", "benches", "examples", "fuzz"];
    let all = folders.iter().flat_map(|folder| files(folder, ".rs"));
    all.filter(|file| !is_test(file)).collect()
}

#[test]
fn no_file_is_too_long() {
    let lines = |file: &String| without_tests(file).lines().count();
    let long = sources().into_iter().map(|file| (lines(&file), file));
    let long: Vec<String> = long
        .filter(|(lines, _)| *lines > FILE_LINES)
        .map(|(lines, file)| format!("{file}: {lines} lines without its tests"))
        .collect();
    report(long);
}

/// The functions of a file that are too long and do not say why: name, first line, and
/// number of lines.
fn long_functions(source: &str, code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = vec![];
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let is_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let Some(open) = code[at..].find(['{', ';']).map(|open| at + open) else {
            continue;
        };
        if is_word || name.is_empty() || code[open..].starts_with(';') {
            continue;
        }
        let mut depth = 0;
        let end = code[open..].find(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (line, len) = (
            code[..at].matches('\n').count(),
            code[at..open + end.unwrap_or(0)].matches('\n').count() + 1,
        );
        if len > FUNCTION_LINES && !says_why(&lines[..line]) {
            found.push((name, line + 1, len));
        }
    }
    found
}

/// Whether the comments and attributes at the end of these lines hold [`LONG`].
fn says_why(before: &[&str]) -> bool {
    let about = before.iter().rev().map(|line| line.trim_start());
    about
        .take_while(|line| {
            ["//", "#", ")]"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .any(|line| line.starts_with(LONG))
}

#[test]
fn no_function_is_too_long_without_a_reason() {
    let mut long = vec![];
    for file in sources() {
        for (name, line, len) in long_functions(&read(&file), &without_tests(&file)) {
            long.push(format!("{file}:{line}: {name} has {len} lines"));
        }
    }
    report(long);
}

/// Only `isa.rs` asks what the processor or the build has. Other files may leave code out of
/// builds for other architectures, and compile functions for features that an `Isa` proves.
#[test]
fn one_file_detects_instruction_sets() {
    const ISA: &str = "src/compute/isa.rs";
    let asks = |line: &&str| {
        let is_module = line.contains(r#"target_arch = "aarch64", target_feature = "neon""#);
        line.contains("feature_detected!")
            || line.contains("target_feature = ") && !is_module
            || line.contains("cfg!(") && line.contains("target_feature")
    };
    let found = |path: &str| read(path).lines().filter(asks).count();
    assert!(found(ISA) > 0);
    let others = files("src", ".rs").into_iter().filter(|path| path != ISA);
    report(others.filter(|path| found(path) > 0).collect());
}

/// Files outside of `src/files/` that read an environment variable: constructors that take
/// the choice of whoever starts the program, each documented with its variable.
const READ_ENVIRONMENT: [(&str, &str); 2] = [
    ("src/compute/isa.rs", "Isa::from_env reads HANDWRITTEN_ISA"),
    (
        "src/step/strategy.rs",
        "Strategy::from_env reads HANDWRITTEN_STRATEGY",
    ),
];

/// Uses of the disk, of standard streams, of the environment and of processes in code.
fn outside_uses(code: &str) -> Vec<&'static str> {
    const USES: [&str; 13] = [
        "std::fs",
        "std::env",
        "std::process",
        "std::net",
        "stdin",
        "stdout",
        "stderr",
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "dbg!",
        "File::",
    ];
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    // `use std::{fs, io}` names them too.
    let mut paths: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    for import in imports(code) {
        paths += &format!(" {}", import.path);
    }
    let is_used = |name: &&str| {
        let mut found = paths.match_indices(name);
        found.any(|(at, _)| {
            let ends = name.ends_with(['!', ':']);
            !paths[..at].ends_with(is_word)
                && (ends || !paths[at + name.len()..].starts_with(is_word))
        })
    };
    USES.into_iter().filter(is_used).collect()
}

#[test]
fn only_files_reaches_outside() {
    let mut wrong = vec![];
    for file in files("src", ".rs")
        .into_iter()
        .filter(|file| !is_test(file))
    {
        let mut uses = outside_uses(&without_tests(&file));
        if READ_ENVIRONMENT.iter().any(|(allowed, _)| *allowed == file) {
            assert!(
                uses.contains(&"std::env"),
                "{file} is no exception any more"
            );
            uses.retain(|&name| name != "std::env");
        }
        if !file.starts_with("src/files/") {
            wrong.extend(uses.into_iter().map(|name| format!("{file} uses {name}")));
        }
    }
    report(wrong);
}

#[test]
fn the_rules_are_read_as_they_are_meant() {
    let source = "use crate::{a::B, c::{self, D as E}};\nuse super::f; // use crate::g;\n";
    let found: Vec<String> = imports(&code(source)).into_iter().map(|i| i.path).collect();
    for path in ["crate::a::B", "crate::c", "crate::c::D", "super::f"] {
        assert!(found.contains(&path.to_string()), "{found:?}");
    }
    assert!(!found.iter().any(|path| path.contains('g')), "{found:?}");
    assert_eq!(
        code("a('{', \"}\\\"\", r#\"{\"#, b'x', &'a str)"),
        "a(, , , b, &'a str)"
    );

    let outside = "use std::{io, fs::{self, read}};\nprintln!(\"dbg!\"); // std::env";
    assert_eq!(outside_uses(&code(outside)), ["std::fs", "println!"]);
    assert!(outside_uses("use core::fmt; write!(f)?; my_stdout(); self.env").is_empty());

    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(60));
    let found = |source: &str| long_functions(source, &code(source));
    assert_eq!(found(&long), [("f".to_string(), 1, 62)]);
    assert!(found(&format!("// Long: one table.\n#[inline]\n{long}")).is_empty());
}
