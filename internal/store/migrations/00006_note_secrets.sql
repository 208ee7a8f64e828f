-- +goose Up
-- What a note keeps secret, sealed as the secrets of environments are; '' for none.
ALTER TABLE notes ADD COLUMN sealed TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE notes DROP COLUMN sealed;
