package record

import (
	"errors"
	"reflect"
	"testing"
)

func sampleWriteSet() *WriteSetBody {
	return &WriteSetBody{
		Rows: []KeyedRow{
			{Table: 1, Key: []byte("k1"), Value: []byte("v")},
			{Table: 2, Key: []byte{}, Value: []byte{}},
			{Table: 1, Key: []byte("k2"), Deleted: true},
		},
		Requests: []Part{{Type: Logs, Codec: ProtobufS2, MappingVersion: 0x0102, FirstRow: 0x0304050607080900, Payload: []byte("body")}},
		Deletes:  []Deleted{{Type: Logs, Rows: []uint64{0, 7, 300}}, {Type: Traces, Rows: []uint64{5}}},
	}
}

func TestWriteSet(t *testing.T) {
	for _, want := range []*WriteSetBody{sampleWriteSet(), {}} {
		raw := want.Append(nil)
		got, err := DecodeWriteSet(raw)
		if err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		for n := range raw {
			if _, err := DecodeWriteSet(raw[:n]); !errors.Is(err, ErrInvalid) {
				t.Errorf("the first %d bytes: %v", n, err)
			}
		}
		if _, err := DecodeWriteSet(append(raw, 0)); !errors.Is(err, ErrInvalid) {
			t.Errorf("a byte too many: %v", err)
		}
	}
}

// The bytes of all versions stay readable for ever.
func TestWriteSetGolden(t *testing.T) {
	first := "\x01" + // version
		"\x03" + "\x01\x00" + "\x02k1" + "\x01v" + "\x02\x00" + "\x00" + "\x00" + "\x01\x01" + "\x02k2" +
		"\x01" + "\x02\x02" + "\x02\x01" + "\x00\x09\x08\x07\x06\x05\x04\x03" + "\x04body"
	golden := "\x02" + first[1:] + "\x02" + "\x02\x03" + "\x00\x07\xa5\x02" + "\x01\x01" + "\x05"
	if raw := sampleWriteSet().Append(nil); string(raw) != golden {
		t.Errorf("the format has changed: % x", raw)
	}
	want := sampleWriteSet()
	want.Deletes = nil
	if got, err := DecodeWriteSet([]byte(first)); err != nil || !reflect.DeepEqual(&got, want) {
		t.Errorf("version 1 reads %+v, %v", got, err)
	}
}

func FuzzWriteSet(f *testing.F) {
	f.Add(sampleWriteSet().Append(nil))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := DecodeWriteSet(raw)
		if err != nil {
			return
		}
		again, err := DecodeWriteSet(w.Append(nil))
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Fatalf("%+v became %+v, %v", w, again, err)
		}
		if len(w.Append(nil)) > len(raw)+1 { // version 1 has no count of deletes
			t.Fatal("the encoding is longer than what was read")
		}
	})
}
