//! What a person sees: plain text, with colours only on a terminal that wants them.

use std::io::IsTerminal;
use std::time::Instant;

/// The terminal, or whatever standard output is.
#[derive(Debug)]
pub(super) struct Screen {
    colours: bool,
    started: Instant,
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    /// Headings and what matters.
    Bold,
    /// What only some readers want.
    Dim,
    /// It went well.
    Good,
    /// It goes on.
    Busy,
    /// What somebody said.
    Said,
}

impl Screen {
    /// Standard output. `NO_COLOR` is honoured.
    pub(super) fn new() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colours: std::io::stdout().is_terminal() && !unwanted,
            started: Instant::now(),
        }
    }

    /// Text in its colour.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Busy => "33",
            Tone::Said => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// The first lines.
    pub(super) fn title(&self, name: &str, what: &str) {
        println!();
        println!(
            "  {}  {}",
            self.paint(Tone::Bold, name),
            self.paint(Tone::Dim, what)
        );
        println!();
    }

    /// A part of the show begins.
    pub(super) fn heading(&self, text: &str) {
        println!();
        println!("  {}", self.paint(Tone::Bold, text));
    }

    /// A part of the stack is there.
    pub(super) fn ready(&self, part: &str, place: &str, remark: &str) {
        let part = format!("{part:<10}");
        let line = format!(
            "  {} {}{place:<34} {}",
            self.paint(Tone::Good, "✓"),
            self.paint(Tone::Bold, &part),
            self.paint(Tone::Dim, remark)
        );
        println!("{}", line.trim_end());
    }

    /// Something happens now.
    pub(super) fn step(&self, text: &str) {
        println!();
        println!("  {}", self.paint(Tone::Dim, text));
    }

    /// A line of the show with the seconds since the start.
    pub(super) fn line(&self, text: &str) {
        let at = format!("{:>8.3}s", self.started.elapsed().as_secs_f64());
        println!("  {}  {text}", self.paint(Tone::Dim, &at));
    }

    /// A remark.
    pub(super) fn note(&self, text: &str) {
        println!("  {text}");
    }
}
