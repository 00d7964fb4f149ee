//! The contract's host side, generated.
#![allow(clippy::pedantic, missing_docs)]

pub mod adapter {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "adapter-plugin" });
}

pub mod compute {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "compute-plugin" });
}

/// A compute whose engine runs outside the host: the same component, asked for both parts.
pub mod engine {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "outer-compute-plugin" });
}

pub mod connector {
    wasmtime::component::bindgen!({ path: "../../plugins/wit", world: "connector-plugin" });
}

pub mod wire {
    wasmtime::component::bindgen!({
        path: "../../plugins/wit",
        world: "wire-plugin",
        imports: { default: trappable },
        with: {
            "dvt:plugin/host-net.stream": crate::wire::lent::LentStream,
            "dvt:plugin/host-auth.sasl": crate::wire::lent::LentSasl,
        },
    });
}
