//! Which column a name means.

use super::kind::Kind;
use crate::meaning::Fold;
use sqlparser::ast::Ident;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub struct Column {
    /// As its relation calls it.
    pub name: String,
    /// None: the text does not tell.
    pub kind: Option<Kind>,
}

/// One relation of a FROM.
#[derive(Debug, Clone)]
pub struct Item {
    /// As columns are qualified with it, folded.
    pub name: String,
    pub columns: Vec<Column>,
}

/// What the names of one SELECT may mean.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    pub items: Vec<Item>,
    /// Columns that USING made one, folded.
    pub merged: Vec<String>,
    /// The SELECT around a subquery.
    pub outer: Option<&'a Scope<'a>>,
    /// WITH queries in sight: folded name to columns.
    pub ctes: BTreeMap<String, Vec<Column>>,
}

/// A column that was found: the item's place, unless USING merged it.
pub struct Found<'a> {
    pub item: Option<&'a Item>,
    pub column: &'a Column,
}

/// A name as the dialect keeps it.
pub fn folded(ident: &Ident, fold: Fold) -> String {
    match (ident.quote_style, fold) {
        (None, Fold::Lower) => ident.value.to_lowercase(),
        (None, Fold::Upper) => ident.value.to_uppercase(),
        _ => ident.value.clone(),
    }
}

/// The one that is called so: exactly, else without case if there is only one such.
fn pick<'a, T>(all: impl Iterator<Item = &'a T> + Clone, name: &str, of: impl Fn(&T) -> &str) -> Result<Option<&'a T>, ()> {
    let alike: Vec<&T> = all.filter(|t| of(t).eq_ignore_ascii_case(name)).collect();
    match alike.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        // The compute does not tell names of different case apart.
        _ => Err(()),
    }
}

impl<'a> Scope<'a> {
    pub fn inner(outer: &'a Scope<'a>) -> Self {
        Self { outer: Some(outer), ctes: outer.ctes.clone(), ..Self::default() }
    }

    /// # Errors
    /// In words, when no column is called so or several are.
    pub fn column(&self, idents: &[Ident], fold: Fold) -> Result<Found<'_>, String> {
        let shown = idents.iter().map(|i| i.value.as_str()).collect::<Vec<_>>().join(".");
        let several = || format!("`{shown}` may mean several columns");
        let here = match idents {
            [name] => {
                let name = folded(name, fold);
                let mut found: Option<Found<'_>> = None;
                for item in &self.items {
                    let Some(column) = pick(item.columns.iter(), &name, |c| &c.name).map_err(|()| several())? else { continue };
                    let merged = self.merged.iter().any(|m| m.eq_ignore_ascii_case(&name));
                    match &found {
                        Some(_) if merged => {}
                        Some(_) => return Err(several()),
                        None => found = Some(Found { item: (!merged).then_some(item), column }),
                    }
                }
                found
            }
            [.., qualifier, name] => {
                let (qualifier, name) = (folded(qualifier, fold), folded(name, fold));
                match pick(self.items.iter(), &qualifier, |i| &i.name).map_err(|()| several())? {
                    None => None,
                    Some(item) => {
                        let column = pick(item.columns.iter(), &name, |c| &c.name).map_err(|()| several())?;
                        let column = column.ok_or_else(|| format!("`{}` has no column `{name}`", item.name))?;
                        Some(Found { item: Some(item), column })
                    }
                }
            }
            [] => None,
        };
        match (here, self.outer) {
            (Some(found), _) => Ok(found),
            (None, Some(outer)) => outer.column(idents, fold),
            (None, None) => Err(format!("no relation here has a column `{shown}`")),
        }
    }
}
