package layout

import "encoding/binary"

// An Unsettled key is that of a row whose older version may be in a part that
// could not be read when the row came. What has the key in the part, within
// the horizon of the time, is dead. Without a key it says that the row of the
// running number Nanos is.
type Unsettled struct {
	Key     string
	Nanos   int64
	Horizon int64
}

// unsettledVersion is the version of encoded unsettled keys.
//
//	1: first version. Entries without a key came later, in the same form.
const unsettledVersion = 1

// AppendUnsettled encodes the unsettled keys of a part: version uint8 · count
// uvarint · for each its key as text, time and horizon varint · crc uint32.
func AppendUnsettled(dst []byte, keys []Unsettled) []byte {
	start := len(dst)
	dst = binary.AppendUvarint(append(dst, unsettledVersion), uint64(len(keys)))
	for _, u := range keys {
		dst = binary.AppendVarint(binary.AppendVarint(appendText(dst, u.Key), u.Nanos), u.Horizon)
	}
	return appendChecksum(dst, start)
}

// DecodeUnsettled decodes what AppendUnsettled made.
func DecodeUnsettled(raw []byte) ([]Unsettled, error) {
	body, err := checked(raw, unsettledVersion, "unsettled keys of a part")
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: body}
	keys := make([]Unsettled, d.count())
	for i := range keys {
		keys[i] = Unsettled{d.text(), d.varint(), d.varint()}
	}
	if d.bad || len(d.buf) != 0 {
		return nil, corrupt("unsettled keys of a part")
	}
	return keys, nil
}
