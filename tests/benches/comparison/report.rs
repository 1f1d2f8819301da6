//! What the run has shown, as a Markdown table and as a plot.

use std::fmt::Write as _;

use plotters::prelude::*;

use crate::{LIMIT, Measured, NO_AUTH, PAT_LAYER};

fn of(measured: &[Measured], name: &str) -> Measured {
    let found = measured.iter().find(|measured| measured.name == name);
    *found.expect("every stack is measured")
}

pub(crate) fn table(measured: &[Measured], rounds: usize, load_before: &str) -> String {
    let (bare, limit) = (of(measured, NO_AUTH), of(measured, LIMIT));
    let mut table = format!(
        "\n# Beside other ways to authenticate\n\n\
         {}, by `cargo bench -p pat-benches --bench comparison`; medians of {rounds} turns. \
         \"÷ limit\" compares what is added to a request without authentication.\n\n\
         | stack | uniform: ns | ÷ limit | hot: ns | ÷ limit \
         | two threads, uniform: ns | ÷ limit | hot: ns | ÷ limit | two threads ÷ one |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(load_before)
    );
    let settings: [fn(&Measured) -> f64; 4] = [
        |stack| stack.uniform,
        |stack| stack.hot,
        |stack| stack.uniform_beside,
        |stack| stack.hot_beside,
    ];
    for stack in measured {
        write!(table, "| {} |", stack.name).expect("a string takes it");
        for time in settings {
            let [time, bare, limit] = [stack, &bare, &limit].map(time);
            let ratio = (time - bare) / (limit - bare);
            write!(table, " {time:.0} | {ratio:.2} |").expect("a string takes it");
        }
        let threads = 2.0 * stack.uniform / stack.uniform_beside;
        writeln!(table, " {threads:.2} |").expect("a string takes it");
    }
    table
}

/// What each stack adds to a request without authentication, on a logarithmic scale.
pub(crate) fn plot(measured: &[Measured]) -> String {
    let unprotected = of(measured, NO_AUTH).uniform;
    let mut bars: Vec<_> = measured
        .iter()
        .filter(|stack| stack.name != NO_AUTH)
        .map(|stack| (stack.name, (stack.uniform - unprotected).max(1.0)))
        .collect();
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut text = String::new();
    draw(&bars, &mut text).expect("a string takes the plot");
    text
}

const WIDTH: u32 = 900;
const ROW: u32 = 30;

fn draw(bars: &[(&str, f64)], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let count = i32::try_from(bars.len())?;
    let size = (WIDTH, ROW * (u32::try_from(bars.len())? + 3));
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("nanoseconds added to a request", ("sans-serif", 18))
        .margin(10)
        .margin_right(80)
        .x_label_area_size(30)
        .y_label_area_size(270)
        .build_cartesian_2d((10.0..1e8).log_scale(), (0..count - 1).into_segmented())?;
    let name = |segment: &SegmentValue<i32>| match segment {
        SegmentValue::CenterOf(index) => usize::try_from(*index)
            .ok()
            .and_then(|index| bars.get(index))
            .map_or(String::new(), |(name, _)| name.replace('`', "")),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(bars.len())
        .y_label_formatter(&name)
        .draw()?;
    for (index, (name, added)) in (0..).zip(bars) {
        let color = if name.starts_with(PAT_LAYER) {
            BLUE
        } else {
            RGBColor(150, 150, 150)
        };
        let from = (10.0, SegmentValue::Exact(index));
        let to = (*added, SegmentValue::Exact(index + 1));
        let mut bar = Rectangle::new([from, to], color.filled());
        bar.set_margin(4, 4, 0, 0);
        chart.draw_series([bar])?;
        let label = format!(" {added:.0}");
        let at = (*added, SegmentValue::CenterOf(index));
        let style = ("sans-serif", 14).into_text_style(&root);
        chart.draw_series([Text::new(label, at, style)])?;
    }
    root.present()?;
    Ok(())
}
