//! Reaching a real Redis.

mod moving;
mod tls;

use gateway_shared::config::Config;
use gateway_shared::lane::Retention;

fn retention() -> Retention {
    Config::defaults().unwrap().retention
}
