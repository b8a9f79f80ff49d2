//! A whole sign-in against a server, as a platform from outside would do it: everything goes over gRPC with an API key.

mod ending;
mod enrolling;
mod phone;
mod recovering;
mod server;
mod setting;
mod signing_in;
mod story;

pub(crate) use server::LocalServer;
use setting::Setting;
use story::Story;

use crate::cli::{Connection, Failure, Screen, global::Global};

/// Tells the story from an empty tenant to the replay of everything that happened.
pub(crate) async fn tell(global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let admin = Connection::open(global).await?;
    let mut story = Story::new(screen);
    let setting = Setting::make(&admin, &mut story).await?;
    let mut phone = enrolling::enrol(&setting, &mut story).await?;
    signing_in::sign_in(&setting, &mut phone, &mut story).await?;
    recovering::recover(&setting, &mut story).await?;
    ending::replay(&setting, &mut story).await?;
    ending::what_next(&setting, global, &mut story)
}
