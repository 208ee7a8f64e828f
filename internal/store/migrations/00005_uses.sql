-- +goose Up
-- What is remembered of the use of an environment. Apart from its row, since
-- it is written at every look.
CREATE TABLE uses (
    environment TEXT NOT NULL PRIMARY KEY,
    document    TEXT NOT NULL
);

-- +goose Down
DROP TABLE uses;
