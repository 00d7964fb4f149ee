//! Dialect sheets: a product's facts as data, one file beside its adapter.

use crate::catalog::{Collation, ColumnSchema};
use crate::ir::PushClass;
use crate::meaning::{Meaning, Nulls, Writes};
use crate::pushdown::verdict::{Rules, Verdict};
use crate::types::{CanonicalType, Family};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{AdapterFacts, DialectName, RelationName};
use serde::{Deserialize, Serialize};
use sqlparser::dialect::Dialect;
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
    /// The longest name of a table that the product keeps whole, in bytes; 0 where none is too long.
    #[serde(default = "usual_name_limit")]
    pub name_limit: usize,
    /// Whether the product counts characters, not bytes. A name that fits by bytes fits then too.
    #[serde(default)]
    pub name_limit_in_characters: bool,
    /// What comparing a column of a family with a literal means at this product; absent = never pushed.
    #[serde(default)]
    pub compare: BTreeMap<Family, Comparison>,
    /// Where NULL stands in an order that does not say so; absent: as `meaning` says.
    #[serde(default)]
    pub nulls: Option<Nulls>,
    /// How a quote stands in a string.
    #[serde(default = "usual_quote")]
    pub quote_in_text: String,
    /// How the first `{rows}` of a query are asked for, behind its order.
    #[serde(default = "usual_limit")]
    pub limit: String,
    /// An order for what has none, where `limit` needs one.
    #[serde(default)]
    pub any_order: Option<String>,
    /// A key of an order by which NULLs stand last.
    #[serde(default = "usual_null_key")]
    pub null_key: String,
    /// Whether every version that is spoken to has INTERSECT and EXCEPT.
    #[serde(default)]
    pub intersects: bool,
    /// A sum of the whole numbers `{}` as a decimal of 38 digits, without overflow; absent: such sums are not asked for.
    #[serde(default)]
    pub whole_sum: Option<String>,
    /// The type that a sum of whole numbers has, where a model's text runs as it is; absent: as `meaning` says.
    #[serde(default)]
    pub sum_of_whole: Option<String>,
    /// Native types of what it computes, by canonical type (`decimal` without its digits): for computes that read by those.
    #[serde(default)]
    pub computed: BTreeMap<String, String>,
    /// What it computes of a column, to group by.
    #[serde(default)]
    pub computes: Vec<Computes>,
    /// How it computes decimals; absent: only their columns are summed up there.
    #[serde(default)]
    pub exact: Option<Exact>,
    /// What its constructs mean; absent: models in it are not translated.
    #[serde(default)]
    pub meaning: Option<Meaning>,
    /// How it writes what others mean; absent: it is no compute's dialect.
    #[serde(default)]
    pub compute: Option<Writes>,
    /// How many keys a condition may list.
    #[serde(default)]
    pub keys: Keys,
    /// How the product is asked how many rows a query gives; absent: it is not.
    #[serde(default)]
    pub estimate: Option<Estimate>,
    /// The host's: which library speaks to the product.
    #[serde(default, rename = "driver")]
    _driver: serde::de::IgnoredAny,
    /// How profiles and relations of the product look; `dialect`, `quote` and `name_limit` are filled from above.
    #[serde(default)]
    pub profile: AdapterFacts,
}

fn usual_quote() -> String {
    "''".to_owned()
}

fn usual_limit() -> String {
    "LIMIT {rows}".to_owned()
}

fn usual_null_key() -> String {
    "({} IS NULL)".to_owned()
}

impl DialectSheet {
    /// What a query ends with that gives its first rows.
    pub fn limited(&self, order: &str, rows: u64) -> String {
        let order = match &self.any_order {
            Some(any) if order.is_empty() => format!(" ORDER BY {any}"),
            _ => order.to_owned(),
        };
        format!("{order} {}", self.limit.replace("{rows}", &rows.to_string()))
    }
    /// Why the product would not keep this name whole; None where it does.
    pub fn too_long(&self, name: &str) -> Option<String> {
        let (length, unit) = if self.name_limit_in_characters { (name.chars().count(), "characters") } else { (name.len(), "bytes") };
        (self.name_limit > 0 && length > self.name_limit).then(|| format!("`{name}` has {length} {unit}, and {} keeps {} of a name", self.name, self.name_limit))
    }
}

/// Where a sheet is silent: short enough for any product known.
fn usual_name_limit() -> usize {
    63
}

/// An expression of one column, by what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Computes {
    pub means: Vec<String>,
    /// The column's types, with `|` between.
    pub of: String,
    /// The value's type, where the meaning has several.
    #[serde(default)]
    pub gives: Option<String>,
    /// `{0}` the column; `{constant}`, the string that the text names, such as `month`.
    pub sql: String,
}

/// `+`, `-`, `*` and sums of decimals that lose no digit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exact {
    /// Digits that a number in a sum may have. A sum has more.
    pub digits: u16,
    /// Those behind the point.
    pub scale: u16,
    /// The type of an average of whole numbers and decimals, if it is made of their sum and count, in whichever order the
    /// rows come; absent: averages are not asked for in its own words.
    #[serde(default)]
    pub average: Option<CanonicalType>,
}

/// When `column op literal` of a family may run at the product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub class: PushClass,
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`; IN counts as `=`, NOT IN as `<>`. Of text also `LIKE`, where it lets through what a
    /// LIKE that tells all letters apart does, and `NOT LIKE`, where it is that one.
    pub operators: Vec<String>,
    /// The literal around its plain text `{}`, such as `DATE '{}'`.
    pub literal: String,
    /// A further alternative that keeps rows whose stored form the product would compare differently,
    /// with `{column}`; the push is then a superset.
    #[serde(default)]
    pub unless: Option<String>,
    /// Native types of the family, by the start of their text, that the product compares in a way of their own:
    /// nothing is pushed for them.
    #[serde(default)]
    pub never: Vec<String>,
    /// Of text: the `{2}` characters of `{0}` from the `{1}`th on, both numbers of the text. Absent: parts are not asked for.
    #[serde(default)]
    pub part: Option<String>,
    /// How two columns of the family compare as a column and a literal do: `{0}`, `{op}`, `{1}`. Absent: plainly, but
    /// text, of which two collations may meet, not at all.
    #[serde(default)]
    pub columns: Option<String>,
}

/// The size of a condition that the product still runs well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Values in one `IN (…)`.
    pub most: u64,
    /// Bytes of its text.
    pub bytes: u64,
    /// How many values are one literal, where the product reads that faster than a list of literals.
    #[serde(default)]
    pub array: Option<KeyArray>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { most: 1000, bytes: 100_000, array: None }
    }
}

/// Values as one text literal that the product takes apart itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyArray {
    /// The condition: `{column}`, its type in the product's words `{type}`, and `{keys}`, the elements between commas.
    pub sql: String,
    /// The element around a value's plain text `{}`; values of other families are listed, and any with a `"`.
    pub elements: BTreeMap<Family, String>,
    /// Fewer values are listed.
    pub from: u64,
    pub most: u64,
    /// Bytes of the elements.
    pub bytes: u64,
}

/// How a product tells the rows of a query without running it, or cheaply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The statement, with `{query}`. The answer is the last column of its first row.
    pub sql: String,
    /// JSON pointers to the number of rows, the first that is there; none: the answer is the number.
    #[serde(default)]
    pub rows: Vec<String>,
    /// Pointers to the percentage of those rows that are left.
    #[serde(default)]
    pub percent: Vec<String>,
    /// The answer is no guess for a query without conditions.
    #[serde(default)]
    pub exact: bool,
}

/// The sheets of all loaded adapters and computes.
#[derive(Debug, Clone, Default)]
pub struct Sheets {
    sheets: BTreeMap<DialectName, DialectSheet>,
    texts: BTreeMap<String, String>,
}

impl Sheets {
    /// Adds a sheet from its text and gives its name; what it extends must be there already, whole.
    pub fn add(&mut self, text: &str) -> Result<DialectName, Diagnostic> {
        let sheet = match DialectSheet::extended(text)? {
            None => DialectSheet::parse(text)?,
            Some(name) => {
                let base = self.texts.get(&name).ok_or_else(|| {
                    let known: Vec<&str> = self.texts.keys().map(String::as_str).collect();
                    Diagnostic::error(Code::Dialect, format!("a dialect sheet extends `{name}`, which is not known")).hint(format!("known dialects: {}", known.join(", ")))
                })?;
                DialectSheet::read(DialectSheet::over(text, base)?)?
            }
        };
        self.texts.insert(sheet.name.clone(), text.to_owned());
        let name = DialectName::new(sheet.name.clone());
        self.sheets.insert(name.clone(), sheet);
        Ok(name)
    }
    pub fn get(&self, name: &DialectName) -> Result<&DialectSheet, Diagnostic> {
        self.sheets.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.sheets.keys().map(DialectName::as_str).collect();
            Diagnostic::error(Code::Dialect, format!("no loaded plugin knows the dialect `{name}`"))
                .hint(format!("known dialects: {}", known.join(", ")))
        })
    }
}

/// The key by which a sheet names the one that it extends.
const EXTENDS: &str = "extends";

fn unreadable(e: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::Dialect, format!("a dialect sheet cannot be read: {e}"))
}

/// A sheet as a value.
type Table = serde_json::Map<String, serde_json::Value>;

/// A sheet's text is TOML, as people write it, or the same as JSON.
fn table(text: &str) -> Result<Table, Diagnostic> {
    #[cfg(feature = "every-parser")]
    if !text.trim_start().starts_with('{') {
        return toml::from_str(text).map_err(|e| unreadable(&e));
    }
    // A page's module reads this form only, so that it carries no reader of the other.
    serde_json::from_str(text).map_err(|e| unreadable(&e))
}

/// Puts `own` over `base`: tables are merged, everything else is replaced.
fn merge(base: &mut Table, own: Table) {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(serde_json::Value::Object(below)), serde_json::Value::Object(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

impl DialectSheet {
    /// Reads a whole sheet.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        // Of TOML the place of a mistake is told.
        #[cfg(feature = "every-parser")]
        if !text.trim_start().starts_with('{') {
            return Self::finished(toml::from_str(text).map_err(|e| unreadable(&e))?);
        }
        Self::read(table(text)?)
    }

    /// As `parse`, from what [`DialectSheet::over`] gives.
    pub fn read(table: Table) -> Result<Self, Diagnostic> {
        Self::finished(serde_json::from_value(table.into()).map_err(|e| unreadable(&e))?)
    }

    fn finished(mut sheet: Self) -> Result<Self, Diagnostic> {
        sheet.profile.dialect.clone_from(&sheet.name);
        sheet.profile.quote.clone_from(&sheet.quote);
        sheet.profile.name_limit = sheet.name_limit;
        Ok(sheet)
    }

    /// The name of the sheet that this one extends.
    pub fn extended(text: &str) -> Result<Option<String>, Diagnostic> {
        match table(text)?.get(EXTENDS) {
            None => Ok(None),
            Some(serde_json::Value::String(name)) => Ok(Some(name.clone())),
            Some(_) => Err(unreadable(&"`extends` is no name of a sheet")),
        }
    }

    /// The sheet `text` over the whole sheet `base` that it extends: its own entries count, the others come from there.
    /// Macros of the extended product serve it too, unless it names `dispatch_parents` itself.
    pub fn over(text: &str, base: &str) -> Result<Table, Diagnostic> {
        let (mut own, mut whole) = (table(text)?, table(base)?);
        let extended = own.remove(EXTENDS).and_then(|n| n.as_str().map(str::to_owned)).unwrap_or_default();
        if !own.contains_key("name") {
            return Err(unreadable(&format!("it extends `{extended}` and has no `name` of its own")));
        }
        let profile = whole.entry("profile").or_insert_with(|| Table::new().into());
        if let Some(profile) = profile.as_object_mut() {
            let mut parents = vec![serde_json::Value::from(extended)];
            parents.extend(profile.get("dispatch_parents").and_then(serde_json::Value::as_array).cloned().unwrap_or_default());
            profile.insert("dispatch_parents".to_owned(), parents.into());
        }
        merge(&mut whole, own);
        Ok(whole)
    }
    pub fn quote(&self, identifier: &str) -> String {
        let (open, close) = &self.quote;
        // Most names hold no quote, and there are many names.
        if !identifier.contains(close.as_str()) {
            return [open.as_str(), identifier, close.as_str()].concat();
        }
        format!("{open}{}{close}", identifier.replace(close.as_str(), &close.repeat(2)))
    }
    pub fn render(&self, name: &RelationName) -> String {
        let parts = [name.database.as_deref(), name.schema.as_deref(), Some(name.identifier.as_str())];
        parts.into_iter().flatten().map(|p| self.quote(p)).collect::<Vec<_>>().join(".")
    }
    pub fn sqlparser(&self) -> Result<Box<dyn Dialect>, Diagnostic> {
        parser(&self.parser).ok_or_else(|| {
            Diagnostic::error(Code::Dialect, format!("the sheet `{}` names the unknown parser `{}`", self.name, self.parser))
        })
    }
    /// The class of `column op literal` at this product, or why it may not run there.
    pub fn comparison(&self, column: &ColumnSchema, operator: &str) -> Result<(&Comparison, PushClass), String> {
        self.judged(column, operator, &Rules::default())
    }
    /// As `comparison`, under a test's rules.
    pub fn judged(&self, column: &ColumnSchema, operator: &str, rules: &Rules) -> Result<(&Comparison, PushClass), String> {
        let family = column.canonical.map_or(Family::Other, CanonicalType::family);
        let family_name = format!("{family:?}").to_lowercase();
        let comparison =
            self.compare.get(&family).ok_or_else(|| format!("comparing {family_name} values differs in {}", self.name))?;
        if !rules.legal(Verdict::SourceOperator, comparison.operators.iter().any(|o| o == operator)) {
            return Err(format!("`{operator}` on {family_name} values differs in {}", self.name));
        }
        let native = column.native.to_lowercase();
        if !rules.legal(Verdict::SourceOperator, !comparison.never.iter().any(|n| native.starts_with(n.as_str()))) {
            return Err(format!("comparing values of type {} differs in {}", column.native, self.name));
        }
        let mut class = comparison.class;
        if family == Family::Text && column.collation != Collation::Binary {
            if !rules.legal(Verdict::LooseText, operator == "=") {
                return Err(format!("`{operator}` on text of a collation that is not binary would drop needed rows"));
            }
            class = PushClass::Superset;
        }
        if comparison.unless.is_some() {
            class = PushClass::Superset;
        }
        Ok((comparison, class))
    }
    /// Where NULL stands in an order that does not say so; None where it is not known.
    pub fn null_order(&self) -> Option<Nulls> {
        self.nulls.or(self.meaning.as_ref().map(|m| m.nulls))
    }
}

/// sqlparser's dialect of a name.
#[cfg(feature = "every-parser")]
fn parser(name: &str) -> Option<Box<dyn Dialect>> {
    sqlparser::dialect::dialect_from_str(name)
}

/// The dialects that bring no reader of whole scripts with them, which would be a third of a page's module. Each is
/// called as its module in sqlparser, as `dialect_from_str` does.
#[cfg(not(feature = "every-parser"))]
fn parser(name: &str) -> Option<Box<dyn Dialect>> {
    use sqlparser::dialect as d;
    fn one<D: Dialect + Default>(name: &str) -> Option<Box<dyn Dialect>> {
        let own = std::any::type_name::<D>().rsplit("::").nth(1)?;
        (own == name).then(|| Box::new(D::default()) as Box<dyn Dialect>)
    }
    one::<d::PostgreSqlDialect>(name)
        .or_else(|| one::<d::MySqlDialect>(name))
        .or_else(|| one::<d::SQLiteDialect>(name))
        .or_else(|| one::<d::DuckDbDialect>(name))
        .or_else(|| one::<d::SparkSqlDialect>(name))
        .or_else(|| one::<d::DatabricksDialect>(name))
        .or_else(|| one::<d::RedshiftSqlDialect>(name))
        .or_else(|| one::<d::OracleDialect>(name))
        .or_else(|| one::<d::GenericDialect>(name))
        .or_else(|| one::<d::AnsiDialect>(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{DialectSheet, Sheets};
    use dvt_diagnostic::Code;
    use dvt_project::DialectName;

    const BASE: &str = "name = 'base'\nparser = 'generic'\nquote = ['\"', '\"']\n[compare.text]\nclass = 'exact'\noperators = ['=', '<>']\nliteral = \"'{}'\"\n[profile]\ndefault_schema = 'public'\nsecret_keys = ['password']\n[profile.key_aliases]\npass = 'password'\n";

    #[test]
    fn a_sheet_that_extends_another_says_only_what_differs() {
        let mut sheets = Sheets::default();
        sheets.add(BASE).unwrap();
        sheets.add("name = 'own'\nextends = 'base'\n[compare.text]\noperators = ['=']\n[profile]\ndefault_schema = 'main'\n[profile.key_aliases]\ndb = 'dbname'\n").unwrap();
        let own = sheets.get(&DialectName::new("own")).unwrap();
        assert_eq!((own.name.as_str(), own.parser.as_str(), own.profile.dialect.as_str()), ("own", "generic", "own"));
        assert_eq!(own.compare.values().next().unwrap().operators, ["="]);
        assert_eq!(own.profile.default_schema.as_deref(), Some("main"));
        assert_eq!(own.profile.key_aliases.len(), 2);
        assert_eq!((own.profile.dispatch_parents.join(","), own.profile.secret_keys.join(",")), ("base".into(), "password".into()));
        assert_eq!(sheets.get(&DialectName::new("base")).unwrap().profile.default_schema.as_deref(), Some("public"));
    }

    #[test]
    fn an_unknown_base_and_a_missing_name_are_told() {
        let mut sheets = Sheets::default();
        sheets.add(BASE).unwrap();
        let unknown = sheets.add("name = 'own'\nextends = 'nobody'\n").unwrap_err();
        assert!(unknown.code == Code::Dialect && unknown.message.contains("`nobody`") && unknown.hint.unwrap().contains("base"));
        assert!(sheets.add("extends = 'base'\n").unwrap_err().message.contains("no `name`"));
        assert!(DialectSheet::extended("extends = 3").is_err());
    }
}
