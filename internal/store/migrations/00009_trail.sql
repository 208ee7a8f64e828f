-- +goose Up
-- Where the last wish for a row came from: trace and request, as JSON; '' when nobody said.
ALTER TABLE wakeups ADD COLUMN trail TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE wakeups DROP COLUMN trail;
