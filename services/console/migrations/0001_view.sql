-- The view of the log, alike on SQLite and Postgres. It can be dropped at any time and is then built again from the log, so a
-- table holds what is asked for: the few columns by which rows are found and sorted, and `doc`, the record as it is answered.
-- `sequence` is the place on the log of the event that made the row. Whoever changes a file here makes every view be built anew.

-- How far each source is read. Written in the transaction of the rows.
CREATE TABLE positions (
    source TEXT NOT NULL PRIMARY KEY,
    -- When the stream was made: another stream means another view.
    log TEXT NOT NULL,
    -- The first message that there was when the view was built, and the time of the first event from there on.
    first_sequence BIGINT NOT NULL,
    first_time BIGINT NOT NULL,
    sequence BIGINT NOT NULL
);

CREATE TABLE loops (
    loop_id TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    spec_version BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE specs (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);

CREATE TABLE commands (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX commands_event ON commands (loop_id, event);

-- `chain` names the first version that a dataset goes back to.
CREATE TABLE datasets (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    dataset TEXT NOT NULL,
    chain TEXT NOT NULL,
    n_rows BIGINT NOT NULL,
    n_segments BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX datasets_name ON datasets (loop_id, dataset);

CREATE TABLE segments (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    chain TEXT NOT NULL,
    first_row BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, chain, first_row, sequence)
);

CREATE TABLE windows (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    number BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX windows_key ON windows (loop_id, kind, version, number);

CREATE TABLE alerts (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    version TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX alerts_event ON alerts (loop_id, event);

CREATE TABLE triggers (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    decision TEXT NOT NULL,
    turn TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX triggers_turn ON triggers (loop_id, turn, decision);

-- `sequence` is that of the first event that names the turn.
CREATE TABLE turns (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    turn TEXT NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    cause TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, turn)
);
CREATE INDEX turns_newest ON turns (loop_id, sequence);

-- `sequence` is that of the plan; `score` is greater than any other where there is none.
CREATE TABLE trials (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    turn TEXT NOT NULL,
    trial TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    purpose TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, turn, trial)
);
CREATE INDEX trials_newest ON trials (loop_id, sequence);

CREATE TABLE candidates (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    turn TEXT NOT NULL,
    version TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX candidates_version ON candidates (loop_id, version);
CREATE INDEX candidates_turn ON candidates (loop_id, turn);

-- The leaderboard of a turn.
CREATE TABLE places (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    turn TEXT NOT NULL,
    place BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, turn, sequence, place)
);

CREATE TABLE verdicts (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    turn TEXT NOT NULL,
    version TEXT NOT NULL,
    outcome TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX verdicts_turn ON verdicts (loop_id, turn);

CREATE TABLE gates (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    turn TEXT NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence, number)
);

CREATE TABLE rollouts (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    step TEXT NOT NULL,
    -- The model that it is about, the one that it makes champion, and the champion after it; nothing for none.
    version TEXT NOT NULL,
    crowned TEXT NOT NULL,
    champion TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX rollouts_version ON rollouts (loop_id, version);
CREATE INDEX rollouts_crowned ON rollouts (loop_id, crowned);

-- Refused rows; `sequence` is their place among the samples.
CREATE TABLE quarantine (
    loop_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    source TEXT NOT NULL,
    prediction TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (loop_id, sequence)
);
CREATE INDEX quarantine_prediction ON quarantine (loop_id, prediction);
CREATE INDEX quarantine_age ON quarantine (source, sequence);

-- How often each kind of reason was given; the kind without a name counts the rows.
CREATE TABLE quarantine_counts (
    loop_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (loop_id, source, kind)
);

-- Which tables these are, and when the stream of the loops' log was made that they tell of; the last thing that is made.
CREATE TABLE view_version (
    version TEXT NOT NULL PRIMARY KEY,
    log TEXT NOT NULL
);
