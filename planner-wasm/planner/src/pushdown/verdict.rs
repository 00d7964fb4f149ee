//! The names of all decisions, so that a test can turn each around.
//!
//! A rule that is off pushes nothing. A verdict that is turned lets through what it judges illegal, or refuses what it
//! judges legal: the mutation check shows that a test notices. Nothing of a user's project reaches this; the planner's
//! own entry uses [`Rules::default`], in which every rule is on and every verdict stands.

/// What may be pushed, one file or clause each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Only the columns that are needed.
    Columns,
    /// Conjuncts of WHERE and ON, where they are written.
    Filters,
    /// Filters into derived tables and CTEs.
    Through,
    /// Filters through set operations.
    Unions,
    /// Filters on grouping keys, from HAVING or from outside.
    Grouping,
    /// Filters through windows, from QUALIFY or from outside.
    Windows,
    /// Filters that follow from equal columns.
    Equalities,
    /// LIMIT, with and without ORDER BY.
    Limit,
    /// Aggregates and DISTINCT.
    Aggregates,
    /// Groups of one target's rows below what reads other targets too.
    Partial,
    /// Keys of one scan for another, at run time.
    Keys,
    /// One read for several scans of a relation.
    Shares,
    /// Joins of relations of one target.
    Joins,
    /// Queries of several SELECTs, and what is asked in them.
    Subtrees,
    /// A whole query that one database answers.
    Whole,
    /// Conditions that sources have asked are not asked again.
    Settled,
}

impl Rule {
    pub const ALL: [Self; 16] = [
        Self::Columns,
        Self::Filters,
        Self::Through,
        Self::Unions,
        Self::Grouping,
        Self::Windows,
        Self::Equalities,
        Self::Limit,
        Self::Aggregates,
        Self::Partial,
        Self::Keys,
        Self::Shares,
        Self::Joins,
        Self::Subtrees,
        Self::Whole,
        Self::Settled,
    ];
}

/// What is judged before something is pushed. Each is described where it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A filter on a relation that an outer join fills with NULL rejects NULL.
    NullRejecting,
    /// A filter of ON goes to a side that the join does not keep.
    OnSide,
    /// A bare name has one meaning among the relations beside each other.
    BareName,
    /// A name is not the alias of another expression.
    AliasName,
    /// A literal is exactly a value of the column's type.
    PlainLiteral,
    /// The source compares the family by this operator as the model does.
    SourceOperator,
    /// Text whose collation is not binary is only asked for equality.
    LooseText,
    /// Each branch of OR can be told to the source.
    EveryBranch,
    /// No LIMIT stands between a filter and its relation.
    UnderLimit,
    /// A filter from outside reads grouping keys only.
    GroupKey,
    /// The keys are plain: no ROLLUP, CUBE or GROUPING SETS.
    PlainKeys,
    /// A filter from outside reads keys of DISTINCT ON only.
    DistinctKey,
    /// A filter from outside reads keys of every window's partition only.
    PartitionKey,
    /// Nothing volatile is computed beside what a filter from outside passes.
    Stable,
    /// The parts of a set operation have the filter's columns in one family of types.
    SameFamily,
    /// A set operation matches columns by position.
    ByPosition,
    /// Every reader of a CTE lets the row go.
    EveryReader,
    /// A CTE is not to be kept as it is.
    NotMaterialized,
    /// Equal columns are of one family, in which equality is exact.
    EqualFamily,
    /// A filter that follows goes on only from a relation that stands in every row.
    StrongSide,
    /// A filter enters IN's query, not that of NOT IN.
    PositiveIn,
    /// LIMIT: every condition below was pushed exactly.
    LimitExact,
    /// LIMIT: nothing below needs more rows than it returns.
    LimitPlain,
    /// ORDER BY with LIMIT: the source has the model's order.
    SameOrder,
    /// A qualified name is that of a relation, and of nothing that could pass on another's columns.
    OwnName,
    /// Columns beside a `*` are pruned only where the `*` is read by name.
    StarByName,
    /// All relations of a query are of one target that speaks its dialect.
    OneTarget,
    /// Aggregates: the source groups by the key as the model does.
    ExactKey,
    /// Aggregates: the function gives the model's value and type.
    ExactAggregate,
    /// Aggregates: a number that a source computes keeps all its digits.
    EveryDigit,
    /// Aggregates: what is computed at home of groups is no aggregate itself.
    GroupValues,
    /// Partial groups: an aggregate that stays has its value however often a row stands there.
    Repeated,
    /// Keys: the relation that gives them stands in every row.
    Standing,
    /// Keys: a column has no values but those of one scan.
    AllValues,
    /// Keys: both columns' types and collations agree on what is equal.
    KeyType,
    /// Keys: a name inside a query is one of a query around it.
    OuterName,
    /// Keys: EXISTS asks for a row of its relation, not of an aggregate.
    PlainExists,
    /// A source compares two columns as the model does.
    JoinKey,
    /// A join of this kind is the same at its source, and beside what stays.
    JoinSide,
    /// What a source would answer is no larger than what it is made of.
    NoLarger,
    /// Nobody else reads a CTE that a source's answer takes in.
    OneReader,
    /// The parts of a set operation have the same types.
    SameTypes,
    /// LIKE tells every letter from another in the model's dialect.
    ModelLike,
    /// Each name of a joined relation is found in the text, and can be replaced.
    EveryName,
    /// Asked once: the source asks exactly what the text says.
    SettledExact,
    /// Asked once: leaving a relation's rows out first is leaving them out where the condition stands.
    SettledPlace,
    /// Asked once: no other scan shares the rows.
    SettledAlone,
    /// A part of a text is the same characters in the model and at its source.
    SamePart,
}

impl Verdict {
    pub const ALL: [Self; 48] = [
        Self::NullRejecting,
        Self::OnSide,
        Self::BareName,
        Self::AliasName,
        Self::PlainLiteral,
        Self::SourceOperator,
        Self::LooseText,
        Self::EveryBranch,
        Self::UnderLimit,
        Self::GroupKey,
        Self::PlainKeys,
        Self::DistinctKey,
        Self::PartitionKey,
        Self::Stable,
        Self::SameFamily,
        Self::ByPosition,
        Self::EveryReader,
        Self::NotMaterialized,
        Self::EqualFamily,
        Self::StrongSide,
        Self::PositiveIn,
        Self::LimitExact,
        Self::LimitPlain,
        Self::SameOrder,
        Self::OwnName,
        Self::StarByName,
        Self::OneTarget,
        Self::ExactKey,
        Self::ExactAggregate,
        Self::EveryDigit,
        Self::GroupValues,
        Self::Repeated,
        Self::Standing,
        Self::AllValues,
        Self::KeyType,
        Self::OuterName,
        Self::PlainExists,
        Self::JoinKey,
        Self::JoinSide,
        Self::NoLarger,
        Self::OneReader,
        Self::SameTypes,
        Self::ModelLike,
        Self::EveryName,
        Self::SettledExact,
        Self::SettledPlace,
        Self::SettledAlone,
        Self::SamePart,
    ];
}

/// Which rules work, and which verdicts a test has turned.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub off: Vec<Rule>,
    /// Legal whatever is judged.
    pub allowed: Vec<Verdict>,
    /// Illegal whatever is judged.
    pub refused: Vec<Verdict>,
}

impl Rules {
    pub fn on(&self, rule: Rule) -> bool {
        !self.off.contains(&rule)
    }
    /// What counts for `verdict` where `judged` is the planner's own answer.
    pub fn legal(&self, verdict: Verdict, judged: bool) -> bool {
        (judged || self.allowed.contains(&verdict)) && !self.refused.contains(&verdict)
    }
}
