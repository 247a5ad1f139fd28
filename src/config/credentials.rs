//! The providers of credentials: one for each account, and the default chain where none is named. Keys and roles,
//! which have more rules, have files of their own.
//!
//! No error here repeats a value: whatever stands in the wrong place may be a secret.

use std::path::Path;

use crate::aliyun::credentials::{AssumeRole, Chain, EcsMetadata, Profile, Provider, Uri};
use crate::config::access_key::access_key;
use crate::config::file;
use crate::config::role::{SessionKeys, arn, external_id, oidc};
use crate::config::value::{LONGEST_NAME, endpoint, path, text};
use crate::yaml::{Entry, Place, Problems, Reported};

/// Every provider, for who named none.
const NAMES: &str = "default, env, access_key, profile, assume_role, oidc, ecs_metadata, uri or chain";

/// The provider of an account. Paths in it are relative to `folder`.
pub(super) fn provider(
    entry: &Entry<file::Credentials>,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Provider, Reported> {
    match entry.get()? {
        Some(shape) => one_provider(&entry.place, shape, folder, problems),
        None => Ok(Provider::default_chain()),
    }
}

fn one_provider(
    place: &Place,
    shape: &file::Credentials,
    folder: &Path,
    problems: &mut Problems,
) -> Result<Provider, Reported> {
    let found = [
        read(&shape.access_key, |place, key| {
            access_key(place, key, folder, problems).map(Provider::AccessKey)
        }),
        read(&shape.env, |_, _| Ok(Provider::Env)),
        read(&shape.default, |_, _| Ok(Provider::default_chain())),
        read(&shape.profile, |_, shape| {
            profile(shape, folder, problems).map(Provider::Profile)
        }),
        read(&shape.assume_role, |_, role| {
            assume_role(role, folder, problems).map(|role| Provider::AssumeRole(Box::new(role)))
        }),
        read(&shape.oidc, |_, shape| {
            oidc(shape, folder, problems).map(Provider::Oidc)
        }),
        read(&shape.ecs_metadata, |_, shape| {
            ecs_metadata(shape, problems).map(Provider::EcsMetadata)
        }),
        read(&shape.uri, |_, shape| uri(shape, problems).map(Provider::Uri)),
        read(&shape.chain, |place, providers| {
            chain(place, providers, folder, problems).map(Provider::Chain)
        }),
    ];
    let mut given = found.into_iter().filter_map(Result::transpose);
    match (given.next(), given.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => Err(problems.push(place, "give one provider only")),
        (None, _) => Err(problems.push(place, format!("name a provider: {NAMES}"))),
    }
}

/// What `make` makes of an entry that is there.
fn read<T>(
    entry: &Entry<T>,
    make: impl FnOnce(&Place, &T) -> Result<Provider, Reported>,
) -> Result<Option<Provider>, Reported> {
    entry.get()?.map(|shape| make(&entry.place, shape)).transpose()
}

fn profile(shape: &file::Profile, folder: &Path, problems: &mut Problems) -> Result<Profile, Reported> {
    let name = text(&shape.name, LONGEST_NAME, problems);
    let cli_file = path(&shape.cli_file, folder, problems);
    let ini_file = path(&shape.ini_file, folder, problems);
    Ok(Profile::new(name?.map(str::to_owned), cli_file?, ini_file?))
}

fn assume_role(
    shape: &file::AssumeRole,
    folder: &Path,
    problems: &mut Problems,
) -> Result<AssumeRole, Reported> {
    let role_arn = match arn(&shape.role_arn, "role", problems) {
        Ok(None) => Err(problems.push(&shape.role_arn.place, "missing")),
        Ok(Some(arn)) => Ok(arn),
        Err(reported) => Err(reported),
    };
    let external_id = external_id(&shape.external_id, problems);
    let session = SessionKeys {
        name: &shape.role_session_name,
        policy: &shape.policy,
        duration: &shape.duration,
        sts_endpoint: &shape.sts_endpoint,
    };
    let session = session.read(problems);
    let source = match shape.source.get()? {
        Some(source) => one_provider(&shape.source.place, source, folder, problems),
        None => Ok(Provider::default_chain()),
    };
    Ok(AssumeRole {
        role_arn: role_arn?,
        external_id: external_id?,
        session: session?,
        source: source?,
    })
}

fn ecs_metadata(shape: &file::EcsMetadata, problems: &mut Problems) -> Result<EcsMetadata, Reported> {
    let role_name = text(&shape.role_name, LONGEST_NAME, problems);
    let endpoint = endpoint(&shape.endpoint, problems);
    let disable_imdsv1 = shape.disable_imdsv1.get();
    Ok(EcsMetadata {
        role_name: role_name?.map(str::to_owned),
        endpoint: endpoint?,
        disable_imdsv1: disable_imdsv1?.copied().unwrap_or_default(),
    })
}

fn uri(shape: &file::Uri, problems: &mut Problems) -> Result<Uri, Reported> {
    let Some(given) = shape.uri.get()? else {
        return Ok(Uri::default());
    };
    if Uri::is_http(given) {
        let uri = Some(given.clone());
        return Ok(Uri { uri });
    }
    Err(problems.push(&shape.uri.place, "must be a URL with http:// or https://"))
}

fn chain(
    place: &Place,
    entries: &[Entry<file::Credentials>],
    folder: &Path,
    problems: &mut Problems,
) -> Result<Chain, Reported> {
    if entries.is_empty() {
        return Err(problems.push(place, "list at least one provider"));
    }
    let providers: Vec<_> = entries
        .iter()
        .map(|entry| one_provider(&entry.place, entry.required(problems)?, folder, problems))
        .collect();
    let providers: Result<_, _> = providers.into_iter().collect();
    providers.map(Chain::new)
}
