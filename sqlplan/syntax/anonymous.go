package syntax

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Anonymous is a text with $ in the place of every literal, and without its
// comments, so that it can be logged. ok is false where the text cannot be taken
// apart, and then nothing of it is given.
func Anonymous(text string) (out string, ok bool) {
	if len(text) > MaxBytes {
		return "", false
	}
	scanned, err := pg.Scan(text)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	space := ""
	for _, t := range scanned.Tokens {
		switch t.Token {
		case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
			continue
		}
		b.WriteString(space)
		space = " "
		switch t.Token {
		case pg.Token_SCONST, pg.Token_USCONST, pg.Token_BCONST, pg.Token_XCONST, pg.Token_ICONST, pg.Token_FCONST:
			b.WriteByte('$')
		default:
			b.WriteString(text[t.Start:t.End])
		}
	}
	return b.String(), true
}
