package store

// AbsentFor is for tests that wait longer.
const AbsentFor = absentFor
