//! The project as data: YAML with positions, nodes, configs, graph, selection, manifest.
//!
//! Pure: inputs are values ([`ProjectInput`]), outputs are values and diagnostics.

pub mod artifacts;
pub mod computes;
pub mod config;
pub mod generic_test;
pub mod graph;
pub mod input;
mod inventory;
pub mod load;
pub mod names;
pub mod node;
pub mod paths;
pub mod profile;
pub mod project_file;
pub mod properties;
pub mod render;
mod sources;
pub mod select;
pub mod suggest;
pub mod yaml;

pub use config::ConfigTree;
pub use graph::Graph;
pub use input::{AdapterFacts, Invocation, ProjectInput};
pub use load::{FileKind, Skeleton, SqlFile, skeleton};
pub use names::{AdapterType, ColumnName, ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
pub use node::{
    ColumnProperties, Compute, DependsOn, ExecutionPath, Exposure, HookDef, MacroDef, Manifest, Node, RefCall,
    ResourceType, SourceTable, Target, TestFacts,
};
pub use properties::{Patch, PatchKind, Properties};
pub use render::{RenderContext, RenderString};
pub use generic_test::{GenericTest, TestOwner};
