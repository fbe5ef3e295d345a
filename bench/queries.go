package main

import (
	_ "embed"
	"strings"
)

//go:embed queries.txt
var queriesText string

// A query is one question, in the terms of both engines.
type query struct{ name, title, ours, duckdb string }

func queries() (list []query) {
	for _, section := range strings.Split(queriesText, "\n== ")[1:] {
		head, text, _ := strings.Cut(section, "\n")
		name, title, _ := strings.Cut(head, " ")
		ours, theirs, other := strings.Cut(text, "-- duckdb\n")
		if !other {
			theirs = ours
		}
		list = append(list, query{name, title, strings.TrimSpace(ours), strings.TrimSpace(theirs)})
	}
	return list
}
