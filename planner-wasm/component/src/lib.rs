//! The planner as a component: the contract's strings to the session's and back, nothing else.

use exports::dvt::planner::planner::{Guest, GuestProject, Project};

wit_bindgen::generate!({ path: "wit", world: "planner-component" });

struct Planner;

struct Opened(dvt_planner_session::Project);

impl Guest for Planner {
    type Project = Opened;

    fn plan(request: String) -> Result<String, String> {
        dvt_planner_session::plan(&request)
    }
    fn explain(question: String) -> String {
        dvt_planner_session::explain(&question)
    }
}

impl GuestProject for Opened {
    fn open(input: String) -> Result<Project, String> {
        dvt_planner_session::Project::open(&input).map(|p| Project::new(Self(p)))
    }
    fn manifest(&self) -> String {
        self.0.manifest()
    }
    fn warnings(&self) -> String {
        self.0.warnings()
    }
    fn compile(&self, unique_id: String) -> Result<String, String> {
        self.0.compile(&unique_id)
    }
}

export!(Planner);
