package db

import (
	"context"
	"fmt"
)

// ExchangeNotSent stands for those notifications whose record was read and does not say which exchange it comes from.
const ExchangeNotSent = "not-sent"

const exchangeNotSent = `n.exchange = '' AND n.facts <> ''` // as the index notification_exchange_not_sent has it

// Exchanges lists the codes of the exchanges that the records of notifications come from, in order and at most so many, and
// [ExchangeNotSent] at the end where there are records that do not say it. Each code costs one look into an index,
// however many notifications have it.
func (s Snapshot) Exchanges(ctx context.Context, most int) ([]string, error) {
	rows, err := s.QueryContext(ctx, exchangesQuery, most, ExchangeNotSent) //nolint:sqlclosecheck // collect closes them
	if err != nil {
		return nil, fmt.Errorf("listing exchanges: %w", err)
	}
	return collect(rows, func(code *string) error { return rows.Scan(code) })
}

const exchangesQuery = `WITH RECURSIVE code (x, n) AS (
		SELECT (SELECT exchange FROM notification WHERE exchange <> '' ORDER BY exchange LIMIT 1), 1
		UNION ALL
		SELECT (SELECT exchange FROM notification WHERE exchange <> '' AND exchange > x ORDER BY exchange LIMIT 1), n + 1 FROM code WHERE x IS NOT NULL AND n < ?1)
	SELECT x FROM code WHERE x IS NOT NULL
	UNION ALL SELECT ?2 WHERE EXISTS (SELECT 1 FROM notification n WHERE ` + exchangeNotSent + `)`

// HasExchange says whether a notification comes from the exchange of that code; of [ExchangeNotSent], whether there is one
// whose record does not say it.
func (s Snapshot) HasExchange(ctx context.Context, code string) (bool, error) {
	list, err := s.Notifications(ctx, NotificationFilter{Exchange: code, Limit: 1})
	return len(list) > 0, err
}
