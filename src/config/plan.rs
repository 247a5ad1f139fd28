//! What a configuration asks of the API, and whether its budgets allow that: what `check` prints.
//!
//! A pure function of the configuration. What is really in force is measured at run time, and is a metric.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::config::duration::format;
use crate::config::validate::MOST_REQUESTS_PER_SECOND;
use crate::config::{Account, Config, Poll};
use crate::poll::{Discovery, Pattern, Selection};

/// How long a call holds its slot of the budget, in milliseconds: a second, and 100 ms as the API's mean latency.
const SLOT_MILLIS: u128 = 1100;

/// What a configuration asks of the API; prints as the report of `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    poll: Poll,
    accounts: Vec<AccountPlan>,
}

/// What one account asks of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AccountPlan {
    name: String,
    /// Regions with their number of instances.
    regions: BTreeMap<String, usize>,
    discovery: Option<Discovery>,
    endpoint: Option<String>,
    /// In words.
    credentials: String,
    signature: &'static str,
    /// Of the listed instances alone.
    demand: Demand,
}

/// Calls that are asked for and calls that a budget allows, in whole numbers, so that no rounding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demand {
    instances: u128,
    interval_millis: u128,
    slots: u128,
}

/// Calls per second, to three places.
struct PerSecond {
    calls: u128,
    millis: u128,
}

impl Plan {
    /// What `config` asks for.
    pub fn of(config: &Config) -> Self {
        let accounts = &config.accounts;
        Self {
            poll: config.poll,
            accounts: accounts
                .iter()
                .map(|account| AccountPlan::of(account, config.poll))
                .collect(),
        }
    }

    /// Whether every account fits its budget. One that does not is polled less often than configured.
    pub fn fits(&self) -> bool {
        self.accounts.iter().all(|account| account.demand.fits())
    }
}

impl AccountPlan {
    fn of(account: &Account, poll: Poll) -> Self {
        let mut regions = BTreeMap::new();
        for target in &account.targets {
            *regions.entry(target.region.clone()).or_default() += 1;
        }
        Self {
            name: account.name.to_string(),
            regions,
            discovery: account.discovery.clone(),
            endpoint: account.endpoint.as_ref().map(ToString::to_string),
            credentials: account.credentials.to_string(),
            signature: account.signature.as_str(),
            demand: Demand {
                instances: account.targets.len() as u128,
                interval_millis: poll.interval.as_millis(),
                slots: account.requests_per_second.into(),
            },
        }
    }
}

impl Demand {
    /// How long the budget takes for one call to every instance, in milliseconds, times the number of slots.
    fn work_millis(self) -> u128 {
        self.instances * SLOT_MILLIS
    }

    fn fits(self) -> bool {
        self.work_millis() <= self.slots * self.interval_millis
    }

    /// Rounded up, so that what does not fit is never 100.
    fn percent(self) -> u128 {
        (100 * self.work_millis()).div_ceil(self.slots * self.interval_millis)
    }

    /// The shortest interval that fits, in whole seconds.
    fn interval_that_fits(self) -> Duration {
        let seconds = self.work_millis().div_ceil(self.slots * 1000);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// The least `requests_per_second` that fits, if it is allowed.
    fn slots_that_fit(self) -> Option<u128> {
        let slots = self.work_millis().div_ceil(self.interval_millis);
        (slots <= MOST_REQUESTS_PER_SECOND.into()).then_some(slots)
    }

    fn most_instances(self) -> u128 {
        self.slots * self.interval_millis / SLOT_MILLIS
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instances = self.accounts.iter().map(|account| account.demand.instances).sum();
        let finds = self.accounts.iter().any(|account| account.discovery.is_some());
        writeln!(
            f,
            "{}{} in {}, each asked every {} with a timeout of {}",
            count(instances, "instance"),
            if finds { " and what is found" } else { "" },
            count(self.accounts.len() as u128, "account"),
            format(self.poll.interval),
            format(self.poll.timeout),
        )?;
        for account in &self.accounts {
            write!(f, "\n{account}")?;
        }
        let over: Vec<_> = self
            .accounts
            .iter()
            .filter(|account| !account.demand.fits())
            .map(|account| account.name.as_str())
            .collect();
        if !over.is_empty() {
            writeln!(
                f,
                "\nWARNING: over the budget: {}. The exporter runs all the same, and asks these instances less\n\
                 often than configured.",
                over.join(", "),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for AccountPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let demand = self.demand;
        let interval = duration_of(demand.interval_millis);
        let regions: Vec<_> = self
            .regions
            .iter()
            .map(|(region, count)| format!("{count} in {region}"))
            .collect();
        let asked = PerSecond {
            calls: demand.instances,
            millis: demand.interval_millis,
        };
        let allowed = PerSecond {
            calls: demand.slots,
            millis: SLOT_MILLIS,
        };
        writeln!(f, "account {}", self.name)?;
        let mut line = |name: &str, text: &str| writeln!(f, "  {name:<12} {text}");
        let (also, what) = match self.discovery {
            Some(_) => (", and what is found", "what is listed"),
            None => ("", "it"),
        };
        let listed = if regions.is_empty() {
            "none listed".to_owned()
        } else {
            regions.join(", ")
        };
        line("instances", &listed)?;
        if let Some(discovery) = &self.discovery {
            let interval = format(discovery.interval);
            if discovery.list {
                let selection = selection(&discovery.selection);
                let forget_after = in_days(discovery.forget_after);
                line(
                    "discovery",
                    &format!("every {interval}{selection}, forgotten after {forget_after}"),
                )?;
            }
            if !discovery.certificates.is_empty() {
                let number = discovery.certificates.len();
                line("certificates", &format!("{number} looked up every {interval}"))?;
            }
        }
        line("endpoint", self.endpoint.as_deref().unwrap_or("the region's"))?;
        line("credentials", &self.credentials)?;
        line("signature", self.signature)?;
        line(
            "asks for",
            &format!(
                "{asked} calls a second: {} every {interval}{also}",
                count(demand.instances, "instance")
            ),
        )?;
        line(
            "budget",
            &format!(
                "{allowed} calls a second: {}, each held for 1 s and 0.1 s of latency",
                count(demand.slots, "slot")
            ),
        )?;
        if demand.fits() {
            return line(
                "fits",
                &format!("yes, {what} takes {} % of the budget", demand.percent()),
            );
        }
        let longer = format(demand.interval_that_fits());
        line(
            "fits",
            &format!("NO, {what} takes {} % of the budget", demand.percent()),
        )?;
        line(
            "",
            &format!("each instance will be asked about every {longer} instead of every {interval}"),
        )?;
        let more = demand
            .slots_that_fit()
            .map(|slots| format!(", or requests_per_second: {slots} or more"))
            .unwrap_or_default();
        line("to fit", &format!("set poll.interval: {longer} or longer{more}"))?;
        line(
            "",
            &format!(
                "or list at most {} under this account",
                count(demand.most_instances(), "instance")
            ),
        )
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.calls * 1_000_000 / self.millis;
        match thousandths {
            0 if self.calls == 0 => f.write_str("0"),
            0 => f.write_str("less than 0.001"),
            _ => write!(f, "{}.{:03}", thousandths / 1000, thousandths % 1000),
        }
    }
}

/// `, include a or b, exclude c`; nothing of what is not said.
fn selection(Selection { include, exclude }: &Selection) -> String {
    let part = |verb: &str, patterns: &[Pattern]| {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        match patterns.as_slice() {
            [] => String::new(),
            patterns => format!(", {verb} {}", patterns.join(" or ")),
        }
    };
    part("include", include) + &part("exclude", exclude)
}

/// Whole days as days, as people write them, where Prometheus would make weeks or a year of them.
fn in_days(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match duration.as_secs() {
        seconds if seconds % DAY == 0 && duration.subsec_millis() == 0 => format!("{}d", seconds / DAY),
        _ => format(duration),
    }
}

fn duration_of(millis: u128) -> String {
    format(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

fn count(number: u128, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
