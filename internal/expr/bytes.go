package expr

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func encode(b []byte, how string) (any, error) {
	switch strings.ToLower(how) {
	case "hex":
		return hex.EncodeToString(b), nil
	case "base64":
		text := base64.StdEncoding.EncodeToString(b)
		var sb strings.Builder
		for len(text) > 76 { // lines as MIME has them
			sb.WriteString(text[:76] + "\n")
			text = text[76:]
		}
		sb.WriteString(text)
		return sb.String(), nil
	case "escape":
		var out []byte
		for _, c := range b {
			switch {
			case c == '\\':
				out = append(out, '\\', '\\')
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			default:
				out = append(out, c)
			}
		}
		return string(out), nil
	}
	return nil, invalidParameter("unrecognized encoding: \"%s\"", how)
}

func decode(s, how string) (any, error) {
	switch strings.ToLower(how) {
	case "hex":
		s = strings.Join(strings.Fields(s), "")
		for i := range len(s) {
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
				r, _ := utf8.DecodeRuneInString(s[i:])
				return nil, invalidParameter("invalid hexadecimal digit: \"%c\"", r)
			}
		}
		if len(s)%2 != 0 {
			return nil, invalidParameter("invalid hexadecimal data: odd number of digits")
		}
		return hex.DecodeString(s)
	case "base64":
		s = strings.Join(strings.Fields(s), "")
		b, err := base64.StdEncoding.DecodeString(s)
		if err == nil {
			return b, nil
		}
		for _, r := range s {
			if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", r) {
				return nil, invalidParameter("invalid symbol \"%c\" found while decoding base64 sequence", r)
			}
		}
		return nil, invalidParameter("invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	case "escape":
		v, err := pgtypes.DecodeText(pgtypes.Of(pgtypes.Bytea), s, printing)
		return v, err
	}
	return nil, invalidParameter("unrecognized encoding: \"%s\"", how)
}

func bytesPosition(s, sub []byte) int64 { return int64(bytes.Index(s, sub) + 1) }

func bytesSubstring(b []byte, start, length int64) (any, error) {
	if length < 0 {
		return nil, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
	}
	n := int64(len(b))
	end := min(start+length, n+1)
	start = max(start, 1)
	if end <= start {
		return []byte{}, nil
	}
	return b[start-1 : end-1], nil
}

func indexError(n, limit int64) error {
	return pgerr.New(pgerr.ArraySubscriptError, "index %d out of valid range, 0..%d", n, limit-1)
}

func getByte(b []byte, n int64) (any, error) {
	if n < 0 || n >= int64(len(b)) {
		return nil, indexError(n, int64(len(b)))
	}
	return int64(b[n]), nil
}

// isUTF8 recognises the names of the one encoding that there is.
func isUTF8(name string) bool {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)) {
	case "utf8", "unicode":
		return true
	}
	return false
}

func convertFrom(b []byte, name string) (any, error) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)) {
	case "utf8", "unicode", "sqlascii":
		if i := bytes.IndexByte(b, 0); i >= 0 || !utf8.Valid(b) {
			for i = 0; i < len(b); {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n <= 1 || r == 0 {
					break
				}
				i += n
			}
			return nil, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", b[i])
		}
		return string(b), nil
	case "latin1", "iso88591":
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), nil
	}
	return nil, invalidParameter("invalid source encoding name \"%s\"", name)
}

func convertTo(s, name string) (any, error) {
	switch {
	case isUTF8(name):
		return []byte(s), nil
	case strings.EqualFold(name, "latin1"):
		var b []byte
		for _, r := range s {
			if r > 0xff {
				return nil, pgerr.New(pgerr.UntranslatableCharacter,
					"character with byte sequence 0x%s in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
					strings.ReplaceAll(hex.EncodeToString([]byte(string(r))), " ", " 0x"))
			}
			b = append(b, byte(r))
		}
		return b, nil
	}
	return nil, invalidParameter("invalid destination encoding name \"%s\"", name)
}

// byteFunctions is the functions on bytea, and hashes and codes of text.
func byteFunctions() map[string]impl {
	md5Hex := func(b []byte) string {
		sum := md5.Sum(b)
		return hex.EncodeToString(sum[:])
	}
	return map[string]impl{
		"md5(text)":                  pure1(func(s string) string { return md5Hex([]byte(s)) }),
		"md5(bytea)":                 pure1(md5Hex),
		"sha224(bytea)":              pure1(func(b []byte) []byte { s := sha256.Sum224(b); return s[:] }),
		"sha256(bytea)":              pure1(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
		"sha384(bytea)":              pure1(func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }),
		"sha512(bytea)":              pure1(func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }),
		"encode(bytea,text)":         fn2(encode),
		"decode(text,text)":          fn2(decode),
		"to_hex(int4)":               pure1(func(n int64) string { return strconv.FormatUint(uint64(uint32(n)), 16) }),
		"to_hex(int8)":               pure1(func(n int64) string { return strconv.FormatUint(uint64(n), 16) }),
		"length(bytea)":              pure1(func(b []byte) int64 { return int64(len(b)) }),
		"octet_length(bytea)":        pure1(func(b []byte) int64 { return int64(len(b)) }),
		"bit_length(bytea)":          pure1(func(b []byte) int64 { return int64(len(b)) * 8 }),
		"bytea || bytea":             pure2(func(a, b []byte) []byte { return append(append([]byte{}, a...), b...) }),
		"position(bytea,bytea)":      pure2(bytesPosition),
		"substring(bytea,int4,int4)": fn3(bytesSubstring),
		"substr(bytea,int4,int4)":    fn3(bytesSubstring),
		"substring(bytea,int4)":      fn2(func(b []byte, n int64) (any, error) { return bytesSubstring(b, n, 1<<40) }),
		"substr(bytea,int4)":         fn2(func(b []byte, n int64) (any, error) { return bytesSubstring(b, n, 1<<40) }),
		"get_byte(bytea,int4)":       fn2(getByte),
		"convert_from(bytea,name)":   fn2(convertFrom),
		"convert_to(text,name)":      fn2(convertTo),
	}
}
