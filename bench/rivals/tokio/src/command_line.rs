//! Settings as they stand on the command line: NAME=VALUE, each a number from 1 up to a highest one.

use std::fmt;
use std::io;

pub const HIGHEST_SIZE: usize = 64 << 20; // [bytes]
pub const LONGEST_IDLE: usize = 24 * 60 * 60 * 1000; // [ms]
pub const HIGHEST_PORT: usize = u16::MAX as usize;

pub enum Failure {
    Usage(String),
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::System(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(what) => formatter.write_str(what),
            Failure::System(error) => error.fmt(formatter),
        }
    }
}

/// What stands behind the server's name. A server has one setting or none.
pub struct Settings<'a>(pub &'a [String]);

impl Settings<'_> {
    pub fn none(self) -> Result<(), Failure> {
        match self.0 {
            [] => Ok(()),
            [argument, ..] => Err(Failure::Usage(format!("'{argument}': this server has no settings"))),
        }
    }

    /// The number given for the one setting `name`, or `otherwise`; without that it must be given.
    pub fn only(self, name: &str, otherwise: Option<usize>, highest: usize) -> Result<usize, Failure> {
        match self.0 {
            [] => otherwise.ok_or_else(|| Failure::Usage(format!("{name}= is missing"))),
            [argument] => read_number(argument, name, highest),
            _ => Err(Failure::Usage(format!(
                "too many settings; this server has only {name}="
            ))),
        }
    }
}

fn read_number(argument: &str, name: &str, highest: usize) -> Result<usize, Failure> {
    let value = argument
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .ok_or_else(|| Failure::Usage(format!("'{argument}' is no setting of this server; it has {name}=")))?;
    match value.parse() {
        Ok(number) if (1..=highest).contains(&number) => Ok(number),
        _ => Err(Failure::Usage(format!(
            "{argument}: it must be a number from 1 to {highest}"
        ))),
    }
}
