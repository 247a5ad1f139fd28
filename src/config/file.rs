//! The shape of the YAML file: every key, and the type of what it holds. What the values mean is not here.
//!
//! Each field is a key; each may be absent as far as the shape goes.

use crate::config::duration::Span;
use crate::secret::Secret;
use crate::yaml::{Entry, Map, Problems, Read, Reported, Value, shape};

/// A list, each item with its place.
type List<T> = Vec<Entry<T>>;

/// An empty map: a provider that needs telling nothing.
#[derive(Debug)]
pub(crate) struct NoKeys;

shape! {
    /// The whole file.
    File {
        poll: Poll,
        accounts: List<Account>,
    }
}

shape! {
    /// How instances are polled.
    Poll {
        interval: Span,
        timeout: Span,
    }
}

shape! {
    /// A key and what is asked with it.
    Account {
        name: String,
        region: String,
        endpoint: String,
        requests_per_second: u64,
        signature: String,
        credentials: Credentials,
        labels: Map<String>,
        discovery: Discovery,
        instances: List<Instance>,
        certificates: List<Certificate>,
    }
}

shape! {
    /// Finding instances by asking the API for them.
    Discovery {
        interval: Span,
        include: List<String>,
        exclude: List<String>,
        forget_after: Span,
    }
}

shape! {
    /// An instance, or what holds for the discovered ones whose id matches.
    Instance {
        id: String,
        r#match: String,
        region: String,
        name: String,
        labels: Map<String>,
    }
}

shape! {
    /// A certificate whose instance is looked up.
    Certificate {
        identifier: String,
    }
}

shape! {
    /// A provider of credentials: exactly one of these keys.
    Credentials {
        access_key: AccessKey,
        env: NoKeys,
        default: NoKeys,
        profile: Profile,
        assume_role: AssumeRole,
        oidc: Oidc,
        ecs_metadata: EcsMetadata,
        uri: Uri,
        chain: List<Credentials>,
    }
}

shape! {
    /// A key given in parts: exactly one form of each.
    AccessKey {
        access_key_id: Secret,
        access_key_id_file: String,
        access_key_id_env: String,
        access_key_secret: Secret,
        access_key_secret_file: String,
        access_key_secret_env: String,
        security_token: Secret,
        security_token_file: String,
        security_token_env: String,
    }
}

shape! {
    /// A profile of the vendor's command line.
    Profile {
        name: String,
        cli_file: String,
        ini_file: String,
    }
}

shape! {
    /// A role taken on with the key of another provider.
    AssumeRole {
        role_arn: String,
        role_session_name: String,
        external_id: String,
        policy: String,
        duration: Span,
        sts_endpoint: String,
        source: Box<Credentials>,
    }
}

shape! {
    /// A role taken on with a token of an identity provider.
    Oidc {
        role_arn: String,
        oidc_provider_arn: String,
        oidc_token_file: String,
        role_session_name: String,
        policy: String,
        duration: Span,
        sts_endpoint: String,
    }
}

shape! {
    /// The role of the machine.
    EcsMetadata {
        role_name: String,
        endpoint: String,
        disable_imdsv1: bool,
    }
}

shape! {
    /// A local service that hands out keys.
    Uri {
        uri: Secret,
    }
}

impl Read for NoKeys {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        value.fields(&[], problems).map(|_| Self)
    }
}

impl Read for Secret {
    fn read(value: &Value<'_>, problems: &mut Problems) -> Result<Self, Reported> {
        let text = value.text().map(Self::from);
        text.ok_or_else(|| value.unexpected("a text", "put the secret in quotes", problems))
    }
}
