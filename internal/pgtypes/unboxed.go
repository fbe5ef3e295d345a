package pgtypes

// AppendIntText is AppendText for types whose values are int64, without making
// an interface of them.
func AppendIntText(dst []byte, t Type, v int64, s *TextStyle) []byte {
	return appendIntText(dst, t, v, s)
}

// AppendFloatText is AppendText for float4 and float8, without making an
// interface of the value.
func AppendFloatText(dst []byte, t Type, v float64, s *TextStyle) []byte {
	return appendFloat(dst, v, t.OID == Float4, s)
}
