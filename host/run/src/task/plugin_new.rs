//! `plugin new`: a crate that builds, packs and passes the contract suite as it is, with the SDK beside it, so that it needs
//! nothing of dvt but the program.

use super::{OK, Task};
use dvt_diagnostic::{Code, Diagnostic};
use std::path::Path;

/// What a new plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Adapter,
    /// An adapter that speaks its protocol itself.
    Wire,
    Compute,
}

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../plugins/templates/", $path))
    };
}

/// The SDK and the contract, as the crate refers to them.
const VENDORED: &[(&str, &str)] = &[
    ("vendor/sdk/Cargo.toml", template!("sdk.toml")),
    ("vendor/sdk/src/lib.rs", include_str!("../../../../plugins/sdk/src/lib.rs")),
    ("vendor/sdk/src/driver.rs", include_str!("../../../../plugins/sdk/src/driver.rs")),
    ("vendor/sdk/src/fill.rs", include_str!("../../../../plugins/sdk/src/fill.rs")),
    ("vendor/sdk/src/engines.rs", include_str!("../../../../plugins/sdk/src/engines.rs")),
    ("vendor/sdk/src/export.rs", include_str!("../../../../plugins/sdk/src/export.rs")),
    ("vendor/sdk/src/native_type.rs", include_str!("../../../../plugins/sdk/src/native_type.rs")),
    ("vendor/sdk/src/wire.rs", include_str!("../../../../plugins/sdk/src/wire.rs")),
    ("vendor/wit/dvt-plugin.wit", include_str!("../../../../plugins/wit/dvt-plugin.wit")),
    ("vendor/wit/CHANGES.md", include_str!("../../../../plugins/wit/CHANGES.md")),
    (".gitignore", "/target\n*.wasm\n"),
];

const MACROS: &[(&str, &str)] = &[("macros/dbt_project.yml", template!("adapter/macros/dbt_project.yml")), ("macros/starter.sql", template!("adapter/macros/starter.sql"))];

const ADAPTER: &[(&str, &str)] = &[
    ("Cargo.toml", template!("adapter/Cargo.toml")),
    ("README.md", template!("adapter/README.md")),
    ("plugin.json", template!("adapter/plugin.json")),
    ("dialect.toml", template!("adapter/dialect.toml")),
    ("src/lib.rs", template!("adapter/src/lib.rs")),
];

const WIRE: &[(&str, &str)] = &[
    ("Cargo.toml", template!("wire/Cargo.toml")),
    ("README.md", template!("wire/README.md")),
    ("plugin.json", template!("wire/plugin.json")),
    ("dialect.toml", template!("wire/dialect.toml")),
    ("src/lib.rs", template!("wire/src/lib.rs")),
    ("src/session.rs", template!("wire/src/session.rs")),
];

const COMPUTE: &[(&str, &str)] = &[
    ("Cargo.toml", template!("compute/Cargo.toml")),
    ("README.md", template!("compute/README.md")),
    ("plugin.json", template!("compute/plugin.json")),
    ("src/lib.rs", template!("compute/src/lib.rs")),
];

impl Task {
    /// # Errors
    /// A bad name, an existing folder, a folder that cannot be written.
    pub fn plugin_new(&self, name: &str, kind: Kind) -> Result<u8, Vec<Diagnostic>> {
        let invalid = |text: String, hint: &str| vec![Diagnostic::error(Code::InitInvalid, text).hint(hint)];
        let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !good {
            return Err(invalid(format!("`{name}` is no plugin name"), "lower-case letters, digits and underscores, not starting with a digit: profiles will say `type: <name>`"));
        }
        let folder = self.settings.working_dir.join(name);
        if folder.exists() {
            return Err(invalid(format!("{} exists", folder.display()), "choose another name, or remove it"));
        }
        let files = match kind {
            Kind::Adapter => [ADAPTER, MACROS, VENDORED],
            Kind::Wire => [WIRE, MACROS, VENDORED],
            Kind::Compute => [COMPUTE, &[], VENDORED],
        };
        // Built beside its place and moved there whole: a failure leaves nothing half-made.
        let failed = |what: &Path, e: &dyn std::fmt::Display| vec![Diagnostic::error(Code::InitInvalid, format!("{} cannot be written: {e}", what.display()))];
        let staging = tempfile::Builder::new().prefix(".dvt-new-").tempdir_in(&self.settings.working_dir).map_err(|e| failed(&self.settings.working_dir, &e))?;
        let camel = camel(name);
        for (path, text) in files.into_iter().flatten() {
            let own = !path.starts_with("vendor/");
            let named = |text: &str| text.replace("Starter", &camel).replace("starter", name);
            let file = staging.path().join(if own { named(path) } else { (*path).to_owned() });
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
            }
            std::fs::write(&file, if own { named(text) } else { (*text).to_owned() }).map_err(|e| failed(&file, &e))?;
        }
        std::fs::rename(staging.path(), &folder).map_err(|e| failed(&folder, &e))?;
        self.printer.line(&format!("Created {}", folder.display()));
        self.printer.line(&format!("Next: cd {name} && cargo build --release --target wasm32-unknown-unknown (README.md says what follows)"));
        Ok(OK)
    }

    /// `plugin pack`: a compiler's module and a manifest into a plugin file.
    ///
    /// # Errors
    /// Files that cannot be read or written, a module that is no plugin, a manifest that lacks something.
    pub fn plugin_pack(&self, module: &Path, manifest: &Path, output: &Path) -> Result<u8, Vec<Diagnostic>> {
        let failed = |path: &Path, e: &dyn std::fmt::Display| vec![Diagnostic::error(Code::PluginInvalid, format!("{}: {e}", path.display()))];
        let wasm = std::fs::read(module).map_err(|e| failed(module, &e))?;
        let text = std::fs::read_to_string(manifest).map_err(|e| failed(manifest, &e))?;
        // An adapter gives its sheet itself; a compute's is a part of its file.
        let sheet = std::fs::read_to_string(manifest.with_file_name("dialect.toml")).ok().filter(|_| text.contains("\"compute\""));
        let connector = manifest.extension().is_some_and(|e| e == "toml");
        let packed = match sheet {
            _ if connector => dvt_plugin_pack::pack_connector(&wasm, &text),
            Some(sheet) => dvt_plugin_pack::pack_with_sheet(&wasm, &text, &sheet),
            None => dvt_plugin_pack::pack(&wasm, &text),
        };
        let packed = packed.map_err(|e| {
            let hint = match e {
                dvt_plugin_pack::PackError::Manifest(_) => "a manifest: {\"id\", \"version\", \"contract\": \"0.1.0\", \"kind\": \"adapter\", \"types\": [\"…\"], \"permissions\": []}",
                dvt_plugin_pack::PackError::NoPlace => "a connector's sheet goes into `blank/connector.wasm`, which lies beside the bundled plugins",
                dvt_plugin_pack::PackError::Packed => "give the module that the compiler wrote",
                _ => "build it for wasm32-unknown-unknown with the SDK's export macro",
            };
            vec![Diagnostic::error(Code::PluginInvalid, format!("{}: {e}", module.display())).hint(hint)]
        })?;
        std::fs::write(output, &packed).map_err(|e| failed(output, &e))?;
        self.printer.line(&format!("Wrote {} ({} KB)", output.display(), packed.len() / 1024));
        Ok(OK)
    }
}

/// `my_product` as `MyProduct`.
fn camel(name: &str) -> String {
    name.split('_').filter_map(|word| Some(word.get(..1)?.to_uppercase() + word.get(1..)?)).collect()
}
