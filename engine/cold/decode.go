package cold

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// plainTexts gives those texts of n, nil: all, that alias data; ok is false if
// data is not exactly that many.
func plainTexts(data []byte, n int, at []int32) (out []string, ok bool) {
	if at == nil {
		out = make([]string, n)
	} else {
		out = make([]string, len(at))
	}
	k := 0
	for i := range n {
		if len(data) < 4 {
			return nil, false
		}
		size := binary.LittleEndian.Uint32(data)
		if data = data[4:]; uint64(size) > uint64(len(data)) {
			return nil, false
		}
		if at == nil || k < len(at) && int(at[k]) == i {
			if size > 0 {
				out[k] = unsafe.String(&data[0], int(size))
			}
			k++
		}
		data = data[size:]
	}
	return out, len(data) == 0
}

func decimals(ints []int64) []string {
	out := make([]string, len(ints))
	for i, v := range ints {
		out[i] = strconv.FormatInt(v, 10)
	}
	return out
}

// runs decodes numbers of Parquet's hybrid of run lengths and bit packing that
// fill data, behind which padding lies. out must be zero or is set whole.
func runs(out []uint32, data []byte, width int) bool {
	r := runReader{data: data, width: width}
	for len(out) > 0 {
		n, value, packed, ok := r.next(len(out))
		if !ok {
			return false
		}
		if packed != nil {
			unpack(out[:n], packed, width, 1<<width-1)
		} else {
			fill(out[:n], value)
		}
		out = out[n:]
	}
	return r.at == len(data)
}

func fill(out []uint32, value uint32) {
	for i := range out {
		out[i] = value
	}
}

// runsAt decodes some of total numbers, those at ascending places.
func runsAt(out []uint32, data []byte, width, total int, at []int32) bool {
	r := runReader{data: data, width: width}
	mask := uint64(1)<<width - 1
	k := 0
	for first := 0; first < total; {
		n, value, packed, ok := r.next(total - first)
		if !ok {
			return false
		}
		for ; k < len(at) && int(at[k]) < first+n; k++ {
			out[k] = value
			if packed != nil {
				bit := (int(at[k]) - first) * width
				out[k] = uint32(binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & mask)
			}
		}
		first += n
	}
	return r.at == len(data)
}

// runReader reads the runs of the hybrid.
type runReader struct {
	data  []byte
	at    int
	width int
}

// next gives a run of at most limit numbers: all the same, or packed with 8
// bytes behind them that can be read.
func (r *runReader) next(limit int) (n int, value uint32, packed []byte, ok bool) {
	if r.width > 32 {
		return 0, 0, nil, false
	}
	padded := r.data[:len(r.data)+8]
	header, s := binary.Uvarint(r.data[r.at:])
	if s <= 0 {
		return 0, 0, nil, false
	}
	r.at += s
	if header&1 == 0 {
		count, bytes := header>>1, (r.width+7)/8
		if count == 0 || count > uint64(limit) || r.at+bytes > len(r.data) {
			return 0, 0, nil, false
		}
		value = uint32(binary.LittleEndian.Uint64(padded[r.at:]) & (1<<(8*bytes) - 1))
		r.at += bytes
		return int(count), value, nil, true
	}
	groups := header >> 1
	if groups == 0 || groups > uint64(limit+7)/8 || r.at+int(groups)*r.width > len(r.data) {
		return 0, 0, nil, false
	}
	packed = padded[r.at:]
	r.at += int(groups) * r.width
	return min(int(groups)*8, limit), 0, packed, true
}

// unpack reads packed numbers; 8 bytes can be read beyond the last.
func unpack(out []uint32, packed []byte, width int, mask uint64) {
	switch {
	case width == 0:
		clear(out)
		return
	case width <= 7: // eight numbers are in one word
		for len(out) >= 8 {
			w := binary.LittleEndian.Uint64(packed)
			o := (*[8]uint32)(out)
			o[0], o[1] = uint32(w&mask), uint32(w>>width&mask)
			o[2], o[3] = uint32(w>>(2*width)&mask), uint32(w>>(3*width)&mask)
			o[4], o[5] = uint32(w>>(4*width)&mask), uint32(w>>(5*width)&mask)
			o[6], o[7] = uint32(w>>(6*width)&mask), uint32(w>>(7*width)&mask)
			packed, out = packed[width:], out[8:]
		}
	case width == 8:
		for i := range out {
			out[i] = uint32(packed[i])
		}
		return
	case width <= 14: // four numbers are in one word
		for len(out) >= 8 {
			o := (*[8]uint32)(out)
			w := binary.LittleEndian.Uint64(packed)
			o[0], o[1] = uint32(w&mask), uint32(w>>width&mask)
			o[2], o[3] = uint32(w>>(2*width)&mask), uint32(w>>(3*width)&mask)
			bit := 4 * width
			w = binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7)
			o[4], o[5] = uint32(w&mask), uint32(w>>width&mask)
			o[6], o[7] = uint32(w>>(2*width)&mask), uint32(w>>(3*width)&mask)
			packed, out = packed[width:], out[8:]
		}
	}
	bit := 0
	for i := range out {
		out[i] = uint32(binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & mask)
		bit += width
	}
}

// levelBits decodes the definition levels, 0 or 1, of n rows of a flat column:
// nil if all are 1.
func levelBits(data []byte, n int) (valid vector.Bitmap, ones int, ok bool) {
	if header, s := binary.Uvarint(data); s > 0 && header == uint64(n)<<1 && len(data) == s+1 && data[s] == 1 {
		return nil, n, true
	}
	valid = vector.NewBitmap(n)
	at := 0
	for i := 0; i < n; {
		header, s := binary.Uvarint(data[at:])
		if s <= 0 {
			return nil, 0, false
		}
		at += s
		if header&1 == 0 {
			count := header >> 1
			if count == 0 || count > uint64(n-i) || at == len(data) || data[at] > 1 {
				return nil, 0, false
			}
			if data[at] == 1 {
				setBits(valid, i, i+int(count))
			}
			i, at = i+int(count), at+1
			continue
		}
		groups := int(header >> 1)
		if groups == 0 || groups > (n-i+7)/8 || groups > len(data)-at {
			return nil, 0, false
		}
		for _, b := range data[at : at+groups] {
			if rest := n - i; rest < 8 {
				b &= 1<<rest - 1
			}
			valid[i>>6] |= uint64(b) << (i & 63)
			if i&63 > 56 && i>>6+1 < len(valid) {
				valid[i>>6+1] |= uint64(b) >> (64 - i&63)
			}
			i += 8
		}
		at += groups
	}
	if at != len(data) {
		return nil, 0, false
	}
	if ones = valid.Count(); ones == n {
		return nil, n, true
	}
	return valid, ones, true
}

func setBits(b vector.Bitmap, from, to int) {
	for from < to {
		end := min(to, from|63+1)
		word := ^uint64(0) << (from & 63)
		if end&63 != 0 {
			word &= 1<<(end&63) - 1
		}
		b[from>>6] |= word
		from = end
	}
}

// deltas decodes integers that are packed differences (DELTA_BINARY_PACKED) and
// fill data, behind which padding lies.
func deltas(out []int64, data []byte) bool {
	d, n := &deltaReader{data: data}, len(out)
	block, mini, count := d.uvarint(), d.uvarint(), d.uvarint()
	value := d.varint()
	if d.bad || count != uint64(n) || mini == 0 || block == 0 || block%(mini*32) != 0 || block > 1<<20 || mini > 512 {
		return false
	}
	if n > 0 {
		out[0] = value
	}
	per := int(block / mini)
	for i := 1; i < n; {
		least := d.varint()
		widths := d.bytes(int(mini))
		for m := 0; m < int(mini) && i < n && !d.bad; m++ {
			width := int(widths[m])
			packed := d.bytes(per / 8 * width)
			if d.bad || width > 64 {
				return false
			}
			run := out[i:min(i+per, n)]
			value = addDeltas(run, packed, width, least, value)
			i += len(run)
		}
		if d.bad {
			return false
		}
	}
	return d.at == len(data)
}

// addDeltas sums packed differences, each of them least and more.
func addDeltas(out []int64, packed []byte, width int, least, value int64) int64 {
	switch {
	case width == 0:
		for i := range out {
			value += least
			out[i] = value
		}
	case width <= 56:
		padded := packed[:len(packed)+8]
		mask := uint64(1)<<width - 1
		bit := 0
		for i := range out {
			value += least + int64(binary.LittleEndian.Uint64(padded[bit>>3:])>>(bit&7)&mask)
			out[i] = value
			bit += width
		}
	default:
		padded := packed[:len(packed)+16]
		mask := ^uint64(0) >> (64 - width)
		bit := 0
		for i := range out {
			low, high := binary.LittleEndian.Uint64(padded[bit>>3:]), uint64(padded[bit>>3+8])
			v := low >> (bit & 7)
			if bit&7 != 0 {
				v |= high << (64 - bit&7)
			}
			value += least + int64(v&mask)
			out[i] = value
			bit += width
		}
	}
	return value
}

type deltaReader struct {
	data []byte
	at   int
	bad  bool
}

func (d *deltaReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.data[d.at:])
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.at += n
	return v
}

func (d *deltaReader) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *deltaReader) bytes(n int) []byte {
	if n > len(d.data)-d.at {
		d.bad = true
		return nil
	}
	d.at += n
	return d.data[d.at-n : d.at]
}

// spread puts the values of rows that have one, size elements each, in their
// places; the others are zero.
func spread[T any](values []T, valid vector.Bitmap, rows, size int) []T {
	if valid == nil {
		return values
	}
	out := make([]T, rows*size)
	for w, word := range valid {
		at := w * 64 * size
		if word == ^uint64(0) {
			copy(out[at:], values[:64*size])
			values = values[64*size:]
			continue
		}
		for ; word != 0; word &= word - 1 {
			i := at + bits.TrailingZeros64(word)*size
			copy(out[i:i+size], values[:size])
			values = values[size:]
		}
	}
	return out
}
