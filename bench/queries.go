package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed queries.txt
var queriesText string

// A query is one question, in the terms of each engine; "" where a peer cannot
// be asked.
type query struct{ name, title, ours, duckdb, postgres string }

func queries() (list []query) {
	for _, section := range strings.Split(queriesText, "\n== ")[1:] {
		head, text, _ := strings.Cut(section, "\n")
		name, title, _ := strings.Cut(head, " ")
		q := query{name: name, title: title}
		for i, part := range strings.Split("ours\n"+text, "-- ") {
			engine, sql, _ := strings.Cut(part, "\n")
			sql = strings.TrimSpace(sql)
			switch engine {
			case "ours":
				q.ours, q.duckdb, q.postgres = sql, sql, sql
			case "duckdb":
				q.duckdb = sql
			case "postgres":
				q.postgres = sql
			case "no peer":
				q.duckdb, q.postgres = "", ""
			default:
				panic(fmt.Sprintf("BUG: queries.txt: %s: part %d is of %q", name, i, engine))
			}
		}
		list = append(list, q)
	}
	return list
}
