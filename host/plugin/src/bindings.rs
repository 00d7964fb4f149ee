//! The contract's host side, generated.
#![allow(clippy::pedantic, missing_docs)]

pub mod adapter {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "adapter-plugin" });
}

pub mod compute {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "compute-plugin" });
}
