//! What Spark's failures mean: its own error classes, and those of the virtual machine and of drivers in the chain.

use dvt_plugin_sdk::engines::Meaning;

fn meaning(code: &str, hint: &str) -> Meaning {
    Meaning { code: code.to_owned(), hint: (!hint.is_empty()).then(|| hint.to_owned()), again: false }
}

/// `exceptions`: class names from the outermost to the cause.
pub fn classify(exceptions: &[String], sqlstate: Option<&str>, message: &str) -> Meaning {
    let any = |word: &str| exceptions.iter().any(|e| e.contains(word)) || message.contains(word);
    if any("OutOfMemoryError") || any("exit code 137") || any("exitCode 137") {
        return meaning("DVT4004", "it ran out of memory: raise spark.driver.memory or spark.executor.memory in computes.yml");
    }
    if any("InvalidClassException") {
        return meaning("DVT4004", "the cluster runs another Spark version than the driver: set `version` of the compute to the cluster's and run `dvt sync`");
    }
    if any("UnsupportedClassVersionError") {
        return meaning("DVT4004", "Java is too old for this Spark: Spark 4 needs Java 17 or newer; set java_home of the compute");
    }
    if any("All masters are unresponsive") || any("Failed to connect to master") {
        return meaning("DVT5101", "no master answers at this address: check `master` of the compute");
    }
    // Lost work, not wrong work: the same job may go through on what is left of the cluster.
    let lost = ["ExecutorLostFailure", "ExecutorLost", "FetchFailed", "Executor heartbeat timed out", "worker lost", "Worker lost", "Master removed our application"];
    if lost.iter().any(|w| any(w)) {
        return Meaning { again: true, ..meaning("DVT4004", "an executor was lost: look at the log of its worker") };
    }
    if any("has been cancelled") || any("was cancelled") || any("cancelled because") || any("OPERATION_CANCELED") {
        return meaning("DVT6010", "");
    }
    match sqlstate {
        Some("22012" | "22003" | "22018" | "22007" | "22008" | "22P02") => meaning("DVT4004", "a value does not fit: in Spark, too, this is an error and never NULL"),
        Some("42703") => meaning("DVT010", "check the name against the columns of the relations that the model reads"),
        _ => Meaning::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::classify;

    #[test]
    fn lost_executors_are_worth_another_try_and_wrong_values_are_not() {
        assert!(classify(&[], None, "Job aborted: ExecutorLostFailure (executor 1 exited)").again);
        let divided = classify(&["org.apache.spark.SparkArithmeticException".to_owned()], Some("22012"), "Division by zero");
        assert!(!divided.again && divided.code == "DVT4004");
    }

    #[test]
    fn the_cause_is_named_wherever_it_stands_in_the_chain() {
        let chain = ["org.apache.spark.SparkException".to_owned(), "java.io.InvalidClassException".to_owned()];
        assert!(classify(&chain, None, "Job aborted").hint.is_some_and(|h| h.contains("version")));
        assert_eq!(classify(&[], None, "java.lang.OutOfMemoryError: Java heap space").code, "DVT4004");
    }
}
