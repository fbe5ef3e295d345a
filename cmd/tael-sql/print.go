package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxCell is the widest that the demo prints a value.
const maxCell = 48

// printTable prints rows of text as psql does.
func printTable(out io.Writer, fields []pgconn.FieldDescription, rows [][][]byte) {
	widths := make([]int, len(fields))
	cells := make([][]string, 0, len(rows)+1)
	header := make([]string, len(fields))
	for i, f := range fields {
		header[i] = f.Name
	}
	cells = append(cells, header)
	for _, row := range rows {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = string(v)
			if utf8.RuneCountInString(line[i]) > maxCell {
				line[i] = string([]rune(line[i])[:maxCell-1]) + "…"
			}
		}
		cells = append(cells, line)
	}
	for _, line := range cells {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for n, line := range cells {
		var b strings.Builder
		for i, c := range line {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)))
		}
		fmt.Fprintln(out, " "+strings.TrimRight(b.String(), " "))
		if n == 0 {
			for i, w := range widths {
				if i > 0 {
					fmt.Fprint(out, "+")
				}
				fmt.Fprint(out, strings.Repeat("-", w+2))
			}
			fmt.Fprintln(out)
		}
	}
}
