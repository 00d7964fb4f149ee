//! `init`: a starter project that runs at once, with its profile, computes and DVT home.
//!
//! Everything is checked before the first file is made; files of a person are appended to, never overwritten.

use super::{OK, Task};
use crate::home::Home;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::EMBEDDED_DRIVER;
use std::path::Path;

/// The starter project: path and text; `{name}` is the project's name.
const FILES: &[(&str, &str)] = &[
    ("dbt_project.yml", include_str!("../../starter/dbt_project.yml")),
    (".gitignore", include_str!("../../starter/gitignore")),
    ("README.md", include_str!("../../starter/README.md")),
    ("seeds/raw_customers.csv", include_str!("../../starter/seeds/raw_customers.csv")),
    ("seeds/raw_orders.csv", include_str!("../../starter/seeds/raw_orders.csv")),
    ("models/customer_orders.sql", include_str!("../../starter/models/customer_orders.sql")),
    ("models/schema.yml", include_str!("../../starter/models/schema.yml")),
    ("macros/.gitkeep", ""),
    ("tests/.gitkeep", ""),
];

impl Task {
    /// # Errors
    /// A bad name, an existing folder, a home that cannot be written.
    pub fn init(&self, name: &str, skip_profile_setup: bool) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let invalid = |text: String, hint: &str| vec![Diagnostic::error(Code::InitInvalid, text).hint(hint)];
        let good = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            return Err(invalid(format!("`{name}` is no project name"), "letters, digits and underscores, not starting with a digit"));
        }
        let parent = self.settings.project_dir.clone().map_or_else(|| self.settings.working_dir.clone(), |p| self.settings.working_dir.join(p));
        let folder = parent.join(name);
        if folder.exists() {
            return Err(invalid(format!("{} exists", folder.display()), "choose another name, or remove it"));
        }
        let home = Home::find(&self.settings, None);
        let profiles = home.root.join("profiles.yml");
        let computes = home.root.join("computes.yml");
        let old_profiles = read(&profiles).map_err(one)?;
        let old_computes = read(&computes).map_err(one)?;
        // Built beside its place and moved there whole: a failure leaves nothing half-made.
        let failed = |what: &Path, e: &dyn std::fmt::Display| vec![Diagnostic::error(Code::InitInvalid, format!("{} cannot be written: {e}", what.display()))];
        let staging = tempfile::Builder::new().prefix(".dvt-init-").tempdir_in(&parent).map_err(|e| failed(&parent, &e))?;
        for (path, text) in FILES {
            let file = staging.path().join(path);
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
            }
            std::fs::write(&file, text.replace("{name}", name)).map_err(|e| failed(&file, &e))?;
        }
        std::fs::rename(staging.path(), &folder).map_err(|e| failed(&folder, &e))?;
        self.printer.line(&format!("Created {}", folder.display()));
        for sub in ["data", "plugins", "jars", "drivers", "cache"] {
            let path = home.root.join(sub);
            std::fs::create_dir_all(&path).map_err(|e| failed(&path, &e))?;
        }
        if !skip_profile_setup {
            let data = folder.canonicalize().unwrap_or(folder);
            let shown = data.display().to_string().replace('\'', "''");
            let profile = include_str!("../../starter/profiles.yml").replace("{name}", name).replace("{folder}", &shown).replace("{engine}", EMBEDDED_DRIVER);
            append(&profiles, &old_profiles, name, &profile).map_err(one)?.then(|| self.printer.line(&format!("Added profile {name} to {}", profiles.display())));
            let compute = include_str!("../../starter/computes.yml").replace("{name}", name).replace("{engine}", EMBEDDED_DRIVER);
            append(&computes, &old_computes, name, &compute).map_err(one)?.then(|| self.printer.line(&format!("Added computes of {name} to {}", computes.display())));
        }
        if let Err(busy) = home.mdm().prepare() {
            self.printer.diagnostic(&busy.diagnostic());
        }
        self.printer.line(&format!("Next: cd {name} && dvt build"));
        Ok(OK)
    }
}

fn read(path: &Path) -> Result<String, Diagnostic> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(Diagnostic::error(Code::InitInvalid, format!("{} cannot be read: {e}", path.display()))),
    }
}

/// Adds an entry unless the file has one of that name; false when it was left as it is.
fn append(path: &Path, old: &str, name: &str, entry: &str) -> Result<bool, Diagnostic> {
    let known = old.lines().any(|l| l.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':')));
    if known {
        return Ok(false);
    }
    let gap = if old.is_empty() || old.ends_with("\n\n") { "" } else if old.ends_with('\n') { "\n" } else { "\n\n" };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Diagnostic::error(Code::InitInvalid, format!("{}: {e}", folder.display())))?;
    }
    std::fs::write(path, format!("{old}{gap}{entry}")).map_err(|e| Diagnostic::error(Code::InitInvalid, format!("{} cannot be written: {e}", path.display())))?;
    Ok(true)
}
