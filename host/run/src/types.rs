//! What the plugins know about types, as landing asks it.

use crate::pool::Pool;
use crate::project::Project;
use dvt_diagnostic::Diagnostic;
use dvt_engine::DescribedColumn;
use dvt_federation::{Origin, Types};
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::NativeColumn;
use dvt_project::TargetName;

pub struct PluginTypes<'a> {
    pub project: &'a Project,
    pub pool: &'a Pool,
}

impl Types for PluginTypes<'_> {
    fn canonical(&self, at: Origin<'_>, columns: &[DescribedColumn]) -> Result<Vec<Option<CanonicalType>>, Diagnostic> {
        let natives: Vec<NativeColumn> =
            columns.iter().map(|c| NativeColumn { name: c.name.clone(), native: c.native.clone(), collation: None }).collect();
        let mapped = match at {
            Origin::Target(target) => self.pool.adapter(target)?.map_native(&natives)?,
            Origin::Compute(compute) => self.project.compute_plugin(compute)?.map_native(&natives)?,
        };
        // An expression without a declared type says nothing about what it holds.
        Ok(mapped.into_iter().zip(&natives).map(|(m, n)| m.canonical.filter(|_| !n.native.is_empty())).collect())
    }

    fn ddl(&self, target: &TargetName, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        self.pool.adapter(target)?.ddl_types(types)
    }
}
