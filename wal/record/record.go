// Package record encodes the entries of the write-ahead log.
//
// A record starts at a multiple of 64 bytes within its segment. All integers
// are little-endian:
//
//	offset  size
//	     0     4  length    payload bytes
//	     4     4  crc       CRC-32C of the segment number (8 bytes, the salt, not stored)
//	                        followed by the bytes from offset 8 to the end of the payload
//	     8     8  lsn       number of the record, without gaps; a control record is not
//	                        numbered and repeats the number of the record before it
//	    16     8  durable   highest LSN known to be synced when this was written
//	    24     8  firstRow  running number, within its table, of the record's first row
//	    32     8  receive   time of arrival, ns since 1970, signed
//	    40    16  hash      of the decompressed body; zero: none
//	    56     4  epoch     of the leader that wrote it
//	    60     2  mapping   version of the decoder's mapping from body to rows
//	    62     1  type      1 traces, 2 logs, 3 metrics, 4 write set, 5 control
//	    63     1  codec     0 none, 1 protobuf, 2 protobuf+s2, 3 JSON, 4 JSON+s2
//	    64     1  source    0 none, 1 otlp_grpc, 2 otlp_http, 3 sql, 4 remote_write
//	    65     n  payload
//	  65+n     p  zeros up to the next multiple of 64
//
// The salt makes what a recycled segment still holds invalid: those records
// were written under the number that the file had before.
//
// The package knows nothing of files or of what a payload means.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Version is the version of the format above.
//
//	1: first version.
const Version = 1

const (
	// Align is what the offset of a record is a multiple of.
	Align = 64
	// HeaderBytes is the size of a header.
	HeaderBytes = 65
)

// ErrInvalid says that no valid record starts here.
var ErrInvalid = errors.New("record: no valid record")

// A Type says what a record holds.
type Type uint8

// The types, as stored.
const (
	Traces   Type = 1 // OTLP ExportTraceServiceRequest
	Logs     Type = 2 // OTLP ExportLogsServiceRequest
	Metrics  Type = 3 // OTLP ExportMetricsServiceRequest
	WriteSet Type = 4 // what a transaction wrote
	Control  Type = 5 // nothing: written for the durable watermark in its header
)

// String names the type.
func (t Type) String() string {
	switch t {
	case Traces:
		return "traces"
	case Logs:
		return "logs"
	case Metrics:
		return "metrics"
	case WriteSet:
		return "write_set"
	case Control:
		return "control"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// A Source says by which way a record came.
type Source uint8

// The sources, as stored.
const (
	NoSource    Source = 0 // control records
	OTLPGRPC    Source = 1
	OTLPHTTP    Source = 2
	SQL         Source = 3
	RemoteWrite Source = 4
)

// String names the source as SQL shows it.
func (s Source) String() string {
	switch s {
	case NoSource:
		return "none"
	case OTLPGRPC:
		return "otlp_grpc"
	case OTLPHTTP:
		return "otlp_http"
	case SQL:
		return "sql"
	case RemoteWrite:
		return "remote_write"
	}
	return fmt.Sprintf("source(%d)", uint8(s))
}

// A Header is what a record says besides its payload.
type Header struct {
	LSN            uint64
	Durable        uint64
	FirstRow       uint64
	ReceiveNanos   int64
	Hash           [16]byte
	Epoch          uint32
	MappingVersion uint16
	Type           Type
	Codec          Codec
	Source         Source
}

// Valid says whether the header could be that of a record; Decode accepts no
// other.
func (h Header) Valid() bool {
	return h.Type >= Traces && h.Type <= Control && h.Codec <= JSONS2 && h.Source <= RemoteWrite && h.Durable <= h.LSN
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Size is the number of bytes that a record with n bytes of payload takes.
func Size(n int) int {
	return (HeaderBytes + n + Align - 1) &^ (Align - 1)
}

// Append appends a record of the given segment to dst, whose length must be a
// multiple of Align.
func Append(dst []byte, segment uint64, h Header, payload []byte) []byte {
	if len(dst)%Align != 0 {
		panic("BUG: record.Append at an offset that is not a multiple of 64")
	}
	start := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(payload)))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, h.LSN)
	dst = le.AppendUint64(dst, h.Durable)
	dst = le.AppendUint64(dst, h.FirstRow)
	dst = le.AppendUint64(dst, uint64(h.ReceiveNanos))
	dst = append(dst, h.Hash[:]...)
	dst = le.AppendUint32(dst, h.Epoch)
	dst = le.AppendUint16(dst, h.MappingVersion)
	dst = append(dst, byte(h.Type), byte(h.Codec), byte(h.Source))
	dst = append(dst, payload...)
	le.PutUint32(dst[start+4:], checksum(segment, dst[start+8:]))
	var padding [Align]byte
	return append(dst, padding[:start+Size(len(payload))-len(dst)]...)
}

// Decode reads the record of the given segment that starts at buf[0]. The
// payload is a part of buf; n is the record's size. The error is ErrInvalid.
func Decode(segment uint64, buf []byte) (h Header, payload []byte, n int, err error) {
	if len(buf) < HeaderBytes {
		return Header{}, nil, 0, ErrInvalid
	}
	le := binary.LittleEndian
	length := int64(le.Uint32(buf))
	if length > int64(len(buf)-HeaderBytes) {
		return Header{}, nil, 0, ErrInvalid
	}
	n = Size(int(length))
	if n > len(buf) {
		return Header{}, nil, 0, ErrInvalid
	}
	h = Header{
		LSN:            le.Uint64(buf[8:]),
		Durable:        le.Uint64(buf[16:]),
		FirstRow:       le.Uint64(buf[24:]),
		ReceiveNanos:   int64(le.Uint64(buf[32:])),
		Hash:           [16]byte(buf[40:]),
		Epoch:          le.Uint32(buf[56:]),
		MappingVersion: le.Uint16(buf[60:]),
		Type:           Type(buf[62]),
		Codec:          Codec(buf[63]),
		Source:         Source(buf[64]),
	}
	// Cheap tests first: most of what a scan meets is not a record.
	if !h.Valid() {
		return Header{}, nil, 0, ErrInvalid
	}
	end := HeaderBytes + int(length)
	if le.Uint32(buf[4:]) != checksum(segment, buf[8:end]) {
		return Header{}, nil, 0, ErrInvalid
	}
	return h, buf[HeaderBytes:end:end], n, nil
}

func checksum(segment uint64, b []byte) uint32 {
	var salt [8]byte
	binary.LittleEndian.PutUint64(salt[:], segment)
	return crc32.Update(crc32.Checksum(salt[:], castagnoli), castagnoli, b)
}
