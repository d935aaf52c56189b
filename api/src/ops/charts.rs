//! Charts of the last hour, drawn by the server: nothing to load, nothing to run.

use gateway_shared::tally::Minute;
use maud::{Markup, html};

use super::words;

const WIDTH: u64 = 300;
const HEIGHT: u64 = 72;

/// Bars of one counter, a minute each, the present one last. `what` is the unit: "send".
pub(super) fn hour(name: &str, what: &str, class: &str, values: &[u64]) -> Markup {
    let highest = values.iter().copied().max().unwrap_or(0);
    let top = nice(highest.max(1));
    let total: u64 = values.iter().sum();
    let slots = u64::try_from(values.len().max(1)).unwrap_or(60);
    let present = values.len().saturating_sub(1);
    html! {
        figure {
            figcaption {
                span { b { (name) } " a minute" }
                span { (words::things(total, what)) }
            }
            svg class="chart" viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 16) } role="img"
                aria-label={ (name) ": " (words::things(total, what)) " in the last hour, at most " (words::count(highest)) " in a minute" } {
                line x1="0" x2=(WIDTH) y1="0.5" y2="0.5" {}
                line x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (index, value) in values.iter().enumerate() {
                    @let slot = u64::try_from(index).unwrap_or(0);
                    @let height = (value * HEIGHT).div_ceil(top).min(HEIGHT);
                    @if *value > 0 {
                        rect class={ "bar " (class) @if index == present { " now" } }
                            x=(slot * WIDTH / slots) y=(HEIGHT - height) width=(WIDTH / slots - 1) height=(height) {
                            title { (words::things(*value, what)) ", " (values.len() - 1 - index) " min ago" }
                        }
                    }
                }
                text x="2" y="12" { (words::count(top)) }
                text x="0" y=(HEIGHT + 13) { "60 min ago" }
                text x=(WIDTH) y=(HEIGHT + 13) text-anchor="end" { "now" }
            }
        }
    }
}

/// The three charts of the first screen.
pub(super) fn of_sends(minutes: &[Minute]) -> Markup {
    let series = |read: fn(&Minute) -> u64| minutes.iter().map(read).collect::<Vec<u64>>();
    html! {
        div class="charts" {
            (hour("Accepted", "send", "go", &series(|minute| minute.accepted)))
            (hour("Sent", "send", "", &series(|minute| minute.sent)))
            (hour("Failed or retried", "attempt", "bad", &series(|minute| minute.failed + minute.retried)))
        }
    }
}

/// The next number that is easy to read: 1, 2 or 5 and zeros.
fn nice(number: u64) -> u64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * step >= number {
                return factor * step;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_number_that_is_easy_to_read() {
        assert_eq!([1, 3, 7, 11, 60].map(nice), [1, 5, 10, 20, 100]);
    }

    #[test]
    fn the_present_minute_is_told_apart_and_every_bar_has_a_unit() {
        let drawn = hour("Sent", "send", "", &[0, 4, 2]).into_string();
        assert!(drawn.contains("4 sends, 1 min ago") && drawn.contains("2 sends, 0 min ago"));
        assert_eq!(drawn.matches("bar  now").count(), 1);
        assert!(drawn.contains("6 sends in the last hour"));
    }
}
