-- +goose Up
-- Courses that were stored rather than configured. A deleted one stays until
-- everything in it has ended, and so that its versions go on.
CREATE TABLE courses (
    id       TEXT     NOT NULL PRIMARY KEY,
    deleted  SMALLINT NOT NULL,
    version  BIGINT   NOT NULL,
    document TEXT     NOT NULL
);

-- Which course of a learning platform is which course here. The key keeps two
-- from being the same one.
CREATE TABLE course_bindings (
    source  TEXT NOT NULL,
    context TEXT NOT NULL,
    course  TEXT NOT NULL,
    PRIMARY KEY (source, context)
);
CREATE INDEX course_bindings_course ON course_bindings (course);

-- +goose Down
DROP TABLE course_bindings;
DROP TABLE courses;
