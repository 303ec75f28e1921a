//! SVG: plots as plain functions from data to markup.
//!
//! Positions along a plot are percentages and heights are pixels, so a plot is as wide as its place
//! on the page and no text in it is ever stretched. Colours come from the classes `s-failed` and so
//! on, as everywhere in the pages; shapes tell the same as colours.

pub(super) mod bars;
pub(super) mod lanes;
mod scale;
pub(super) mod scatter;
pub(super) mod strip;

pub(super) use self::scale::{LogScale, line, percent};
