//! Bars with names, as SVG.

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Begins the names of the bars that stand out.
const OURS: &str = "`PatLayer`";

const WIDTH: u32 = 900;
const ROW: u32 = 30;

/// One bar for each of these, the first at the bottom.
pub(crate) fn bars<X>(caption: &str, bars: &[(&str, f64)], scale: X) -> String
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut text = String::new();
    draw(caption, bars, scale, &mut text).expect("a string takes the plot");
    text
}

fn draw<X>(
    caption: &str,
    bars: &[(&str, f64)],
    scale: X,
    text: &mut String,
) -> Result<(), Box<dyn std::error::Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let count = i32::try_from(bars.len())?;
    let size = (WIDTH, ROW * (u32::try_from(bars.len())? + 2));
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(caption, ("sans-serif", 18))
        .margin(10)
        .margin_right(110)
        .y_label_area_size(270)
        .build_cartesian_2d(scale, (0..count - 1).into_segmented())?;
    let name = |segment: &SegmentValue<i32>| match segment {
        SegmentValue::CenterOf(index) => usize::try_from(*index)
            .ok()
            .and_then(|index| bars.get(index))
            .map_or(String::new(), |(name, _)| name.replace('`', "")),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .axis_style(TRANSPARENT)
        .y_labels(bars.len())
        .y_label_style(("sans-serif", 14))
        .y_label_formatter(&name)
        .draw()?;
    let start = chart.x_range().start;
    for (index, (name, value)) in (0..).zip(bars) {
        let color = if name.starts_with(OURS) {
            RGBColor(40, 100, 200)
        } else {
            RGBColor(170, 170, 170)
        };
        let from = (start, SegmentValue::Exact(index));
        let to = (*value, SegmentValue::Exact(index + 1));
        let mut bar = Rectangle::new([from, to], color.filled());
        bar.set_margin(4, 4, 0, 0);
        chart.draw_series([bar])?;
        let label = format!("\u{a0}{}", grouped(*value));
        let at = (*value, SegmentValue::CenterOf(index));
        let style = ("sans-serif", 14)
            .into_text_style(&root)
            .pos(Pos::new(HPos::Left, VPos::Center));
        chart.draw_series([Text::new(label, at, style)])?;
    }
    root.present()?;
    Ok(())
}

/// A whole number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
