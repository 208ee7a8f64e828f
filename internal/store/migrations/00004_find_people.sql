-- +goose Up
CREATE UNIQUE INDEX people_slack_id ON people (slack_id) WHERE slack_id <> '';
CREATE INDEX people_email ON people (email) WHERE email <> '';

-- +goose Down
DROP INDEX people_email;
DROP INDEX people_slack_id;
