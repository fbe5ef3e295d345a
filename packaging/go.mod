module github.com/tael-sql/tael-sql/packaging

go 1.26
