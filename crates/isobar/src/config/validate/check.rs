//! `check`: what tells a broker's health.

use isobar_core::policy::{CheckKind as Kind, CheckPolicy};
use isobar_net::settings::Credentials;

use super::{Validation, secret};
use crate::config::bounds;
use crate::config::file::{Check, CheckKind, CheckTable, Mode};
use crate::config::finding::{Refusal, Scope};
use crate::config::placed::Placed;
use crate::config::units::show_duration;

/// The check of a broker, with what its MQTT probe presents.
pub(super) fn read(
    v: &mut Validation<'_>,
    scope: &Scope,
    typed: Option<&Placed<Check>>,
    mode: Mode,
) -> (Option<CheckPolicy>, Option<Credentials>) {
    let suited = match mode {
        Mode::Mqtt => CheckKind::Mqtt,
        Mode::Tcp => CheckKind::Tcp,
    };
    let plain = CheckTable::default();
    let (kind, table) = match typed.map(|typed| &typed.value) {
        Some(Check::On(false)) => return (None, None),
        None | Some(Check::On(true)) => (suited, &plain),
        Some(Check::Kind(kind)) => (*kind, &plain),
        Some(Check::Table(table)) => {
            (table.kind.as_ref().map_or(suited, |kind| kind.value), &**table)
        }
    };
    let policy = policy(v, scope, kind, table);
    (Some(policy), credentials(v, scope, kind, table))
}

fn policy(
    v: &mut Validation<'_>,
    scope: &Scope,
    kind: CheckKind,
    table: &CheckTable,
) -> CheckPolicy {
    let report = &mut v.report;
    let inter = report.duration(scope, "check.inter", table.inter.as_ref(), bounds::INTER);
    let fastinter = report.duration_given(
        scope,
        "check.fastinter",
        table.fastinter.as_ref(),
        bounds::FASTINTER,
    );
    if let (Some(fast), Some(typed)) = (fastinter, &table.fastinter)
        && fast > inter
    {
        let help = format!("at most {}, or raise inter", show_duration(inter));
        let problem = format!("longer than inter ({})", show_duration(inter));
        report.refuse(scope, "check.fastinter", &typed.at, Refusal::new(problem, help));
    }
    let standard = bounds::FASTINTER.default.unwrap_or(inter);
    CheckPolicy {
        kind: match kind {
            CheckKind::Mqtt => Kind::Mqtt,
            CheckKind::Tcp => Kind::Tcp,
        },
        inter,
        fastinter: fastinter.unwrap_or(standard).min(inter),
        rise: report.count(scope, "check.rise", table.rise.as_ref(), bounds::RISE),
        fall: report.count(scope, "check.fall", table.fall.as_ref(), bounds::FALL),
    }
}

fn credentials(
    v: &mut Validation<'_>,
    scope: &Scope,
    kind: CheckKind,
    table: &CheckTable,
) -> Option<Credentials> {
    let password = match (&table.password_file, &table.username, kind) {
        (Some(file), Some(_), CheckKind::Mqtt) => secret::password(v, scope, file),
        (Some(file), None, CheckKind::Mqtt) => {
            let help = "add username = \"probe\" beside it";
            let refusal = Refusal::new("a password without a username", help);
            v.report.refuse(scope, "check.password_file", &file.at, refusal);
            None
        }
        _ => None,
    };
    if kind == CheckKind::Tcp {
        let unused = [("username", &table.username), ("password_file", &table.password_file)];
        for (key, typed) in unused {
            if let Some(typed) = typed {
                let message = format!("check.{key} has no effect on a tcp check");
                v.report.warn(
                    scope,
                    &typed.at,
                    message,
                    "remove it, or check with kind = \"mqtt\"",
                );
            }
        }
        return None;
    }
    let typed = table.username.as_ref()?;
    if typed.value.is_empty()
        || typed.value.len() > bounds::SECRET_MAX
        || typed.value.contains('\0')
    {
        let help = "leave username out for a probe without one";
        let refusal = Refusal::new("must be 1 to 65,535 bytes, none of them NUL", help);
        v.report.refuse(scope, "check.username", &typed.at, refusal);
    }
    Some(Credentials { username: typed.value.clone(), password })
}
