-- Times are milliseconds since 1970 in UTC. What has a shape of its own is JSON in a TEXT.

CREATE TABLE runs (
    id         TEXT PRIMARY KEY,
    action     TEXT NOT NULL,
    operation  TEXT,
    stage      TEXT NOT NULL,
    status     TEXT NOT NULL,
    label      TEXT NOT NULL,
    repository TEXT,             -- `owner/name` in lower case, to filter by
    links      TEXT NOT NULL,    -- JSON: pages for people
    request    TEXT NOT NULL,    -- JSON: what was asked for
    work       TEXT,             -- JSON: what is done on GitHub, once decided
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at   BIGINT,
    look_at    BIGINT            -- when GitHub should next be asked; null once the run has ended
);
-- The list of runs, newest first, page by page.
CREATE INDEX runs_by_age ON runs (created_at, id);
-- Metrics count runs by stage; the index alone answers that.
CREATE INDEX runs_by_stage ON runs (stage);
-- The sweep asks only for open runs whose time has come.
CREATE INDEX runs_to_look_at ON runs (look_at) WHERE look_at IS NOT NULL;

-- Runs that are written down but may not begin yet: the portal is still to be told that they are
-- taken. They have no step.
CREATE TABLE held (
    run_id  TEXT PRIMARY KEY REFERENCES runs (id),
    held_at BIGINT NOT NULL
);

CREATE TABLE steps (
    -- Drawn while the run is locked, so that the order of ids is the order of a lane.
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     TEXT NOT NULL REFERENCES runs (id),
    lane       TEXT NOT NULL,    -- work, report
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,    -- JSON
    state      TEXT NOT NULL,    -- ready, claimed, done, parked
    attempt    BIGINT NOT NULL,  -- 1 for the first
    claims     BIGINT NOT NULL,  -- how often it was claimed: who holds an older number holds nothing
    interrupted BIGINT NOT NULL DEFAULT 0, -- 1: an attempt was never settled, and may have acted
    due_at     BIGINT NOT NULL,  -- when it may be claimed; of a claimed one: when its lease ends
    last_error TEXT,
    created_at BIGINT NOT NULL,
    settled_at BIGINT            -- when it was done or parked
);
-- What may be claimed now, the longest due first.
CREATE INDEX steps_due ON steps (lane, due_at) WHERE settled_at IS NULL;
-- Whether an earlier step of the lane is unfinished; and all steps of a run.
CREATE INDEX steps_of_run ON steps (run_id, lane, settled_at, id);
-- Metrics count what was put aside.
CREATE INDEX steps_parked ON steps (id) WHERE state = 'parked';

CREATE TABLE events (
    run_id  TEXT NOT NULL REFERENCES runs (id),
    seq     BIGINT NOT NULL,     -- from 1, without gaps, per run
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- What a delivery from GitHub and a run have in common.
CREATE TABLE links (
    link   TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id),
    PRIMARY KEY (link, run_id)   -- one look-up decides whether a delivery concerns a run
);

-- Deliveries from GitHub that concerned a run. (A portal's message is told by its run's id.)
CREATE TABLE deliveries (
    id          TEXT PRIMARY KEY,
    received_at BIGINT NOT NULL
);
-- Old ones are swept.
CREATE INDEX deliveries_by_age ON deliveries (received_at);

-- What was seen before the run that it belongs to could know of it: before a dispatch has answered,
-- before a merge was heard of.
CREATE TABLE waiting (
    link        TEXT NOT NULL,
    delivery    TEXT NOT NULL,
    observation TEXT NOT NULL,   -- JSON
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (link, delivery) -- looked up by the links that a run gains
);

-- The catalog entities that runs have made: the embedded portal's catalog, and where each one's
-- files are.
CREATE TABLE entities (
    blueprint  TEXT NOT NULL,
    identifier TEXT NOT NULL,
    document   TEXT NOT NULL,    -- JSON: title, team, icon, properties, relations
    run_id     TEXT NOT NULL,    -- the run that last wrote it
    repository TEXT,
    path       TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (blueprint, identifier)
);

-- Messages of a stream that could not be taken, so that those behind them can be.
CREATE TABLE parked (
    source    TEXT PRIMARY KEY,  -- where it stands: `kafka:topic/partition/offset`
    reason    TEXT NOT NULL,
    parked_at BIGINT NOT NULL
);

-- Small things to be remembered: cursors.
CREATE TABLE kept (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
