-- Runs that write to several repositories: each part is a run of its own.

-- The run whose part a run is. A part is no run of its own to whoever lists or counts runs.
ALTER TABLE runs ADD COLUMN whole TEXT;
-- The parts of a run.
CREATE INDEX runs_of_whole ON runs (whole) WHERE whole IS NOT NULL;
-- Metrics count runs without their parts by stage; the index alone answers that.
CREATE INDEX whole_runs_by_stage ON runs (stage) WHERE whole IS NULL;

-- Where an entity's files are, where they are in several places.
CREATE TABLE part_places (
    blueprint  TEXT NOT NULL,
    identifier TEXT NOT NULL,
    target     TEXT NOT NULL,    -- of the template's targets
    repository TEXT NOT NULL,
    path       TEXT NOT NULL,
    PRIMARY KEY (blueprint, identifier, target)
);
