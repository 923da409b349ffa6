-- What is created on GitHub, and when: an account takes so many in an hour, of all processes
-- together. A row is made before anything is sent, and so tells what may have been.
CREATE TABLE writes (
    step  BIGINT PRIMARY KEY,    -- the step that creates
    owner TEXT NOT NULL,         -- the account, in lower case
    at    BIGINT NOT NULL,       -- when it may begin, or has begun
    begun BIGINT NOT NULL        -- 1: it may have been sent
);
-- The last ones of an account.
CREATE INDEX writes_of_owner ON writes (owner, at);
