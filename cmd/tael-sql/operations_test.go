package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```\n")

// Every command of docs/operations.md runs, in the order of the page.
func TestOperations(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := os.ReadFile("testdata/checkout/checkout.traces.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("shop.traces.jsonl", traces, 0o644); err != nil {
		t.Fatal(err)
	}
	const dir = "tael-data" // as the commands call it: within one process a lock is known by its name
	var g *gateway
	ran := 0
	for _, block := range consoleBlock.FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			command := strings.Fields(strings.TrimPrefix(line, "$ "))
			switch {
			case command[0] == "kill":
				stopGateway(t, g, dir)
			case command[1] == "serve":
				g = testGateway(t, dir)
			default:
				if out, err := runCommand(t, command[1:]...); err != nil {
					t.Fatalf("%s%s%v", line, out, err)
				}
			}
			ran++
		}
	}
	if ran != 10 {
		t.Errorf("%d commands", ran)
	}
}
