//! The project as data: YAML with positions, nodes, configs, graph, selection, manifest.
//!
//! Pure: inputs are values ([`ProjectInput`]), outputs are values and diagnostics.

pub mod artifacts;
pub mod computes;
pub mod config;
pub mod generic_test;
pub mod graph;
pub mod input;
mod ignore;
mod inventory;
pub mod link;
pub mod load;
pub mod names;
pub mod node;
mod nodes;
pub mod paths;
pub mod pattern;
pub mod profile;
pub mod project_file;
pub mod properties;
pub mod render;
pub mod resource;

pub mod shared_config;
pub mod notices;
mod sources;
pub mod static_call;
pub mod select;
pub mod suggest;
pub mod warnings;
pub mod yaml;

pub use config::ConfigTree;
pub use graph::Graph;
pub use input::{AdapterFacts, Invocation, ProjectInput};
pub use load::{FileKind, Skeleton, SqlFile, skeleton};
pub use names::{AdapterType, ColumnName, ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
pub use node::{
    ColumnProperties, Compute, DependsOn, DocBlock, ExecutionPath, Exposure, HookDef, MacroDef, MacroProperties, Manifest, Node,
    NodeFacts, RefCall, ResourceType, SourceTable, Target, TestFacts, version_text,
};
pub use nodes::Nodes;
pub use properties::{Patch, PatchKind, Properties};
pub use resource::{Described, DescribedType, Fixture, FixtureFormat, FixtureRows, Group, UnitTest, UnitTestInput, UnitTestOverrides};
pub use shared_config::Config;
pub use render::{RenderContext, RenderString};
pub use generic_test::{GenericTest, TestOwner};
