-- +goose Up
-- What learning platforms sent. A key that was made of the contents (weak) is
-- given up, by putting the id behind it, once the same contents mean something
-- new.
CREATE TABLE deliveries (
    id           TEXT     NOT NULL PRIMARY KEY,
    source       TEXT     NOT NULL,
    key          TEXT     NOT NULL,
    weak         SMALLINT NOT NULL,
    about        TEXT     NOT NULL,
    type         TEXT     NOT NULL,
    content_type TEXT     NOT NULL,
    body         TEXT     NOT NULL,
    state        TEXT     NOT NULL,
    reason       TEXT     NOT NULL,
    tries        BIGINT   NOT NULL,
    copies       BIGINT   NOT NULL,
    happened_at  BIGINT   NOT NULL,
    received_at  BIGINT   NOT NULL,
    last_at      BIGINT   NOT NULL,
    settled_at   BIGINT   NOT NULL,
    UNIQUE (source, key)
);
CREATE INDEX deliveries_waiting ON deliveries (source, received_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_about ON deliveries (source, about, happened_at) WHERE about <> '';
CREATE INDEX deliveries_newest ON deliveries (received_at, id);

-- +goose Down
DROP TABLE deliveries;
