//! The shape of the YAML file: every key, and the type of what it holds. What the values mean is not here.
//!
//! Each field is a key; each may be absent as far as the shape goes. Its comment is what `docs/configuration.md` says of
//! it: lines of meaning, then `Required`, `Default:` and `Range:` where they apply, which a test holds against `validate`.

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
        /// How instances are polled.
        poll: Poll,
        /// The keys that the API is called with, and what is asked with each.
        /// Required.
        accounts: List<Account>,
    }
}

shape! {
    /// How instances are polled.
    Poll {
        /// How often each instance is asked. Shorter: changes are seen sooner. Longer: more instances fit the budget.
        /// Default: `5m`
        /// Range: `1s` to `1d`
        interval: Span,
        /// How long one request may take, no longer than the interval.
        /// Default: `10s`, or the interval if that is shorter
        /// Range: `1s` to `1m`
        timeout: Span,
    }
}

shape! {
    /// A key and what is asked with it.
    Account {
        /// The `account` label. Renaming an account begins new series.
        /// Required.
        /// Range: 1 to 128 bytes
        name: String,
        /// Which endpoint is asked; an instance can name another one. It must be known, unless there is an `endpoint`.
        /// Default: `cn-hangzhou`
        region: String,
        /// A host where the region's own endpoint is not the right one, such as inside a VPC; scheme and port may be
        /// given. It then serves every region of the account.
        endpoint: String,
        /// The most calls a second, out of the 10 that the API grants each user. All programs and replicas share these.
        /// Default: `5`
        /// Range: `1` to `10`
        requests_per_second: u64,
        /// How calls are signed.
        /// Default: `acs3-hmac-sha256`
        /// Range: `acs3-hmac-sha256` or `hmac-sha1`
        signature: String,
        /// Where the key comes from.
        /// Default: `{ default: {} }`
        credentials: Credentials,
        /// Labels of your own on every series of the account's instances: names of 128 bytes, values of 1024 bytes at
        /// most. Names that the exporter's metrics, Prometheus or its alerts use are refused.
        /// Default: `{}`
        labels: Map<String>,
        /// Finds the account's instances, besides those that are listed. Without it nothing is looked for.
        discovery: Discovery,
        /// The instances that are listed.
        /// Required without `discovery` and `certificates`.
        instances: List<Instance>,
        /// Certificates whose instance is looked up at the interval of `discovery`, every hour without one.
        /// Default: `[]`
        certificates: List<Certificate>,
    }
}

shape! {
    /// Finding instances by asking the API for them.
    Discovery {
        /// How often instances are looked for.
        /// Default: `1h`
        /// Range: `1m` to `1d`
        interval: Span,
        /// Only ids that match one of these patterns count; all if there is none. `*` is any run of
        /// characters, `?` is one.
        /// Default: `[]`
        include: List<String>,
        /// Of these, no id that matches one of these patterns.
        /// Default: `[]`
        exclude: List<String>,
        /// How long an instance that only discovery knew keeps its series once it is gone.
        /// Default: `7d`
        /// Range: `1h` to `1y`
        forget_after: Span,
    }
}

shape! {
    /// An instance, or what holds for the discovered ones whose id matches.
    Instance {
        /// The instance's id, as the console shows it. It wins over a found one of the same id.
        /// Required, unless there is `match`.
        /// Range: 1 to 256 bytes
        id: String,
        /// In place of `id`: the found instances whose ids match this pattern. All entries that match apply,
        /// later ones are stronger.
        /// Range: 1 to 256 bytes
        r#match: String,
        /// The instance's region; the account's otherwise. With `match` it wins over the one that discovery tells.
        region: String,
        /// Shown on the status page and as a label of `aliyun_pca_instance_info`.
        /// Range: 1 to 128 bytes
        name: String,
        /// On top of the account's, and stronger; an empty text takes one of the account's off.
        /// Default: `{}`
        labels: Map<String>,
    }
}

shape! {
    /// A certificate whose instance is looked up.
    Certificate {
        /// The certificate's identifier, as the console shows it.
        /// Required.
        /// Range: 1 to 256 bytes
        identifier: String,
    }
}

shape! {
    /// A provider of credentials: exactly one of these keys.
    Credentials {
        /// A key that stands here, in files or in variables.
        access_key: AccessKey,
        /// The variables `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and
        /// `ALIBABA_CLOUD_SECURITY_TOKEN`.
        env: NoKeys,
        /// The first that is configured of: `env`, `oidc`, `profile`, `ecs_metadata`, `uri`.
        default: NoKeys,
        /// A profile of the vendor's command line, or of its libraries' INI file.
        profile: Profile,
        /// A role, taken on with the key of another provider.
        assume_role: AssumeRole,
        /// A role, taken on with a token of an identity provider, as RRSA gives one to pods on ACK.
        oidc: Oidc,
        /// The role of the ECS instance that this runs on.
        ecs_metadata: EcsMetadata,
        /// A service of your own that hands out keys.
        uri: Uri,
        /// The first of these that is configured; one that is configured and broken ends it.
        chain: List<Credentials>,
    }
}

shape! {
    /// A key given in parts: exactly one form of each.
    AccessKey {
        /// The key's id.
        /// Required, in one of its three forms.
        access_key_id: Secret,
        /// The file that holds it, read again at every use.
        /// Range: 1 to 4096 bytes
        access_key_id_file: String,
        /// The variable that holds it.
        /// Range: 1 to 128 bytes
        access_key_id_env: String,
        /// The key's secret.
        /// Required, in one of its three forms.
        access_key_secret: Secret,
        /// The file that holds it, read again at every use.
        /// Range: 1 to 4096 bytes
        access_key_secret_file: String,
        /// The variable that holds it.
        /// Range: 1 to 128 bytes
        access_key_secret_env: String,
        /// The token of a temporary key.
        security_token: Secret,
        /// The file that holds it, read again at every use.
        /// Range: 1 to 4096 bytes
        security_token_file: String,
        /// The variable that holds it.
        /// Range: 1 to 128 bytes
        security_token_env: String,
    }
}

shape! {
    /// A profile of the vendor's command line.
    Profile {
        /// The profile; otherwise `ALIBABA_CLOUD_PROFILE`, the file's current one, or `default`.
        /// Range: 1 to 128 bytes
        name: String,
        /// The command line's file; otherwise `~/.aliyun/config.json`.
        /// Range: 1 to 4096 bytes
        cli_file: String,
        /// The INI file; otherwise `ALIBABA_CLOUD_CREDENTIALS_FILE`, or where the vendor's libraries look.
        /// Range: 1 to 4096 bytes
        ini_file: String,
    }
}

shape! {
    /// A role taken on with the key of another provider.
    AssumeRole {
        /// The role, such as `acs:ram::1234567890123456:role/pca-exporter`.
        /// Required.
        role_arn: String,
        /// How the session is named in the vendor's audit log; otherwise `ALIBABA_CLOUD_ROLE_SESSION_NAME`, or
        /// `aliyun-pca-exporter`.
        /// Range: 2 to 64 characters
        role_session_name: String,
        /// What the role's trust policy may ask for.
        /// Range: 2 to 1224 characters
        external_id: String,
        /// A policy in JSON that narrows the role's.
        /// Range: 2 to 2048 characters
        policy: String,
        /// The life of a session, in whole seconds and no longer than the role allows; an hour otherwise.
        /// Range: `15m` to `12h`
        duration: Span,
        /// Where STS answers; otherwise the variables `ALIBABA_CLOUD_STS_…` decide, or `sts.aliyuncs.com`.
        sts_endpoint: String,
        /// The provider of the key that takes the role on.
        /// Default: `{ default: {} }`
        source: Box<Credentials>,
    }
}

shape! {
    /// A role taken on with a token of an identity provider.
    Oidc {
        /// The role; otherwise `ALIBABA_CLOUD_ROLE_ARN`.
        role_arn: String,
        /// The identity provider; otherwise `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`.
        oidc_provider_arn: String,
        /// The file of its token, read at every refresh; otherwise `ALIBABA_CLOUD_OIDC_TOKEN_FILE`.
        /// Range: 1 to 4096 bytes
        oidc_token_file: String,
        /// How the session is named in the vendor's audit log; otherwise `ALIBABA_CLOUD_ROLE_SESSION_NAME`, or
        /// `aliyun-pca-exporter`.
        /// Range: 2 to 64 characters
        role_session_name: String,
        /// A policy in JSON that narrows the role's.
        /// Range: 2 to 2048 characters
        policy: String,
        /// The life of a session, in whole seconds and no longer than the role allows; an hour otherwise.
        /// Range: `15m` to `12h`
        duration: Span,
        /// Where STS answers; otherwise the variables `ALIBABA_CLOUD_STS_…` decide, or `sts.aliyuncs.com`.
        sts_endpoint: String,
    }
}

shape! {
    /// The role of the machine.
    EcsMetadata {
        /// The role; otherwise `ALIBABA_CLOUD_ECS_METADATA`, or the one that the service names.
        /// Range: 1 to 128 bytes
        role_name: String,
        /// The metadata service; otherwise `http://100.100.100.200`.
        endpoint: String,
        /// Whether to use the service's newer form only; so does `ALIBABA_CLOUD_IMDSV1_DISABLED=true`.
        /// Default: `false`
        disable_imdsv1: bool,
    }
}

shape! {
    /// A local service that hands out keys.
    Uri {
        /// A URL with `http://` or `https://`; otherwise `ALIBABA_CLOUD_CREDENTIALS_URI`. It may hold a secret.
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
