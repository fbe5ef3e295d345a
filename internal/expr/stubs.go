package expr

func formattingFunctions() map[string]impl { return nil }
