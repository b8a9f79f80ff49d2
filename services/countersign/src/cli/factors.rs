//! `countersign factors`: how kinds of factors behave in a tenant.

use clap::Subcommand;
use countersign_proto::admin::{FactorSettings, SetFactorSettingsRequest, Tenant};
use prost_types::Duration;

use super::{
    Connection, Failure, Screen, fresh_request_id,
    global::Global,
    screen::table_of,
    tenants,
    when::{span_in_words, wire_span},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the kinds of factors that do not behave by the defaults
    Show {
        /// This kind alone, such as totp
        kind: Option<String>,
    },
    /// Change how a kind of factor behaves; what is not named stays as it is
    Set {
        /// The kind: totp, recovery_code, temporary_access_pass, ...
        kind: String,
        #[command(flatten)]
        changes: Box<Changes>,
    },
}

/// What is to be another way.
#[derive(Debug, Default, clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// Begin with the defaults instead of what is set now
    #[arg(long)]
    defaults: bool,
    /// Let users neither enrol nor use it
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Let users enrol and use it
    #[arg(long)]
    enable: bool,
    /// Failures in a row before the first pause, 1 to 100; 0 for the default
    #[arg(long, value_name = "COUNT")]
    free_attempts: Option<u32>,
    /// The first pause, 1s to 24h; each further failure doubles it
    #[arg(long, value_name = "SPAN", value_parser = wire_span)]
    first_pause: Option<Duration>,
    /// The longest pause, 1s to 24h
    #[arg(long, value_name = "SPAN", value_parser = wire_span)]
    longest_pause: Option<Duration>,
    /// Failures in a row after which only an administrator can release it, 1 to 100; 0 for the default
    #[arg(long, value_name = "COUNT")]
    hard_limit: Option<u32>,
    /// TOTP: steps to either side of now whose codes are taken, 0 to 10
    #[arg(long, value_name = "COUNT")]
    totp_skew_steps: Option<u32>,
    /// Recovery codes: how many a set has, 4 to 20; 0 for the default
    #[arg(long, value_name = "COUNT")]
    recovery_code_count: Option<u32>,
    /// Recovery codes: at how many left the user is warned, 1 to 20; 0 for the default
    #[arg(long, value_name = "COUNT")]
    recovery_code_low: Option<u32>,
    /// Temporary access passes: the longest that one may last, 10m to 30d
    #[arg(long, value_name = "SPAN", value_parser = wire_span)]
    longest_access_pass: Option<Duration>,
}

const SETTINGS: &str = "countersign.admin.v1.FactorSettings";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    let shown = match args.command {
        Command::Show { kind } => {
            let all = tenants::get(&connection).await?.factor_settings;
            let is_asked =
                |one: &FactorSettings| kind.as_ref().is_none_or(|kind| one.kind == *kind);
            all.into_iter().filter(is_asked).collect()
        }
        Command::Set { kind, changes } => vec![set(kind, &changes, &connection).await?],
    };
    if screen.wants_json() {
        return shown.iter().try_for_each(|one| screen.json(SETTINGS, one));
    }
    print_settings(&shown, screen)
}

/// Sets what is set now with the changes: the API takes the settings of a kind as a whole.
async fn set(
    kind: String,
    changes: &Changes,
    connection: &Connection,
) -> Result<FactorSettings, Failure> {
    let now = settings_of(&kind, &tenants::get(connection).await?);
    let request = SetFactorSettingsRequest {
        request_id: fresh_request_id(),
        settings: Some(changes.applied_to(now)),
    };
    let response = connection.admin().set_factor_settings(request).await;
    let refused = Failure::refused("setting how the factor behaves");
    let tenant = response.map_err(refused)?.into_inner().tenant.unwrap_or_default();
    Ok(settings_of(&kind, &tenant))
}

/// Returns the settings of a kind, which are the defaults where nothing was set.
fn settings_of(kind: &str, tenant: &Tenant) -> FactorSettings {
    let found = tenant.factor_settings.iter().find(|one| one.kind == kind).cloned();
    found.unwrap_or_else(|| FactorSettings { kind: kind.to_owned(), ..FactorSettings::default() })
}

impl Changes {
    fn applied_to(&self, now: FactorSettings) -> FactorSettings {
        let mut new = if self.defaults {
            FactorSettings { kind: now.kind, ..FactorSettings::default() }
        } else {
            now
        };
        new.disabled = (new.disabled || self.disable) && !self.enable;
        let throttle = new.throttle.get_or_insert_default();
        throttle.free_attempts = self.free_attempts.unwrap_or(throttle.free_attempts);
        throttle.first_pause = self.first_pause.or(throttle.first_pause);
        throttle.longest_pause = self.longest_pause.or(throttle.longest_pause);
        throttle.hard_limit = self.hard_limit.unwrap_or(throttle.hard_limit);
        new.totp_skew_steps = self.totp_skew_steps.or(new.totp_skew_steps);
        new.recovery_code_count = self.recovery_code_count.unwrap_or(new.recovery_code_count);
        new.recovery_code_low = self.recovery_code_low.unwrap_or(new.recovery_code_low);
        new.longest_access_pass = self.longest_access_pass.or(new.longest_access_pass);
        new
    }
}

fn print_settings(all: &[FactorSettings], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&[
        "kind!",
        "in use",
        "free attempts",
        "first pause",
        "longest pause",
        "hard limit",
        "its own",
    ]);
    for one in all {
        let throttle = one.throttle.unwrap_or_default();
        table.add_row([
            one.kind.clone(),
            if one.disabled { "no" } else { "yes" }.to_owned(),
            count(throttle.free_attempts),
            span(throttle.first_pause.as_ref()),
            span(throttle.longest_pause.as_ref()),
            count(throttle.hard_limit),
            own(one),
        ]);
    }
    screen.table(&table, "the defaults hold")
}

fn count(value: u32) -> String {
    if value == 0 { "default".to_owned() } else { value.to_string() }
}

fn span(value: Option<&Duration>) -> String {
    value.map_or_else(|| "default".to_owned(), span_in_words)
}

/// Returns what only some kinds have, if it is not by default.
fn own(settings: &FactorSettings) -> String {
    let mut parts = Vec::new();
    parts.extend(settings.totp_skew_steps.map(|steps| format!("totp_skew_steps={steps}")));
    for (name, value) in [
        ("recovery_code_count", settings.recovery_code_count),
        ("recovery_code_low", settings.recovery_code_low),
    ] {
        parts.extend((value != 0).then(|| format!("{name}={value}")));
    }
    let longest = settings.longest_access_pass.as_ref();
    parts.extend(longest.map(|span| format!("longest_access_pass={}", span_in_words(span))));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::tests::Printed;

    fn strict() -> FactorSettings {
        let changes = Changes {
            disable: true,
            free_attempts: Some(3),
            first_pause: Some(Duration { seconds: 60, nanos: 0 }),
            totp_skew_steps: Some(0),
            ..Changes::default()
        };
        changes.applied_to(settings_of("totp", &Tenant::default()))
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let changed = Changes { hard_limit: Some(9), ..Changes::default() }.applied_to(strict());
        assert!(changed.disabled);
        let throttle = changed.throttle.unwrap();
        assert_eq!((throttle.free_attempts, throttle.hard_limit), (3, 9));
        assert_eq!(throttle.first_pause.unwrap().seconds, 60);
        assert_eq!(changed.totp_skew_steps, Some(0));
        assert!(!Changes { enable: true, ..Changes::default() }.applied_to(strict()).disabled);
    }

    #[test]
    fn the_defaults_are_begun_with_where_that_is_asked_for() {
        let changes = Changes { defaults: true, hard_limit: Some(9), ..Changes::default() };
        let changed = changes.applied_to(strict());
        assert!(!changed.disabled && changed.totp_skew_steps.is_none());
        let throttle = changed.throttle.unwrap();
        assert_eq!((throttle.free_attempts, throttle.hard_limit), (0, 9));
        assert!(throttle.first_pause.is_none());
    }

    #[test]
    fn what_is_by_default_says_so() {
        let printed = Printed::default();
        print_settings(&[strict()], &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        let row = text.lines().nth(1).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells, ["totp", "no", "3", "1m", "default", "default", "totp_skew_steps=0"]);
    }
}
