-- +goose Up
-- What people are found by beside their subject; filled from the documents by
-- the next migration, which the two databases would write differently.
ALTER TABLE people ADD COLUMN slack_id TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN email TEXT NOT NULL DEFAULT '';

CREATE TABLE notes (
    key     TEXT   NOT NULL PRIMARY KEY,
    value   TEXT   NOT NULL,
    version BIGINT NOT NULL
);

-- +goose Down
DROP TABLE notes;
ALTER TABLE people DROP COLUMN email;
ALTER TABLE people DROP COLUMN slack_id;
