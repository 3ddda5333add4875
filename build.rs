//! Squeezes the texts of the program, and says how the binary is linked: no start files,
//! no libraries, no dynamic section.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/text/model.rs"]
mod model;

fn main() {
    let texts = gather();
    let squeezed = squeeze(&texts);
    let code = format!(
        "const TEXTS: &[u8; {}] = b\"{}\";\nstatic SQUEEZED: [u8; {}] = {squeezed:?};\n",
        texts.len(),
        texts.escape_ascii(),
        squeezed.len(),
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("texts.rs"), code).expect("the texts can be written");
    link();
}

/// How the binary is linked.
fn link() {
    let layout = format!("{}/src/kernel/layout.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={layout}");

    // Cargo names the linker that its configuration chose: the release targets
    // call lld itself, the host's target goes through the C compiler.
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    let direct = linker.ends_with("lld");

    if !direct {
        argument("-nostartfiles");
        argument("-no-pie");
    }
    argument("-nostdlib");
    argument("-static");
    for option in [
        "--build-id=none",   // nothing that differs from build to build
        "--no-eh-frame-hdr", // nothing is ever unwound
        "--gc-sections",     // what nobody calls is not there
    ] {
        argument(&if direct { option.to_string() } else { format!("-Wl,{option}") });
    }
    // The room in memory begins at a page, but is not in the file: nothing there need.
    argument(if direct { "-zmax-page-size=64" } else { "-Wl,-z,max-page-size=64" });
    // The kernel does not read section headers; tools that measure do. (GNU ld
    // learned this only lately, so it keeps them.)
    println!("cargo::rerun-if-env-changed=THIMBLE_SECTIONS");
    if direct && env::var_os("THIMBLE_SECTIONS").is_none() {
        argument("-znosectionheader");
    }
    argument(&if direct { format!("-T{layout}") } else { format!("-Wl,-T,{layout}") });
}

fn argument(text: &str) {
    println!("cargo::rustc-link-arg-bins={text}");
}

/// All texts of the sources, each with a NUL behind it, the first one empty: those of `pack!`,
/// the lines of the option tables and what stands above them, and the texts of those
/// macros that make a list of them, which stay together in their order.
fn gather() -> Vec<u8> {
    println!("cargo::rerun-if-changed=src");
    let mut files = Vec::new();
    list(Path::new("src"), &mut files);
    files.sort();
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let mut texts = format!("\0thimble {version}\n\0");
    for file in files {
        let code = fs::read_to_string(file).expect("a source can be read");
        let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (start, end) in [("pack!(", ""), ("Opt(", "\n"), ("_START: &str = ", "")] {
            for (at, _) in code.match_indices(start) {
                if let Some((text, _)) = literal(&code[at + start.len()..]) {
                    add(&mut texts, &(text + end));
                }
            }
        }
        for name in ["steps! {", "hints! {", "errors! {", "lines! {"] {
            for (at, _) in code.match_indices(&format!("\n{name}\n")) {
                let block = code[at + 1..].split("\n}\n").next().unwrap_or_default();
                add(&mut texts, &literals(block).join("\0"));
            }
        }
    }
    texts.into_bytes()
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src can be listed") {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Adds a text, unless another one ends with it.
fn add(texts: &mut String, text: &str) {
    let text = format!("{text}\0");
    if !texts.contains(&text) {
        texts.push_str(&text);
    }
}

/// The string literals in a piece of code.
fn literals(mut code: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(at) = code.find('"') {
        let (text, rest) = literal(&code[at..]).expect("a string has an end");
        found.push(text);
        code = rest;
    }
    found
}

/// The string literal that a piece of code begins with, if it does, and what is behind it.
fn literal(code: &str) -> Option<(String, &str)> {
    let mut rest = code.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((text, rest.as_str())),
            '\\' => match rest.next()? {
                'n' => text.push('\n'),
                '0' => text.push('\0'),
                // A line that goes on below.
                '\n' => rest = rest.as_str().trim_start().chars(),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// Codes the texts: `unpack` in src/text/packed.rs is the other way round, and says how.
fn squeeze(texts: &[u8]) -> Vec<u8> {
    let mut counts = Box::new([[0; 2]; model::PLACES]);
    let mut model = model::Model::new(&mut counts);
    let (mut low, mut high, mut squeezed) = (0, u32::MAX, Vec::new());
    for byte in texts {
        for place in (0..8).rev() {
            let bit = byte >> place & 1 == 1;
            let middle = low + ((high - low) >> 12) * model.expect();
            if bit {
                high = middle;
            } else {
                low = middle + 1;
            }
            model.learn(bit);
            while (low ^ high) >> 24 == 0 {
                squeezed.push((high >> 24) as u8);
                low <<= 8;
                high = high << 8 | 255;
            }
        }
    }
    // Enough of a number of the last range: behind it are read zeros.
    squeezed.push((high >> 24) as u8);
    squeezed
}
