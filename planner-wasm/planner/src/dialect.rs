//! Dialect sheets: a product's facts as data, one file beside its adapter.

use crate::catalog::Collation;
use crate::ir::PushClass;
use crate::types::Family;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{AdapterFacts, DialectName, RelationName};
use serde::Deserialize;
use sqlparser::dialect::{Dialect, dialect_from_str};
use std::collections::BTreeMap;

/// A product's sheet. Unknown keys are refused: a typo must not become a wrong push.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialectSheet {
    pub name: String,
    /// The sqlparser dialect that reads it.
    pub parser: String,
    /// Opening and closing identifier quote; the closing one is doubled inside.
    pub quote: (String, String),
    /// What comparing a column of a family with a literal means at this product; absent = never pushed.
    #[serde(default)]
    pub compare: BTreeMap<Family, Comparison>,
    /// How profiles and relations of the product look; `dialect` and `quote` are filled from above.
    #[serde(default)]
    pub profile: AdapterFacts,
}

/// When `column op literal` of a family may run at the product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub class: PushClass,
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`; IN counts as `=`, NOT IN as `<>`.
    pub operators: Vec<String>,
    /// The literal around its plain text `{}`, such as `DATE '{}'`.
    pub literal: String,
    /// A further alternative that keeps rows whose stored form the product would compare differently,
    /// with `{column}`; the push is then a superset.
    #[serde(default)]
    pub unless: Option<String>,
}

/// The sheets of all loaded adapters and computes.
#[derive(Debug, Clone, Default)]
pub struct Sheets {
    sheets: BTreeMap<DialectName, DialectSheet>,
}

impl Sheets {
    /// Adds a sheet from its text.
    pub fn add(&mut self, text: &str) -> Result<(), Diagnostic> {
        let sheet = DialectSheet::parse(text)?;
        self.sheets.insert(DialectName::new(sheet.name.clone()), sheet);
        Ok(())
    }
    pub fn get(&self, name: &DialectName) -> Result<&DialectSheet, Diagnostic> {
        self.sheets.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.sheets.keys().map(DialectName::as_str).collect();
            Diagnostic::error(Code::Dialect, format!("no loaded plugin knows the dialect `{name}`"))
                .hint(format!("known dialects: {}", known.join(", ")))
        })
    }
}

impl DialectSheet {
    /// Reads a sheet.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let mut sheet: Self =
            toml::from_str(text).map_err(|e| Diagnostic::error(Code::Dialect, format!("a dialect sheet cannot be read: {e}")))?;
        sheet.profile.dialect.clone_from(&sheet.name);
        sheet.profile.quote.clone_from(&sheet.quote);
        Ok(sheet)
    }
    pub fn quote(&self, identifier: &str) -> String {
        let (open, close) = &self.quote;
        format!("{open}{}{close}", identifier.replace(close.as_str(), &close.repeat(2)))
    }
    pub fn render(&self, name: &RelationName) -> String {
        let parts = [name.database.as_deref(), name.schema.as_deref(), Some(name.identifier.as_str())];
        parts.into_iter().flatten().map(|p| self.quote(p)).collect::<Vec<_>>().join(".")
    }
    pub fn sqlparser(&self) -> Result<Box<dyn Dialect>, Diagnostic> {
        dialect_from_str(&self.parser).ok_or_else(|| {
            Diagnostic::error(Code::Dialect, format!("the sheet `{}` names the unknown parser `{}`", self.name, self.parser))
        })
    }
    /// The class of `column op literal` at this product, or why it may not run there.
    pub fn comparison(&self, family: Family, collation: Collation, operator: &str) -> Result<(&Comparison, PushClass), String> {
        let family_name = format!("{family:?}").to_lowercase();
        let comparison =
            self.compare.get(&family).ok_or_else(|| format!("comparing {family_name} values differs in {}", self.name))?;
        if !comparison.operators.iter().any(|o| o == operator) {
            return Err(format!("`{operator}` on {family_name} values differs in {}", self.name));
        }
        let mut class = comparison.class;
        if family == Family::Text && collation != Collation::Binary {
            if operator != "=" {
                return Err(format!("`{operator}` on text of a collation that is not binary would drop needed rows"));
            }
            class = PushClass::Superset;
        }
        if comparison.unless.is_some() {
            class = PushClass::Superset;
        }
        Ok((comparison, class))
    }
}
