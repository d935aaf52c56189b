//! Signs, drawn: a state shows by its shape as well as by its colour and its word.

use maud::{Markup, PreEscaped};

/// A drawing of 16 by 16, from its paths.
fn drawn(paths: &str) -> Markup {
    PreEscaped(format!(
        "<svg viewBox=\"0 0 16 16\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">{paths}</svg>"
    ))
}

/// The sign of a name that is one of ours; a dot for others.
pub(super) fn icon(name: &str) -> Markup {
    drawn(match name {
        "brand" => "<path d=\"M2 8h7M6 4l4 4-4 4\"/><path d=\"M13 2.5v11\" stroke-width=\"2\"/>",
        "overview" => "<path d=\"M2 9.5 5 6l3 3 5-6\"/><path d=\"M2 13.5h12\"/>",
        "queues" => "<path d=\"M2 4h12M2 8h9M2 12h6\"/>",
        "messages" => "<path d=\"M2.5 3h11v8h-6l-3 2.5V11h-2z\"/>",
        "sessions" => {
            "<rect x=\"4.5\" y=\"1.5\" width=\"7\" height=\"13\" rx=\"1.5\"/><path d=\"M7.5 12h1\"/>"
        }
        "workers" => {
            "<rect x=\"2\" y=\"2.5\" width=\"12\" height=\"4.5\" rx=\"1\"/><rect x=\"2\" y=\"9\" \
             width=\"12\" height=\"4.5\" rx=\"1\"/><path d=\"M4.5 4.75h.01M4.5 11.25h.01\"/>"
        }
        "webhooks" => "<path d=\"M6 4.5 3.5 8 6 11.5M10 4.5 12.5 8 10 11.5\"/>",
        "organizations" => {
            "<path d=\"M2.5 13.5v-10l6-1.5v11.5M8.5 6h5v7.5M1.5 13.5h13M5 6h1M5 9h1\"/>"
        }
        "jobs" => "<path d=\"M2 4.5l1.2 1.2L5.5 3M2 10.5l1.2 1.2L5.5 9M8 4.5h6M8 11h6\"/>",
        "audit" => "<path d=\"M3.5 1.5h6l3 3v10h-9z\"/><path d=\"M6 7.5h4M6 10.5h4\"/>",
        "waiting" => "<circle cx=\"8\" cy=\"8\" r=\"5\"/>",
        "clock" => "<circle cx=\"8\" cy=\"8\" r=\"5.5\"/><path d=\"M8 5v3l2 1.5\"/>",
        "half" => {
            "<circle cx=\"8\" cy=\"8\" r=\"5\"/><path d=\"M8 3a5 5 0 0 1 0 10z\" \
             fill=\"currentColor\"/>"
        }
        "tick" => "<path d=\"M3.5 8.5 6.5 11.5 12.5 5\"/>",
        "ticks" => "<path d=\"M1.5 8.5 4.5 11.5 10.5 5M8 11l.8.7L14.5 5\"/>",
        "cross" => "<path d=\"M4 4l8 8M12 4l-8 8\" stroke-width=\"2\"/>",
        "held" => "<path d=\"M5.5 3.5v9M10.5 3.5v9\" stroke-width=\"2.4\"/>",
        "scan" => {
            "<path d=\"M2.5 5.5v-3h3M10.5 2.5h3v3M13.5 10.5v3h-3M5.5 13.5h-3v-3\"/><path \
             d=\"M5 8h6\"/>"
        }
        "on" => "<circle cx=\"8\" cy=\"8\" r=\"4\" fill=\"currentColor\"/>",
        "off" => "<path d=\"M4 8h8\"/>",
        "key" => "<circle cx=\"5\" cy=\"8\" r=\"2.5\"/><path d=\"M7.5 8h6.5M12 8v2.5\"/>",
        _ => "<circle cx=\"8\" cy=\"8\" r=\"1.5\" fill=\"currentColor\"/>",
    })
}
