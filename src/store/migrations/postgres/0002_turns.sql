-- What one process does for all of them: who has the turn, and until when.
CREATE TABLE turns (
    name   TEXT PRIMARY KEY,
    holder BIGINT NOT NULL,      -- a number that the process has drawn
    until  BIGINT NOT NULL
);
