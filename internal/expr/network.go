package expr

import (
	"net/netip"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// subnet tests whether the network of a lies in that of b, or with same is it.
func subnet(a, b netip.Prefix, same bool) bool {
	if a.Bits() < b.Bits() || a.Bits() == b.Bits() && !same {
		return false
	}
	return a.Addr().BitLen() == b.Addr().BitLen() && b.Contains(a.Addr())
}

// networks makes a test of two inets.
func networks(test func(a, b netip.Prefix) bool) impl {
	return fn2(func(a, b string) (any, error) { return test(pgtypes.Network(a), pgtypes.Network(b)), nil })
}

// networkFunctions is the functions and operators on inet.
func networkFunctions() map[string]impl {
	return map[string]impl{
		"host(inet)": fn1(func(v string) (any, error) {
			text, _, _ := strings.Cut(v, "/")
			return text, nil
		}),
		"text(inet)": fn1(func(v string) (any, error) { return pgtypes.Network(v).String(), nil }),
		"family(inet)": fn1(func(v string) (any, error) {
			if pgtypes.Network(v).Addr().Is4() {
				return int64(4), nil
			}
			return int64(6), nil
		}),
		"masklen(inet)": fn1(func(v string) (any, error) { return int64(pgtypes.Network(v).Bits()), nil }),
		"network(inet)": fn1(func(v string) (any, error) { return pgtypes.Network(v).Masked().String(), nil }),
		"inet << inet":  networks(func(a, b netip.Prefix) bool { return subnet(a, b, false) }),
		"inet <<= inet": networks(func(a, b netip.Prefix) bool { return subnet(a, b, true) }),
		"inet >> inet":  networks(func(a, b netip.Prefix) bool { return subnet(b, a, false) }),
		"inet >>= inet": networks(func(a, b netip.Prefix) bool { return subnet(b, a, true) }),
		"inet && inet":  networks(netip.Prefix.Overlaps),
	}
}
