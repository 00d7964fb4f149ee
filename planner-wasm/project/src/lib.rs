//! The project as data: YAML with positions, nodes, configs, graph, selection, manifest.
//!
//! Pure: inputs are values ([`ProjectInput`]), outputs are values and diagnostics.

pub mod input;
pub mod names;
pub mod node;
pub mod yaml;

pub use input::{AdapterFacts, Invocation, ProjectInput};
pub use names::{AdapterType, ColumnName, ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
pub use node::{
    ColumnProperties, Compute, DependsOn, ExecutionPath, Exposure, HookDef, MacroDef, Manifest, Node, RefCall,
    ResourceType, SourceTable, Target, TestFacts,
};
