//! What people ask of the view, table by table.

use tidemill_console_core::{
    AlertRecord, CommandRecord, DatasetRecord, Page, Place, QuarantineAnswer, QuarantineRecord, Refused,
    RolloutRecord, SegmentRecord, Since, SpecRecord, TrialRecord, TriggerRecord, TurnSummary, VerdictRecord,
    WindowRecord,
};
use tidemill_domain::{LoopId, Timestamp, TurnId};
use tidemill_view::{Transaction, Value, values};

use super::SqlView;
use super::error::SqlError;
use super::listing::{By, Listing};
use super::refused::ROWS;
use super::rows::{key, read, word};
use super::source::Source;
use crate::queries::{
    AlertsQuery, CommandsQuery, LeaderboardQuery, PageQuery, RolloutsQuery, Sort, TrialsQuery, TriggersQuery,
    TurnsQuery, VerdictsQuery, WindowsQuery,
};

type Answer<T> = Result<T, SqlError>;

/// Filters that were asked for.
fn filters<const N: usize>(asked: [(&'static str, Option<Value>); N]) -> Vec<(&'static str, Value)> {
    asked.into_iter().filter_map(|(column, value)| Some((column, value?))).collect()
}

fn named(text: &Option<String>) -> Option<Value> {
    text.as_deref().map(key)
}

fn chosen(value: &Option<impl serde::Serialize>) -> Option<Value> {
    value.as_ref().map(|value| word(value).into())
}

impl SqlView {
    /// The versions of a loop's spec, newest first.
    pub(crate) async fn specs(&self, id: &LoopId, q: &PageQuery) -> Answer<Page<SpecRecord>> {
        self.list(id, "specs", Vec::new(), By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The commands that people gave, newest first.
    pub(crate) async fn commands(&self, id: &LoopId, q: &CommandsQuery) -> Answer<Page<CommandRecord>> {
        let filters = filters([("kind", chosen(&q.kind))]);
        self.list(id, "commands", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The dataset versions, newest first.
    pub(crate) async fn datasets(&self, id: &LoopId, q: &PageQuery) -> Answer<Page<DatasetRecord>> {
        self.list(id, "datasets", Vec::new(), By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The windows, newest first.
    pub(crate) async fn windows(&self, id: &LoopId, q: &WindowsQuery) -> Answer<Page<WindowRecord>> {
        let filters = filters([("kind", chosen(&q.kind)), ("version", named(&q.version))]);
        self.list(id, "windows", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The alerts, newest first.
    pub(crate) async fn alerts(&self, id: &LoopId, q: &AlertsQuery) -> Answer<Page<AlertRecord>> {
        let filters =
            filters([("kind", chosen(&q.kind)), ("state", chosen(&q.state)), ("version", named(&q.version))]);
        self.list(id, "alerts", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The decisions about triggers, newest first.
    pub(crate) async fn triggers(&self, id: &LoopId, q: &TriggersQuery) -> Answer<Page<TriggerRecord>> {
        let filters = filters([("decision", chosen(&q.decision))]);
        self.list(id, "triggers", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The turns, newest first.
    pub(crate) async fn turns(&self, id: &LoopId, q: &TurnsQuery) -> Answer<Page<TurnSummary>> {
        let filters = filters([
            ("stage", chosen(&q.stage)),
            ("outcome", chosen(&q.outcome)),
            ("cause", named(&q.cause)),
        ]);
        self.list(id, "turns", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The verdicts, newest first.
    pub(crate) async fn verdicts(&self, id: &LoopId, q: &VerdictsQuery) -> Answer<Page<VerdictRecord>> {
        let filters = filters([("outcome", chosen(&q.outcome)), ("version", named(&q.version))]);
        self.list(id, "verdicts", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The steps of rollouts, newest first.
    pub(crate) async fn rollouts(&self, id: &LoopId, q: &RolloutsQuery) -> Answer<Page<RolloutRecord>> {
        let filters = filters([("step", chosen(&q.step)), ("version", named(&q.version))]);
        self.list(id, "rollouts", filters, By::Newest, q.limit, q.after.as_deref()).await
    }

    /// The trials, in the order that is asked for.
    pub(crate) async fn trials(&self, id: &LoopId, q: &TrialsQuery) -> Answer<Page<TrialRecord>> {
        let mut tx = self.read().await?;
        let turn = match &q.turn {
            Some(text) => Some(turn(&mut tx, id, text).await?),
            None => None,
        };
        let filters = filters([
            ("turn", turn.map(|turn| key(turn.as_str()))),
            ("algorithm", chosen(&q.algorithm)),
            ("state", chosen(&q.state)),
            ("purpose", chosen(&q.purpose)),
        ]);
        let by = match q.sort {
            Sort::Newest => By::Newest,
            Sort::Score => By::Real { column: "score", falling: false },
            Sort::Cost => By::Real { column: "cost", falling: true },
        };
        let (limit, after) = (q.limit, q.after.as_deref());
        let listing = Listing { table: "trials", loop_id: id.as_str(), filters, by, limit, after };
        let mut page = listing.page(&mut tx).await?;
        page.since = since(&mut tx, &Source::Loops).await?;
        Ok(page)
    }

    /// The leaderboard of a turn, or of the newest that has one, best first.
    pub(crate) async fn leaderboard(&self, id: &LoopId, q: &LeaderboardQuery) -> Answer<Page<Place>> {
        let mut tx = self.read().await?;
        let turn = match &q.turn {
            Some(text) => Some(key(turn(&mut tx, id, text).await?.as_str())),
            None => {
                let sql = "SELECT turn FROM candidates WHERE loop_id = $1 ORDER BY sequence DESC LIMIT 1";
                tx.one(sql, values![id.as_str()]).await?.map(|row| row.text(0)).transpose()?.map(Value::from)
            }
        };
        let filters = filters([("turn", turn), ("algorithm", chosen(&q.algorithm))]);
        let by = By::Int { column: "place", falling: false };
        let (limit, after) = (q.limit, q.after.as_deref());
        let listing = Listing { table: "places", loop_id: id.as_str(), filters, by, limit, after };
        let mut page = listing.page(&mut tx).await?;
        page.since = since(&mut tx, &Source::Loops).await?;
        Ok(page)
    }

    /// The segments of the newest dataset version, newest first.
    pub(crate) async fn segments(&self, id: &LoopId, q: &PageQuery) -> Answer<Page<SegmentRecord>> {
        let mut tx = self.read().await?;
        let sql = "SELECT chain, n_segments FROM datasets WHERE loop_id = $1 ORDER BY sequence DESC LIMIT 1";
        let newest = tx.one(sql, values![id.as_str()]).await?;
        let (chain, n) = match newest {
            Some(row) => (row.text(0)?, row.count(1)?),
            None => (String::new(), 0),
        };
        let (filters, by) = (vec![("chain", chain.into())], By::Int { column: "first_row", falling: true });
        let (limit, after) = (q.limit, q.after.as_deref());
        let listing = Listing { table: "segments", loop_id: id.as_str(), filters, by, limit, after };
        let mut page: Page<SegmentRecord> = listing.page(&mut tx).await?;
        page.gone = n.saturating_sub(page.total);
        page.since = since(&mut tx, &Source::Loops).await?;
        Ok(page)
    }

    /// The refused rows, newest first, and how often each kind of reason was given.
    pub(crate) async fn quarantine(&self, id: &LoopId, q: &PageQuery) -> Answer<QuarantineAnswer> {
        let mut tx = self.read().await?;
        let (loop_id, limit, after) = (id.as_str(), q.limit, q.after.as_deref());
        let (filters, by) = (Vec::new(), By::Newest);
        let listing = Listing { table: "quarantine", loop_id, filters, by, limit, after };
        let page: Page<QuarantineRecord> = listing.page(&mut tx).await?;
        let sql =
            "SELECT kind, CAST(SUM(n) AS BIGINT) FROM quarantine_counts WHERE loop_id = $1 GROUP BY kind";
        let mut kinds = std::collections::BTreeMap::new();
        for row in tx.all(sql, values![loop_id]).await? {
            kinds.insert(row.text(0)?, row.count(1)?);
        }
        let total = kinds.remove(ROWS).unwrap_or(0);
        let mut begins = None;
        for source in self.quarantines() {
            let since = since(&mut tx, &source).await?;
            begins = begins.into_iter().chain(since).max_by_key(|since: &Since| since.sequence);
        }
        let gone = total.saturating_sub(page.total);
        Ok(QuarantineAnswer { rows: page.items, total, gone, kinds, next: page.next, since: begins })
    }

    /// One refused row, by its place among the samples or by its prediction.
    pub(crate) async fn quarantined(&self, id: &LoopId, name: &str) -> Answer<QuarantineRecord> {
        let mut tx = self.read().await?;
        let by_name = "SELECT doc FROM quarantine WHERE loop_id = $1 AND prediction = $2 ORDER BY sequence DESC LIMIT 1";
        let by_place = "SELECT doc FROM quarantine WHERE loop_id = $1 AND sequence = $2";
        if let Ok(sequence) = name.parse::<u64>()
            && let Some(row) = tx.one(by_place, values![id.as_str(), sequence]).await?
        {
            return read(&row, 0);
        }
        match tx.one(by_name, values![id.as_str(), key(name)]).await? {
            Some(row) if !name.is_empty() => read(&row, 0),
            Some(_) | None => {
                let remedy =
                    format!("see `tidemill quarantine list {id}`; rows go when the stream lets them go");
                Err(Refused::not_found(format!("no refused row \"{name}\" is known in {id}"), remedy).into())
            }
        }
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        id: &LoopId,
        table: &'static str,
        filters: Vec<(&'static str, Value)>,
        by: By,
        limit: u64,
        after: Option<&str>,
    ) -> Answer<Page<T>> {
        let mut tx = self.read().await?;
        let listing = Listing { table, loop_id: id.as_str(), filters, by, limit, after };
        let mut page = listing.page(&mut tx).await?;
        page.since = since(&mut tx, &Source::Loops).await?;
        Ok(page)
    }
}

/// Where the answers of a source begin, if older messages were gone when the view was built.
async fn since(tx: &mut Transaction, source: &Source) -> Answer<Option<Since>> {
    let sql = "SELECT first_sequence, first_time FROM positions WHERE source = $1 AND first_sequence > 1";
    let Some(row) = tx.one(sql, values![source.name()]).await? else { return Ok(None) };
    Ok(Some(Since { sequence: row.count(0)?, time: Timestamp(row.int(1)?) }))
}

/// The turn that a text names: by its name or its number.
async fn turn(tx: &mut Transaction, id: &LoopId, text: &str) -> Answer<TurnId> {
    let turn = match text.parse::<u64>() {
        Ok(number) => TurnId::new(format!("{id}-{number}")),
        Err(_) => TurnId::new(text),
    };
    let sql = "SELECT 1 FROM turns WHERE loop_id = $1 AND turn = $2";
    if tx.one(sql, values![id.as_str(), key(turn.as_str())]).await?.is_some() {
        return Ok(turn);
    }
    let mut ends = Vec::new();
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT turn FROM turns WHERE loop_id = $1 ORDER BY sequence {order} LIMIT 1");
        ends.extend(tx.one(&sql, values![id.as_str()]).await?.map(|row| row.text(0)).transpose()?);
    }
    let remedy = match ends.as_slice() {
        [first, last] if first != last => format!("there is {first} to {last}"),
        [only, ..] => format!("there is {only}"),
        [] => "no turn began yet".to_owned(),
    };
    Err(Refused::not_found(format!("there is no turn \"{text}\""), remedy).into())
}
