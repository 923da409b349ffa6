-- What GitHub has told one process, and all keep to.
CREATE TABLE limits (
    owner TEXT PRIMARY KEY,      -- the account in lower case; the App itself has no name
    until BIGINT NOT NULL        -- nothing is taken for it before
);
