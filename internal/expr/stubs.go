package expr

func formattingFunctions() map[string]impl               { return nil }
func jsonFunctions() map[string]impl                     { return nil }
func arrayFunctions() map[string]impl                    { return nil }
func setFunctions() map[string]impl                      { return nil }
func systemFunctions() map[string]impl                   { return nil }
func aggregateImpls() map[string]func(*AggCall) AggState { return nil }
