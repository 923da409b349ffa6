-- Who may change a folder of a repository, first come first served: of each target, the first run
-- that is still open may, and the others wait.
CREATE TABLE folder_queues (
    -- AUTOINCREMENT: an id is never used twice, so that the order of ids is the order of arrival.
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,        -- `owner/name:path`, the repository in lower case
    run_id TEXT NOT NULL REFERENCES runs (id),
    UNIQUE (target, run_id)      -- whoever asks twice keeps its place
);
-- What a run lets go of.
CREATE INDEX folder_queues_of_run ON folder_queues (run_id);
