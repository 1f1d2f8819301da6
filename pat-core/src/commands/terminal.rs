use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write};

use zeroize::Zeroizing;

use super::Failure;

/// The longest line that is read as a secret.
const LONGEST_SECRET: u64 = 4_096;

/// Where a command reads its input, and writes its output and messages.
pub struct Terminal {
    input: Input,
    pub(super) out: Box<dyn Write + Send>,
    pub(super) err: Box<dyn Write + Send>,
}

enum Input {
    Standard,
    Given(Box<dyn BufRead + Send>),
}

impl Terminal {
    /// Returns the standard input, output and error of the process. If the input is a terminal, secrets are asked for
    /// without an echo.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            input: Input::Standard,
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// Returns a terminal of other streams, for tests. Questions are answered by the lines of `input`.
    #[must_use]
    pub fn new(
        input: impl Read + Send + 'static,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            input: Input::Given(Box::new(BufReader::new(input))),
            out: Box::new(out),
            err: Box::new(err),
        }
    }

    /// Writes a line for the operator, beside the output. That it cannot be written stops no command.
    pub(super) fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    pub(super) fn error(&mut self, line: &str) {
        self.note(&format!("error: {line}"));
    }

    /// Reads a token from the first line of the input.
    pub(super) fn secret(&mut self) -> Result<Zeroizing<String>, Failure> {
        let cannot = |error: io::Error| Failure::because(format!("cannot read the token: {error}"));
        let line = match &mut self.input {
            Input::Standard if io::stdin().is_terminal() => {
                rpassword::prompt_password("Token: ").map_err(cannot)?
            }
            Input::Standard => first_line(io::stdin().lock()).map_err(cannot)?,
            Input::Given(input) => first_line(input).map_err(cannot)?,
        };
        let line = Zeroizing::new(line);
        let secret = Zeroizing::new(line.trim().to_owned());
        if secret.is_empty() {
            return Err(Failure::because(
                "the standard input has no token; write it there, as in `… <token.txt`",
            ));
        }
        Ok(secret)
    }

    /// Asks a question, and returns the answer; `None` if no operator can answer.
    pub(super) fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        if matches!(self.input, Input::Standard) && !io::stdin().is_terminal() {
            return Ok(None);
        }
        let _ = write!(self.err, "{question} ");
        let _ = self.err.flush();
        let mut answer = String::new();
        let read = match &mut self.input {
            Input::Standard => io::stdin().read_line(&mut answer),
            Input::Given(input) => input.read_line(&mut answer),
        };
        read.map_err(|error| Failure::because(format!("cannot read the answer: {error}")))?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// Returns the whole input.
    pub(super) fn reader(&mut self) -> Box<dyn BufRead + Send + '_> {
        match &mut self.input {
            Input::Standard => Box::new(BufReader::new(io::stdin())),
            Input::Given(input) => Box::new(input),
        }
    }
}

fn first_line(input: impl BufRead) -> io::Result<String> {
    let mut line = String::with_capacity(256);
    input.take(LONGEST_SECRET).read_line(&mut line)?;
    Ok(line)
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal(..)")
    }
}
