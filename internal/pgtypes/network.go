package pgtypes

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// The types of this file have no operators beyond equality and order, so their
// values are held as text, in the one form that their output function prints.

// Families and lengths of an address in binary form (network_send).
const (
	inetV4 = 2
	inetV6 = 3
)

func parseInet(s string, cidr bool) (any, error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	text, bitsText, hasBits := strings.Cut(s, "/")
	if cidr && !strings.Contains(text, ":") {
		text = fillOctets(text)
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return nil, syntaxError(name, s)
	}
	bits := a.BitLen()
	switch {
	case hasBits:
		if bits, err = strconv.Atoi(bitsText); err != nil || !isDigits(bitsText) || bits > a.BitLen() {
			return nil, syntaxError(name, s)
		}
	case cidr && a.Is4():
		bits = classBits(a, strings.Count(s, ".")+1)
	}
	if cidr {
		if netip.PrefixFrom(a, bits).Masked().Addr() != a {
			return nil, pgerr.New(pgerr.InvalidTextRepresentation, "invalid cidr value: \"%s\"", s).
				WithDetail("Value has bits set to right of mask.")
		}
	}
	return inetText(a, bits, cidr), nil
}

// fillOctets completes the short networks that cidr takes: 10 is 10.0.0.0.
func fillOctets(text string) string {
	if text == "" {
		return text
	}
	for range 3 - strings.Count(text, ".") {
		text += ".0"
	}
	return text
}

// classBits is the size of a network without a mask: that of its class, or
// the octets given if they are more.
func classBits(a netip.Addr, octets int) int {
	bits := 8 * octets
	switch first := a.As4()[0]; {
	case first >= 240:
		bits = 32
	case first >= 224:
		bits = max(bits, 8)
	case first >= 192:
		bits = max(bits, 24)
	case first >= 128:
		bits = max(bits, 16)
	default:
		bits = max(bits, 8)
	}
	return bits
}

func inetText(a netip.Addr, bits int, cidr bool) string {
	text := a.String()
	if cidr || bits != a.BitLen() {
		text += "/" + strconv.Itoa(bits)
	}
	return text
}

// Network gives the address in an inet or cidr, and the bits of its network.
func Network(v string) netip.Prefix {
	a, bits := inetParts(v)
	return netip.PrefixFrom(a, bits)
}

// inetParts reads the text that inetText printed.
func inetParts(v string) (a netip.Addr, bits int) {
	text, bitsText, ok := strings.Cut(v, "/")
	a, err := netip.ParseAddr(text)
	if err != nil {
		panic("BUG: an inet that is none: " + v)
	}
	bits = a.BitLen()
	if ok {
		if bits, err = strconv.Atoi(bitsText); err != nil {
			panic("BUG: an inet that is none: " + v)
		}
	}
	return a, bits
}

// compareInet orders by family, then by the bits of the shorter network, its
// length, and the whole address (network_cmp).
func compareInet(v, w string) int {
	a, abits := inetParts(v)
	b, bbits := inetParts(w)
	if a.BitLen() != b.BitLen() {
		return a.BitLen() - b.BitLen()
	}
	n := min(abits, bbits)
	if c := netip.PrefixFrom(a, n).Masked().Addr().Compare(netip.PrefixFrom(b, n).Masked().Addr()); c != 0 {
		return c
	}
	if abits != bbits {
		return abits - bbits
	}
	return a.Compare(b)
}

func appendInetBinary(dst []byte, v string, cidr bool) []byte {
	a, bits := inetParts(v)
	raw := a.AsSlice()
	family := byte(inetV4)
	if len(raw) == 16 {
		family = inetV6
	}
	dst = append(dst, family, byte(bits), byte(boolInt(cidr)), byte(len(raw)))
	return append(dst, raw...)
}

func decodeInet(b []byte, cidr bool) (any, error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	if len(b) < 4 || int(b[3]) != len(b)-4 || b[0] == inetV4 && b[3] != 4 || b[0] == inetV6 && b[3] != 16 {
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid length in external \"%s\" value", name)
	}
	a, ok := netip.AddrFromSlice(b[4:])
	if !ok || b[0] != inetV4 && b[0] != inetV6 {
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid address family in external \"%s\" value", name)
	}
	if int(b[1]) > a.BitLen() {
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid bits in external \"%s\" value", name)
	}
	if cidr && netip.PrefixFrom(a, int(b[1])).Masked().Addr() != a {
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid external \"cidr\" value")
	}
	return inetText(a, int(b[1]), cidr), nil
}

// parseMacaddr reads six octets (or eight) with one kind of separator after
// every second digit, or fewer separators.
func parseMacaddr(s string, octets int, name string) (any, error) {
	text := strings.Trim(s, spaces)
	var raw []byte
	var sep byte
	for i := 0; i < len(text); {
		if len(raw) > 0 && strings.IndexByte(":-.", text[i]) >= 0 {
			if sep != 0 && sep != text[i] {
				return nil, syntaxError(name, s)
			}
			sep = text[i]
			i++
		}
		if i+2 > len(text) {
			return nil, syntaxError(name, s)
		}
		b, err := hex.DecodeString(text[i : i+2])
		if err != nil {
			return nil, syntaxError(name, s)
		}
		raw = append(raw, b...)
		i += 2
	}
	if octets == 8 && len(raw) == 6 {
		raw = append(append(append([]byte{}, raw[:3]...), 0xff, 0xfe), raw[3:]...)
	}
	if len(raw) != octets {
		return nil, syntaxError(name, s)
	}
	return macaddrText(raw), nil
}

func macaddrText(raw []byte) string {
	var out strings.Builder
	for i, b := range raw {
		if i > 0 {
			out.WriteByte(':')
		}
		fmt.Fprintf(&out, "%02x", b)
	}
	return out.String()
}

// parseBits reads a bit string: binary digits, or hexadecimal ones after an x.
func parseBits(t Type, s string) (any, error) {
	text := s
	if text != "" && (text[0] == 'b' || text[0] == 'B') {
		text = text[1:]
	} else if text != "" && (text[0] == 'x' || text[0] == 'X') {
		var out strings.Builder
		for _, r := range text[1:] {
			n, err := strconv.ParseUint(string(r), 16, 8)
			if err != nil {
				return nil, pgerr.New(pgerr.InvalidTextRepresentation, "\"%c\" is not a valid hexadecimal digit", r)
			}
			fmt.Fprintf(&out, "%04b", n)
		}
		text = out.String()
	}
	for _, r := range text {
		if r != '0' && r != '1' {
			return nil, pgerr.New(pgerr.InvalidTextRepresentation, "\"%c\" is not a valid binary digit", r)
		}
	}
	return fitBits(t, text, false)
}

// fitBits applies bit(n) and varbit(n).
func fitBits(t Type, text string, explicit bool) (any, error) {
	n := int(t.Mod)
	if n <= 0 || len(text) == n || t.OID == Varbit && len(text) < n {
		return text, nil
	}
	switch {
	case explicit && len(text) > n:
		return text[:n], nil
	case explicit:
		return text + strings.Repeat("0", n-len(text)), nil
	case t.OID == Varbit:
		return nil, pgerr.New(pgerr.StringDataRightTruncation, "bit string too long for type bit varying(%d)", n)
	}
	return nil, pgerr.New(pgerr.StringDataLengthMismatch, "bit string length %d does not match type bit(%d)", len(text), n)
}

func appendBitsBinary(dst []byte, text string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	for at := 0; at < len(text); at += 8 {
		b := byte(0)
		for i := at; i < min(at+8, len(text)); i++ {
			b |= (text[i] - '0') << (7 - (i - at))
		}
		dst = append(dst, b)
	}
	return dst
}

func decodeBits(t Type, b []byte) (any, error) {
	if len(b) < 4 {
		return nil, badBinary()
	}
	n := int64(int32(binary.BigEndian.Uint32(b)))
	if b = b[4:]; n < 0 || int64(len(b)) != (n+7)/8 {
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid length in external bit string")
	}
	text := make([]byte, n)
	for i := range text {
		text[i] = '0' + b[i/8]>>(7-i%8)&1
	}
	return fitBits(t, string(text), false)
}

func parseTid(s string) (any, error) {
	body, ok := strings.CutPrefix(strings.Trim(s, spaces), "(")
	body, ok2 := strings.CutSuffix(body, ")")
	block, offset, ok3 := strings.Cut(body, ",")
	b, err1 := strconv.ParseUint(block, 10, 32)
	o, err2 := strconv.ParseUint(offset, 10, 16)
	if !ok || !ok2 || !ok3 || err1 != nil || err2 != nil {
		return nil, syntaxError("tid", s)
	}
	return fmt.Sprintf("(%d,%d)", b, o), nil
}

// tidParts reads the text of parseTid as one number.
func tidParts(v string) uint64 {
	var block, offset uint64
	if _, err := fmt.Sscanf(v, "(%d,%d)", &block, &offset); err != nil {
		panic("BUG: a tid that is none: " + v)
	}
	return block<<16 | offset
}

func parseLSN(s string) (any, error) {
	high, low, ok := strings.Cut(s, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return nil, syntaxError("pg_lsn", s)
	}
	return lsnText(h<<32 | l), nil
}

func lsnText(n uint64) string { return fmt.Sprintf("%X/%X", n>>32, uint32(n)) }

// unsigned gives the number that a tid, pg_lsn or xid8 stands for.
func unsigned(oid OID, v string) uint64 {
	switch oid {
	case Tid:
		return tidParts(v)
	case PgLsn:
		high, low, _ := strings.Cut(v, "/")
		h, err1 := strconv.ParseUint(high, 16, 32)
		l, err2 := strconv.ParseUint(low, 16, 32)
		if err1 != nil || err2 != nil {
			panic("BUG: a pg_lsn that is none: " + v)
		}
		return h<<32 | l
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		panic("BUG: an xid8 that is none: " + v)
	}
	return n
}

// parseCarried reads the types of this file; ok is false for others.
func parseCarried(t Type, s string) (v any, ok bool, err error) {
	switch t.OID {
	case Inet, Cidr:
		v, err = parseInet(s, t.OID == Cidr)
	case Macaddr:
		v, err = parseMacaddr(s, 6, "macaddr")
	case Macaddr8:
		v, err = parseMacaddr(s, 8, "macaddr8")
	case Bit, Varbit:
		v, err = parseBits(t, s)
	case Tid:
		v, err = parseTid(s)
	case PgLsn:
		v, err = parseLSN(s)
	case Xid8:
		text := strings.Trim(s, spaces)
		n, bad := strconv.ParseUint(text[:leadingDigits(text)], 10, 64)
		if bad != nil {
			n = 0
		}
		v = strconv.FormatUint(n, 10)
	default:
		return nil, false, nil
	}
	return v, true, err
}

// appendCarried appends the binary form; ok is false for other types.
func appendCarried(dst []byte, t Type, v string) (out []byte, ok bool) {
	switch t.OID {
	case Point, Lseg, Box, Line, Circle, Path, Polygon:
		return appendGeometry(dst, t.OID, v), true
	case Inet, Cidr:
		return appendInetBinary(dst, v, t.OID == Cidr), true
	case Macaddr, Macaddr8:
		raw, err := hex.DecodeString(strings.ReplaceAll(v, ":", ""))
		if err != nil {
			panic("BUG: a macaddr that is none: " + v)
		}
		return append(dst, raw...), true
	case Bit, Varbit:
		return appendBitsBinary(dst, v), true
	case Tid:
		n := tidParts(v)
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(dst, uint32(n>>16)), uint16(n)), true
	case PgLsn, Xid8:
		return binary.BigEndian.AppendUint64(dst, unsigned(t.OID, v)), true
	}
	return dst, false
}

// decodeCarried reads the binary form; ok is false for other types.
func decodeCarried(t Type, b []byte) (v any, ok bool, err error) {
	size := map[OID]int{Macaddr: 6, Macaddr8: 8, Tid: 6, PgLsn: 8, Xid8: 8}
	if n, fixed := size[t.OID]; fixed && len(b) != n {
		return nil, true, badBinary()
	}
	switch t.OID {
	case Int4Range, Int8Range, Numrange, Tsrange, Tstzrange, Daterange:
		var text string
		if text, err = decodeRange(t, b); err == nil {
			v, err = parseRange(t, text)
		}
	case Point, Lseg, Box, Line, Circle, Path, Polygon:
		v, err = decodeGeometry(t.OID, b)
	case Inet, Cidr:
		v, err = decodeInet(b, t.OID == Cidr)
	case Macaddr, Macaddr8:
		v = macaddrText(b)
	case Bit, Varbit:
		v, err = decodeBits(t, b)
	case Tid:
		v = fmt.Sprintf("(%d,%d)", binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]))
	case PgLsn:
		v = lsnText(binary.BigEndian.Uint64(b))
	case Xid8:
		v = strconv.FormatUint(binary.BigEndian.Uint64(b), 10)
	default:
		return nil, false, nil
	}
	return v, true, err
}
