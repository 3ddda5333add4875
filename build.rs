//! How the binary is linked: no start files, no libraries, no dynamic section.

fn main() {
    let layout = format!("{}/src/kernel/layout.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={layout}");

    // Cargo names the linker that its configuration chose: the release targets
    // call lld itself, the host's target goes through the C compiler.
    let linker = std::env::var("RUSTC_LINKER").unwrap_or_default();
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
    // The kernel does not read section headers; tools that measure do. (GNU ld
    // learned this only lately, so it keeps them.)
    println!("cargo::rerun-if-env-changed=THIMBLE_SECTIONS");
    if direct && std::env::var_os("THIMBLE_SECTIONS").is_none() {
        argument("-znosectionheader");
    }
    argument(&if direct { format!("-T{layout}") } else { format!("-Wl,-T,{layout}") });
}

fn argument(text: &str) {
    println!("cargo::rustc-link-arg-bins={text}");
}
