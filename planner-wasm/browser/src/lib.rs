//! The planner for a page: JavaScript's strings to the session's and back, nothing else.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// The Worker keeps the words of a panic; the trap that follows says only `unreachable`.
    #[wasm_bindgen(js_name = dvtPlannerPanicked)]
    fn panicked(message: &str);
}

/// Runs once, when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| panicked(&info.to_string())));
}

/// A whole project, parsed and planned: [`dvt_planner_session::explain`].
#[wasm_bindgen]
pub fn explain(question: &str) -> String {
    dvt_planner_session::explain(question)
}
