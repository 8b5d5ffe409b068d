//! A child process whose output is kept, which gets SIGTERM at the latest when it is dropped.

use crate::wait;
use rustix::process::{kill_process, Pid, Signal};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a child may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A running child.
pub struct Process {
    child: Child,
    out: Output,
    err: Output,
}

/// What a child left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error, that of its own children included.
    pub stderr: String,
}

/// One stream of a child, as far as it was read.
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut part) {
                kept.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Everything, once the last process that holds the stream is gone.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

impl Process {
    /// Starts `command` with nothing on its standard input.
    pub fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{:?} cannot be started: {error}", command.get_program())
        });
        let out = Output::of(child.stdout.take().expect("a pipe"));
        let err = Output::of(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.out.so_far()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        self.err.so_far()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) {
        signal_to(self.id(), signal);
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// Waits for the end, which comes by itself.
    pub async fn end(mut self) -> Ended {
        let status = wait::until("the end of a process", || {
            let ended = self.child.try_wait().expect("a child of this process");
            async move { ended }
        })
        .await;
        let ended = Ended {
            status,
            stdout: self.out.all(),
            stderr: self.err.all(),
        };
        no_panic_in(&ended.stderr);
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of a test that fails, the log says more than the assertion.
        if std::thread::panicking() {
            let status = self.child.try_wait();
            println!(
                "process {} ({status:?}) said:\n{}",
                self.id(),
                self.stderr()
            );
        }
        if !std::thread::panicking() {
            no_panic_in(&self.stderr());
        }
        if self.has_ended() {
            return;
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.has_ended() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A panic of the filter costs requests of others, whatever became of the one at hand.
fn no_panic_in(log: &str) {
    assert!(!log.contains("panicked at"), "a panic:\n{log}");
}

/// Sends a signal to any process; one that is gone gets none.
pub fn signal_to(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

/// The children of a process: process ids and names.
pub fn children(id: u32) -> Vec<(u32, String)> {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|child| {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            // `pid (name) state ppid …`, and the name may hold anything.
            let (start, rest) = stat.rsplit_once(')')?;
            let name = start.split_once('(')?.1.to_owned();
            let parent: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
            (parent == id).then_some((child, name))
        })
        .collect()
}

/// Whether a process is there and no zombie.
pub fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| !state.starts_with('Z'))
}
