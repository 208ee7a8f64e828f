-- +goose Up
-- Who did what to which object, and what was refused. Rows are added and never changed.
CREATE TABLE audit (
    seq     BIGINT NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    role    TEXT   NOT NULL,
    via     TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    object  TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    request TEXT   NOT NULL,
    address TEXT   NOT NULL
);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_object ON audit (object, seq);
INSERT INTO counters (name, n) VALUES ('audit', 0);

-- +goose Down
DELETE FROM counters WHERE name = 'audit';
DROP TABLE audit;
