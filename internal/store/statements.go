package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// keptStatements bounds what a connection keeps prepared. The texts of this
// package and of River's driver are some hundred.
const keptStatements = 256

// openPrepared is sql.Open for SQLite with connections that keep what they
// prepared: parsing the text of a statement costs more than most of them do.
func openPrepared(url string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(url)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(preparing{connector}), nil
}

type preparing struct{ driver.Connector }

// Connect opens a connection that keeps its statements.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(connection)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver's %T lacks a method", opened), opened.Close())
	}
	return &prepared{connection: conn, kept: map[string]statement{}}, nil
}

// connection is what database/sql asks of SQLite's.
type connection interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is what it asks of a statement.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// prepared is a connection with the statements that nobody is using, by text.
// database/sql lets one goroutine at a time at it.
type prepared struct {
	connection
	kept map[string]statement
}

// ExecContext implements driver.ExecerContext.
func (c *prepared) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	if err != nil {
		_ = s.Close() // its error would be the same one
		return nil, err
	}
	return result, c.keep(text, s)
}

// QueryContext implements driver.QueryerContext. The statement is in use until
// the rows are closed: the same text has another one meanwhile.
func (c *prepared) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = s.Close() // its error would be the same one
		return nil, err
	}
	return &lent{Rows: found, from: c, text: text, statement: s}, nil
}

// Close also closes what is kept.
func (c *prepared) Close() error {
	return errors.Join(c.drop(), c.connection.Close())
}

// take hands out a statement for one use.
func (c *prepared) take(ctx context.Context, text string) (statement, error) {
	if s, ok := c.kept[text]; ok {
		delete(c.kept, text)
		return s, nil
	}
	made, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s, ok := made.(statement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver's %T lacks a method", made), made.Close())
	}
	return s, nil
}

// keep takes one back. When there are too many, all go and the usual ones come
// back by themselves.
func (c *prepared) keep(text string, s statement) error {
	if _, ok := c.kept[text]; ok {
		return s.Close()
	}
	var err error
	if len(c.kept) == keptStatements {
		err = c.drop()
	}
	c.kept[text] = s
	return err
}

func (c *prepared) drop() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	clear(c.kept)
	return errors.Join(errs...)
}

// lent are rows whose statement goes back when they are closed.
type lent struct {
	driver.Rows
	from      *prepared
	text      string
	statement statement
}

// Close implements driver.Rows. database/sql calls it once.
func (l *lent) Close() error {
	if err := l.Rows.Close(); err != nil {
		_ = l.statement.Close() // its error would be the same one
		return err
	}
	return l.from.keep(l.text, l.statement)
}
