//! `check-config`.

use std::io::Write as _;

use clap::Args;
use serde_json::json;

use super::show::{self, Format};
use super::{Exit, Failure, Terminal};
use crate::settings::{SettingValue, SettingsReading, SettingsSources};

/// The arguments of `check-config`, for clap.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct CheckConfigArguments {
    /// Shows only settings that a source sets
    #[arg(long)]
    pub set: bool,

    /// How to show the settings
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

pub(super) fn run(
    sources: &SettingsSources,
    arguments: &CheckConfigArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let reading = sources.read();
    let values = reading.values().iter();
    let values: Vec<_> = values
        .filter(|value| !arguments.set || value.source().is_some())
        .collect();
    match arguments.format {
        Format::Table => {
            let rows = values.iter().map(|value| {
                let (name, source) = (value.property().name(), value.source());
                let setting = format!("{name}={}", show::plain(value.value()));
                [setting, format!("({})", source.unwrap_or("default"))]
            });
            let rows: Vec<_> = rows.collect();
            show::write_table(&mut *terminal.out, &rows)?;
            for warning in reading.warnings() {
                terminal.note(&format!("warning: {warning}"));
            }
            for problem in reading.problems() {
                terminal.error(&problem.to_string());
            }
        }
        Format::Json => writeln!(terminal.out, "{:#}", as_json(&reading, &values))?,
    }
    terminal.out.flush()?;
    Ok(if reading.problems().is_empty() {
        Exit::Done
    } else {
        Exit::LookAfter
    })
}

fn as_json(reading: &SettingsReading, values: &[&SettingValue]) -> serde_json::Value {
    let values: Vec<_> = values
        .iter()
        .map(|value| {
            let property = value.property();
            json!({
                "name": property.name(),
                "value": value.value(),
                "source": value.source(),
                "default": property.default(),
                "variable": property.variable(),
            })
        })
        .collect();
    let problems: Vec<_> = reading.problems().iter().map(ToString::to_string).collect();
    json!({"settings": values, "warnings": reading.warnings(), "errors": problems})
}
