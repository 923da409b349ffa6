-- What is late: runs that stay at a stage for too long, and processes that ended without a word.

ALTER TABLE runs ADD COLUMN stage_since BIGINT; -- since when a run is at its stage
ALTER TABLE runs ADD COLUMN is_late BIGINT NOT NULL DEFAULT 0; -- 1: it has said that it is late there

-- The processes that work, so that it is known when one has ended without a word, and whether it was
-- then trying a step that is suspected of ending them.
CREATE TABLE processes (
    holder  BIGINT PRIMARY KEY,  -- a number that the process has drawn
    until   BIGINT NOT NULL,     -- has ended without a word, if nothing was heard of it by then
    suspect BIGINT               -- the step that it tries
);
