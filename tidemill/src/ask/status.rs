//! `tidemill status`: every loop in a line, or one loop at a glance.

mod render;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use self::render::{loops, one};
use super::args::StatusArgs;
use super::client::AskError;
use super::watch;

pub(super) async fn run(args: StatusArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let mut path = vec!["loops"];
    path.extend(args.name.as_ref().map(|name| name.as_str()));
    let render = |answer: &Value| -> Result<String, AskError> {
        let now = watch::now();
        Ok(match args.name {
            Some(_) => one(&read(answer)?, now),
            None => loops(&read::<Vec<_>>(answer)?),
        })
    };
    if args.watch {
        return watch::draw(args.to.json, || client.get(&path, &[]), render).await;
    }
    let answer = client.get(&path, &[]).await?;
    let text = if args.to.json { super::pretty(&answer) } else { render(&answer)? };
    super::print(text.trim_end())
}

fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, AskError> {
    T::deserialize(answer).map_err(|source| AskError::Answer { source: source.into() })
}
