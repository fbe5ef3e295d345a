package expr
func stringFunctions() map[string]impl { return nil }
func patternFunctions() map[string]impl { return nil }
func datetimeFunctions() map[string]impl { return nil }
func formattingFunctions() map[string]impl { return nil }
func jsonFunctions() map[string]impl { return nil }
func arrayFunctions() map[string]impl { return nil }
func setFunctions() map[string]impl { return nil }
func systemFunctions() map[string]impl { return nil }
func byteFunctions() map[string]impl { return nil }
func aggregateImpls() map[string]func(*AggCall) AggState { return nil }
