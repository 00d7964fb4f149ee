//! Bounds the module's memory: a template that grows without end fails in its Worker, not in the person's machine.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo:rustc-link-arg-cdylib=--max-memory={}", 512 << 20);
    }
}
