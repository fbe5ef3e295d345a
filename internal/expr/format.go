package expr

import "github.com/cockroachdb/apd/v3"

// formattingFunctions convert by templates such as 'YYYY-MM-DD' and '999.99'.
func formattingFunctions() map[string]impl {
	return map[string]impl{
		"to_char(timestamp,text)": fn2(timestampToChar),
		"to_char(timestamptz,text)": raw(func(env *Env, _ *Call, a []any) (any, error) {
			return timestamptzToChar(env, a[0].(int64), a[1].(string))
		}),
		"to_timestamp(text,text)": raw(func(env *Env, _ *Call, a []any) (any, error) {
			return textToTimestamp(env, a[0].(string), a[1].(string))
		}),
		"to_date(text,text)":     fn2(toDate),
		"to_char(interval,text)": fn2(intervalToChar),
		"to_char(int4,text)":     numberToChar(intDigits(true)),
		"to_char(int8,text)":     numberToChar(intDigits(false)),
		"to_char(float4,text)":   numberToChar(floatDigits(6)),
		"to_char(float8,text)":   numberToChar(floatDigits(15)),
		"to_char(numeric,text)":  numberToChar[*apd.Decimal](numericDigits),
		"to_number(text,text)":   fn2(toNumber),
	}
}
