//! `countersign init`: makes what services over a shared log need.

use super::{Failure, Screen, screen::HEADING};
use crate::{
    World,
    serve::{Config, FIRST_KEY_FILE, Flags, Installation},
};

pub(crate) async fn run(flags: Flags, world: World, screen: &mut Screen) -> Result<(), Failure> {
    let failed = |source| Failure::Log { doing: "making what services share", source };
    let initialised = async {
        let config = Config::load(flags)?;
        let installation = Installation::init(&config, world).await?;
        let is_new = installation.is_new;
        installation.close().await;
        anyhow::Ok((config, is_new))
    };
    let (config, is_new) = initialised.await.map_err(failed)?;
    let keys = config.shared_keys_dir();
    let first_key = config.data_dir.join(FIRST_KEY_FILE);
    if screen.wants_json() {
        return screen.line(serde_json::json!({
            "is_new": is_new,
            "event_log": config.event_log.name(),
            "keys_dir": keys,
            "first_key": is_new.then_some(first_key),
        }));
    }
    let verdict = if is_new { "Made" } else { "There already, and complete" };
    screen.line(format_args!(
        "{HEADING}{verdict}{HEADING:#}: the log {}, the bus, and the keys in {}",
        config.event_log.name(),
        keys.display()
    ))?;
    if is_new {
        screen.line(format_args!("The first API key is in {}", first_key.display()))?;
    }
    screen.line("Every replica of every service needs the same keys; keep a copy of them apart from the log.")
}
