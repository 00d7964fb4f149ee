//! Which warnings are errors, which are silent: `warn_error` and `warn_error_options` over dbt's event names, and
//! deprecations told once each with a summary.
//!
//! Not here: printing, and where the options come from.

use crate::suggest::suggestion;
use dvt_diagnostic::{Code, Diagnostic, Severity};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// All deprecations of dbt 1.12, by the names that `warn_error_options` takes.
pub const DEPRECATIONS: [&str; 35] = [
    "PackageRedirectDeprecation", "PackageInstallPathDeprecation", "ConfigSourcePathDeprecation", "ConfigDataPathDeprecation",
    "ExposureNameDeprecation", "ConfigLogPathDeprecation", "ConfigTargetPathDeprecation", "CollectFreshnessReturnSignature",
    "ProjectFlagsMovedDeprecation", "PackageMaterializationOverrideDeprecation", "ResourceNamesWithSpacesDeprecation",
    "SourceFreshnessProjectHooksNotRun", "MFTimespineWithoutYamlConfigurationDeprecation", "MFCumulativeTypeParamsDeprecation",
    "MicrobatchMacroOutsideOfBatchesDeprecation", "GenericJSONSchemaValidationDeprecation", "UnexpectedJinjaBlockDeprecation",
    "DuplicateYAMLKeysDeprecation", "CustomTopLevelKeyDeprecation", "CustomKeyInConfigDeprecation", "CustomKeyInObjectDeprecation",
    "WEOIncludeExcludeDeprecation", "CustomOutputPathInSourceFreshnessDeprecation", "SourceOverrideDeprecation",
    "PropertyMovedToConfigDeprecation", "ModelParamUsageDeprecation", "EnvironmentVariableNamespaceDeprecation",
    "MissingPlusPrefixDeprecation", "ArgumentsPropertyInGenericTestDeprecation", "MissingArgumentsPropertyInGenericTestDeprecation",
    "ModulesItertoolsUsageDeprecation", "DuplicateNameDistinctNodeTypesDeprecation", "GenericSemanticLayerDeprecation",
    "TimeDimensionsRequireGranularityDeprecation", "GenerateSchemaNameNullValueDeprecation",
];

/// Other warnings that dbt names and dvt raises.
const EVENTS: [&str; 16] = [
    "UnversionedBreakingChange",
    "NoNodeForYamlKey", "NodeNotFoundOrDisabled", "UnusedResourceConfigPath", "NothingToDo", "NoNodesSelected", "FreshnessConfigProblem",
    "NoNodesForSelectionCriteria", "LogTestResult", "JinjaLogWarning", "DeprecatedModel", "DeprecatedReference", "UpcomingReferenceDeprecation",
    "UnsupportedConstraintMaterialization", "MicrobatchModelNoEventTimeInputs", "LogFreshnessResult",
];

/// Those that are errors for no option of dbt's.
const NEVER_ERRORS: [&str; 2] = ["FreshnessConfigProblem", "MicrobatchModelNoEventTimeInputs"];

/// Stands for all deprecations.
const GROUP: &str = "Deprecations";

/// What becomes of warnings. Nearer rules win: a name over `Deprecations` over `all`; then silence, warn, error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WarnErrorOptions {
    all: bool,
    error: BTreeSet<String>,
    warn: BTreeSet<String>,
    silence: BTreeSet<String>,
}

/// Warnings after the options.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    pub shown: Vec<Diagnostic>,
    pub errors: Vec<Diagnostic>,
    /// dbt's summary of deprecations; None without any.
    pub summary: Option<String>,
}

impl WarnErrorOptions {
    /// `--warn-error`: every warning is an error.
    pub fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// These options, with every warning that they do not name an error.
    #[must_use]
    pub fn and_everything(self) -> Self {
        Self { all: true, ..self }
    }

    /// Reads `{error: all | […], warn: […], silence: […]}`; `include` and `exclude` are the old names of the first two.
    ///
    /// # Errors
    /// `DVT6008` for a name that is no event of dbt's and no code of dvt's, and for values of another form.
    pub fn read(value: &Value) -> Result<Self, Diagnostic> {
        let Some(map) = value.as_object() else {
            return match value {
                Value::Null => Ok(Self::default()),
                _ => Err(wrong("warn_error_options is no mapping")),
            };
        };
        let mut out = Self::default();
        for (key, value) in map {
            let names = match value {
                Value::Null => BTreeSet::new(),
                Value::String(all) if matches!(all.as_str(), "all" | "*") && matches!(key.as_str(), "error" | "include") => {
                    out.all = true;
                    continue;
                }
                Value::Array(items) => items.iter().map(name).collect::<Result<_, _>>()?,
                _ => return Err(wrong(&format!("`{key}` of warn_error_options takes a list of event names"))),
            };
            match key.as_str() {
                "error" | "include" => out.error.extend(names),
                "warn" | "exclude" => out.warn.extend(names),
                "silence" => out.silence.extend(names),
                _ => return Err(wrong(&format!("`{key}` is no key of warn_error_options")).hint("keys: error, warn, silence")),
            }
        }
        Ok(out)
    }

    /// What becomes of one warning.
    pub fn fate(&self, diagnostic: &Diagnostic) -> Fate {
        let code = diagnostic.code.to_string();
        let names: Vec<&str> = diagnostic.event.as_deref().into_iter().chain([code.as_str()]).collect();
        let by_name = |set: &BTreeSet<String>| names.iter().any(|n| set.contains(*n));
        let by_group = |set: &BTreeSet<String>| is_deprecation(diagnostic) && set.contains(GROUP);
        for rule in [&by_name as &dyn Fn(&BTreeSet<String>) -> bool, &by_group] {
            if rule(&self.silence) {
                return Fate::Silent;
            }
            if rule(&self.warn) {
                return Fate::Shown;
            }
            if rule(&self.error) {
                return Fate::Error;
            }
        }
        let never = diagnostic.event.as_deref().is_some_and(|e| NEVER_ERRORS.contains(&e));
        if self.all && !never { Fate::Error } else { Fate::Shown }
    }

    /// Sorts warnings; of each deprecation only the first is shown unless `show_all`.
    pub fn settle(&self, warnings: Vec<Diagnostic>, show_all: bool) -> Settled {
        let mut out = Settled::default();
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for warning in warnings {
            if warning.severity != Severity::Warning {
                out.shown.push(warning);
                continue;
            }
            match self.fate(&warning) {
                Fate::Silent => {}
                Fate::Error => out.errors.push(Diagnostic { severity: Severity::Error, ..warning }),
                Fate::Shown if is_deprecation(&warning) => {
                    let seen = told.entry(warning.event.clone().unwrap_or_default()).or_default();
                    *seen += 1;
                    if show_all || *seen == 1 {
                        out.shown.push(warning);
                    }
                }
                Fate::Shown => out.shown.push(warning),
            }
        }
        if !told.is_empty() {
            let lines = told.iter().map(|(name, n)| format!("\n- {name}: {n} occurrence{}", if *n == 1 { "" } else { "s" }));
            let hint = if show_all { "" } else { "\n--show-all-deprecations shows every occurrence, not only the first of each." };
            out.summary = Some(format!("Summary of encountered deprecations:{}{hint}", lines.collect::<String>()));
        }
        out
    }
}

/// What becomes of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Silent,
    Shown,
    Error,
}

fn is_deprecation(diagnostic: &Diagnostic) -> bool {
    diagnostic.event.as_deref().is_some_and(|e| DEPRECATIONS.contains(&e))
}

fn name(value: &Value) -> Result<String, Diagnostic> {
    let name = value.as_str().unwrap_or_default();
    let is_code = name.parse::<Code>().is_ok();
    if is_code || name == GROUP || DEPRECATIONS.contains(&name) || EVENTS.contains(&name) || is_event_name(name) {
        return Ok(name.to_owned());
    }
    let known: Vec<&str> = DEPRECATIONS.iter().chain(&EVENTS).copied().collect();
    let error = wrong(&format!("`{name}` is no event that warn_error_options can name"));
    Err(match suggestion(name, &known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// dbt has some 300 events; those that dvt never raises are accepted by their form unless they are near a known one.
fn is_event_name(name: &str) -> bool {
    let known: Vec<&str> = DEPRECATIONS.iter().chain(&EVENTS).copied().collect();
    name.len() > 3 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric()) && suggestion(name, &known).is_none()
}

fn wrong(message: &str) -> Diagnostic {
    Diagnostic::error(Code::Usage, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn warning(event: &str) -> Diagnostic {
        Diagnostic::warning(Code::UnknownKey, event).event(event)
    }

    fn fates(options: &Value, events: &[&str]) -> (Vec<String>, Vec<String>) {
        let settled = WarnErrorOptions::read(options).unwrap().settle(events.iter().map(|e| warning(e)).collect(), true);
        let names = |list: Vec<Diagnostic>| list.into_iter().map(|d| d.message).collect();
        (names(settled.shown), names(settled.errors))
    }

    #[test]
    fn a_name_beats_the_group_and_the_group_beats_all() {
        let events = ["CustomKeyInConfigDeprecation", "DuplicateYAMLKeysDeprecation", "NoNodeForYamlKey"];
        let (shown, errors) = fates(&json!({"error": "all", "warn": ["Deprecations"]}), &events);
        assert_eq!((shown, errors), (vec![events[0].to_owned(), events[1].to_owned()], vec![events[2].to_owned()]));
        let (shown, errors) = fates(&json!({"error": ["CustomKeyInConfigDeprecation"], "silence": ["Deprecations"]}), &events);
        assert_eq!((shown, errors), (vec![events[2].to_owned()], vec![events[0].to_owned()]));
    }

    #[test]
    fn the_old_names_and_the_codes_of_dvt_work_too() {
        let (shown, errors) = fates(&json!({"include": "*", "exclude": ["NoNodeForYamlKey"]}), &["NoNodeForYamlKey", "DuplicateYAMLKeysDeprecation"]);
        assert_eq!((shown.len(), errors.len()), (1, 1));
        assert_eq!(fates(&json!({"error": ["DVT1007"]}), &["NoNodeForYamlKey"]).1.len(), 1);
    }

    #[test]
    fn a_misspelt_event_is_refused_with_the_right_name() {
        let error = WarnErrorOptions::read(&json!({"error": ["NoNodeForYamlKeys"]})).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `NoNodeForYamlKey`?"));
    }

    #[test]
    fn only_the_first_of_each_deprecation_is_shown_and_the_summary_counts_them() {
        let list = vec![warning("DuplicateYAMLKeysDeprecation"), warning("DuplicateYAMLKeysDeprecation"), warning("NoNodeForYamlKey")];
        let settled = WarnErrorOptions::default().settle(list, false);
        assert_eq!(settled.shown.len(), 2);
        assert!(settled.summary.unwrap().contains("- DuplicateYAMLKeysDeprecation: 2 occurrences"));
    }
}
