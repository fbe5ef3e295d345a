package expr

import (
	"slices"
	"strings"
)

// encodings is PostgreSQL's character sets in the order of their numbers. The
// database's own is UTF8.
var encodings = strings.Split("SQL_ASCII,EUC_JP,EUC_CN,EUC_KR,EUC_TW,EUC_JIS_2004,UTF8,MULE_INTERNAL,LATIN1,LATIN2,LATIN3,"+
	"LATIN4,LATIN5,LATIN6,LATIN7,LATIN8,LATIN9,LATIN10,WIN1256,WIN1258,WIN866,WIN874,KOI8R,WIN1251,WIN1252,ISO_8859_5,"+
	"ISO_8859_6,ISO_8859_7,ISO_8859_8,WIN1250,WIN1253,WIN1254,WIN1255,WIN1257,KOI8U,SJIS,BIG5,GBK,UHC,GB18030,JOHAB,"+
	"SHIFT_JIS_2004", ",")

// utf8Encoding is the number of UTF8.
const utf8Encoding = 6

func encodingName(n int64) string {
	if n < 0 || int(n) >= len(encodings) {
		return ""
	}
	return encodings[n]
}

// EncodingNumber gives the number of a character set, -1 if there is none of
// that name.
func EncodingNumber(name string) int64 {
	bare := strings.NewReplacer("-", "", "_", "", " ", "")
	want := bare.Replace(strings.ToUpper(name))
	if want == "UNICODE" {
		return utf8Encoding
	}
	return int64(slices.IndexFunc(encodings, func(e string) bool { return bare.Replace(e) == want }))
}

// encodingWidth gives the bytes of UTF8's longest character; text comes in no
// other encoding.
func encodingWidth(_ *Env, _ *Call, args []any) (any, error) {
	if args[0].(int64) != utf8Encoding {
		return nil, nil
	}
	return int64(4), nil
}
