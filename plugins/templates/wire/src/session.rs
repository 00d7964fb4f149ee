//! One session of the protocol. It works over any transport, so its tests need no server and no host.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use dvt_plugin_sdk::wire::{Granted, Session, Stream, Transport, Want};
use dvt_plugin_sdk::{Failure, NativeType};
use std::sync::Arc;

/// Rows of a batch, and bytes of one line at most.
const ROWS: usize = 8192;
const LINE: usize = 1 << 20;

pub struct LineSession<T = Granted> {
    stream: Stream<T>,
    /// The running query's columns.
    columns: Vec<String>,
    running: bool,
    /// A batch is owed even without rows: its schema says the types.
    owes: bool,
}

impl<T: Transport> LineSession<T> {
    pub fn new(stream: Stream<T>) -> Self {
        Self { stream, columns: Vec::new(), running: false, owes: false }
    }

    fn line(&mut self) -> Result<String, Failure> {
        let line = self.stream.until(b'\n', LINE)?;
        String::from_utf8(line).map_err(|_| Failure::new("DVT5101", "the server sent a line that is no UTF-8"))
    }

    fn ask(&mut self, sql: &str) -> Result<(), Failure> {
        self.settle()?;
        self.stream.write(format!("{}\n", sql.replace(['\n', '\r'], " ")).as_bytes())?;
        let head = self.line()?;
        if let Some(message) = head.strip_prefix('!') {
            return Err(Failure::database("", message));
        }
        self.columns = head.split('\t').map(str::to_owned).collect();
        self.running = true;
        Ok(())
    }

    /// A row of the running query; None behind the last.
    fn row(&mut self) -> Result<Option<Vec<String>>, Failure> {
        if !self.running {
            return Ok(None);
        }
        let line = self.line()?;
        if line == "." {
            self.running = false;
            return Ok(None);
        }
        Ok(Some(line.split('\t').map(str::to_owned).collect()))
    }

    fn settle(&mut self) -> Result<(), Failure> {
        while self.row()?.is_some() {}
        Ok(())
    }
}

/// Rows of text as one Arrow IPC stream.
fn arrow(columns: &[String], rows: &[Vec<String>]) -> Result<Vec<u8>, Failure> {
    let failed = |e: ArrowError| Failure::new("", format!("rows cannot be written as Arrow: {e}"));
    let schema = Arc::new(Schema::new(columns.iter().map(|c| Field::new(c, DataType::Utf8, true)).collect::<Vec<_>>()));
    let column = |i: usize| Arc::new(rows.iter().map(|r| r.get(i)).collect::<StringArray>()) as ArrayRef;
    let batch = RecordBatch::try_new(schema.clone(), (0..columns.len()).map(column).collect()).map_err(failed)?;
    let mut out = Vec::new();
    let mut writer = StreamWriter::try_new(&mut out, &schema).map_err(failed)?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
    drop(writer);
    Ok(out)
}

fn read_only() -> Failure {
    Failure::new("DVT4008", "this adapter reads and does not load").hint("put the model on another target")
}

impl<T: Transport + 'static> Session for LineSession<T> {
    fn server_version(&mut self) -> Result<String, Failure> {
        Ok("1".to_owned())
    }
    fn execute(&mut self, sql: &str) -> Result<(Option<u64>, String), Failure> {
        self.ask(sql)?;
        self.settle()?;
        Ok((None, "OK".to_owned()))
    }
    fn describe(&mut self, sql: &str) -> Result<Vec<(String, String)>, Failure> {
        self.ask(sql)?;
        self.settle()?;
        Ok(self.columns.iter().map(|c| (c.clone(), "text".to_owned())).collect())
    }
    fn query(&mut self, sql: &str, want: Want, _limit: Option<u64>) -> Result<(), Failure> {
        self.ask(sql)?;
        self.owes = want.is_none();
        match want.iter().flatten().zip(&self.columns).find(|(kind, _)| kind.name != "text") {
            Some((kind, name)) => Err(Failure::new("DVT002", format!("column `{name}` is text, {} was planned", kind.text))),
            None => Ok(()),
        }
    }
    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut rows = Vec::new();
        while rows.len() < ROWS
            && let Some(row) = self.row()?
        {
            rows.push(row);
        }
        if rows.is_empty() && !std::mem::take(&mut self.owes) {
            return Ok(None);
        }
        self.owes = false;
        arrow(&self.columns, &rows).map(Some)
    }
    fn end_query(&mut self) -> Result<(), Failure> {
        self.settle()
    }
    fn begin_load(&mut self, _table: &str, _columns: &[(String, NativeType)]) -> Result<(), Failure> {
        Err(read_only())
    }
    fn load(&mut self, _batch: &[u8]) -> Result<(), Failure> {
        Err(read_only())
    }
    fn end_load(&mut self, _keep: bool) -> Result<u64, Failure> {
        Err(read_only())
    }
    /// Every query of this protocol sees its own state.
    fn begin_snapshot(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    fn end_snapshot(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::LineSession;
    use dvt_plugin_sdk::Failure;
    use dvt_plugin_sdk::wire::{Session, Stream, Transport};

    struct Answers(Vec<u8>);

    impl Transport for Answers {
        fn read(&mut self, _max: u32) -> Result<Vec<u8>, Failure> {
            Ok(std::mem::take(&mut self.0))
        }
        fn write(&mut self, _bytes: &[u8]) -> Result<(), Failure> {
            Ok(())
        }
        fn start_tls(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    fn a_result_is_read_to_its_end_and_an_error_is_told() {
        let mut session = LineSession::new(Stream::over(Answers(b"id\tname\n1\tAda\n.\n!no such table\n".to_vec())));
        assert!(session.query("select * from t", None, None).is_ok());
        assert!(session.next().is_ok_and(|batch| batch.is_some()));
        assert!(session.next().is_ok_and(|batch| batch.is_none()));
        assert_eq!(session.execute("select * from u").map_err(|e| e.message), Err("no such table".to_owned()));
    }
}
