//! What each service may do on the broker, from the table of services: publish where it writes, ask the stream API about
//! what it reads, take its own leases, and hear answers. It may not publish where another service is the owner.
//!
//! What may be read is granted by stream: a consumer is made by asking, not by subscribing, and nats-server 2.9 does not
//! look at what is asked for.

use std::fmt::Write;

use tidemill_events::Topic;
use tidemill_events::service::{Service, services};
use tidemill_events::stream::{LEASES, SNAPSHOTS, Stream, WORKERS, filter};
use tidemill_events::subject::ROOT;

/// Where answers come.
const INBOX: &str = "_INBOX.>";
/// The user that provisions, and whoever looks after everything.
pub const OPERATOR: &str = "operator";

/// What one user of the broker may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// The user: the name of the service.
    pub user: String,
    /// Subjects on which it may publish, requests to the stream API among them.
    pub publish: Vec<String>,
    /// Subjects to which it may subscribe.
    pub subscribe: Vec<String>,
}

/// What each service of a deployment of `partitions` partitions may do, and the operator everything.
#[must_use]
pub fn permissions(partitions: u16) -> Vec<Permissions> {
    let operator = Permissions {
        user: OPERATOR.to_owned(),
        publish: vec![format!("{ROOT}.>"), "$JS.API.>".into(), "$JS.ACK.>".into(), "$KV.>".into()],
        subscribe: vec![INBOX.to_owned(), format!("{ROOT}.>")],
    };
    services(partitions).iter().map(of).chain([operator]).collect()
}

fn of(service: &Service) -> Permissions {
    let owned = service.roles.iter().flat_map(|role| &role.owns);
    let mut publish: Vec<String> = owned.chain(&service.writes).map(|topic| filter(*topic)).collect();
    publish.push("$JS.API.INFO".into());
    let reads = service.read_streams();
    let mut streams = if service.roles.is_empty() { reads.clone() } else { service.streams() };
    if !service.roles.is_empty() || service.pulls_work {
        publish.extend(Stream::Dead.subjects());
    }
    for bucket in [LEASES, SNAPSHOTS].iter().filter(|_| !service.roles.is_empty()) {
        look(&format!("KV_{bucket}"), &mut publish);
        publish.extend(service.roles.iter().map(|role| format!("$KV.{bucket}.{}", role.name)));
    }
    if service.pulls_work {
        let stream = Stream::Work.name();
        streams.push(Stream::Work);
        publish.push(format!("$JS.API.CONSUMER.INFO.{stream}.{WORKERS}"));
        publish.push(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{WORKERS}"));
        publish.push(format!("$JS.ACK.{stream}.{WORKERS}.>"));
    }
    streams.sort();
    streams.dedup();
    for stream in streams {
        look(stream.name(), &mut publish);
    }
    for stream in reads {
        publish.push(format!("$JS.API.CONSUMER.CREATE.{}", stream.name()));
        publish.push(format!("$JS.API.CONSUMER.MSG.NEXT.{}.*", stream.name()));
    }
    Permissions { user: service.name.to_owned(), publish, subscribe: vec![INBOX.to_owned()] }
}

/// To look into a stream, its tail included.
fn look(stream: &str, publish: &mut Vec<String>) {
    publish.push(format!("$JS.API.STREAM.INFO.{stream}"));
    publish.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
}

/// The variable from which nats-server takes the password of a user.
#[must_use]
pub fn password_variable(user: &str) -> String {
    format!("TIDEMILL_NATS_PASSWORD_{}", user.to_uppercase().replace('-', "_"))
}

/// The permissions as a part of the configuration of nats-server.
#[must_use]
pub fn authorization(partitions: u16) -> String {
    let mut text = String::from(
        "# Made by `tidemill provision --permissions`: include it in the configuration of nats-server.\n\
         # Passwords come from the environment of nats-server; they must begin with a letter.\n\
         # A service connects with nats://<user>:<password>@<host>. Make it again when the number of partitions changes.\n\
         authorization {\n  users: [\n",
    );
    let list = |subjects: &[String]| {
        let quoted = subjects.iter().map(|subject| format!("          \"{subject}\"\n"));
        quoted.collect::<String>()
    };
    for Permissions { user, publish, subscribe } in permissions(partitions) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "    {{\n      user: \"{user}\"\n      password: ${}\n      permissions: {{\n        publish: {{ allow: [\n{}        ] }}\n        subscribe: {{ allow: [\n{}        ] }}\n      }}\n    }}\n",
            password_variable(&user),
            list(&publish),
            list(&subscribe),
        );
    }
    text.push_str("  ]\n}\n");
    text
}

/// Whether the permissions let a user publish on the subjects of `topic`.
#[must_use]
pub fn allows(permissions: &Permissions, topic: Topic) -> bool {
    let subject = filter(topic);
    permissions.publish.iter().any(|allowed| covers(allowed, &subject))
}

/// Whether every subject of the pattern `inner` is one of `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (outer.split('.'), inner.split('.'));
    loop {
        match (outer.next(), inner.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_events::Partition;
    use tidemill_events::subject::LOGS;

    use super::*;

    #[test]
    fn what_is_granted_is_what_the_table_says() {
        let p = Partition(1);
        let mut topics = vec![
            Topic::Work,
            Topic::Dead(Stream::Loop, 1),
            Topic::Sample(p),
            Topic::Clean(p),
            Topic::Window(p),
        ];
        topics.extend(LOGS.map(|log| Topic::Log(log.0)));
        for (service, granted) in services(2).iter().zip(permissions(2)) {
            for topic in &topics {
                assert_eq!(allows(&granted, *topic), service.may_write(*topic), "{} {topic}", service.name);
            }
            assert!(!granted.publish.iter().any(|s| s == ">" || s == "$JS.API.>"), "{granted:?}");
        }
    }
}
