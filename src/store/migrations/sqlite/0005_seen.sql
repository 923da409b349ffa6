-- What people look at: the runs of an entity, and the change of a run as it was proposed last.

-- The runs that ran on an entity of the catalog, wrote it or removed it.
CREATE TABLE entity_runs (
    blueprint  TEXT NOT NULL,
    identifier TEXT NOT NULL,
    run_id     TEXT NOT NULL REFERENCES runs (id),
    PRIMARY KEY (blueprint, identifier, run_id)
);
-- What goes with a run.
CREATE INDEX entity_runs_of_run ON entity_runs (run_id);

CREATE TABLE patches (
    run_id  TEXT PRIMARY KEY REFERENCES runs (id),
    patches TEXT NOT NULL        -- JSON: a unified diff for each file
);

-- The list of runs of one state, newest first: most are of another.
CREATE INDEX runs_by_status ON runs (status, created_at, id);
