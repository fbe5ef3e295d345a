package otlp

// What jsonb and text cannot carry is kept in attributes_ext, a protobuf
// message that a reader of KeyValueList reads too, since its field 1 is the
// same. All parts are as received:
//
//	1  KeyValue  of the item's attributes: a key that occurs more than once, a
//	             text that is not UTF-8 or holds a NUL, bytes, NaN, an infinity
//	2  KeyValue  of the resource's attributes
//	3  KeyValue  of the scope's attributes
//	4  KeyValue  of the metric's metadata
//	5  Part      an Event
//	6  Part      a Link
//	7  Part      an Exemplar
//	8  Text      a text column that had to be cleaned
//	9  Enum      a column whose number has no name
//	10 Part      an EntityRef
//
//	Part: 1 varint  index in its list   2 bytes   the message
//	Text: 1 string  column              2 bytes   the text
//	Enum: 1 string  column              2 varint  the number
//
// body_ext is the AnyValue of the log's body.
const (
	extItem      = 1
	extResource  = 2
	extScope     = 3
	extMetadata  = 4
	extEvent     = 5
	extLink      = 6
	extExemplar  = 7
	extText      = 8
	extEnum      = 9
	extEntityRef = 10
)

func appendExtPart(dst []byte, num uint64, index int, raw []byte) []byte {
	return appendBytes(dst, num, appendBytes(appendVarint(nil, 1, uint64(index)), 2, raw))
}

func appendExtText(dst []byte, column, raw string) []byte {
	return appendBytes(dst, extText, appendBytes(appendBytes(nil, 1, column), 2, raw))
}

func appendExtEnum(dst []byte, column string, number int32) []byte {
	return appendBytes(dst, extEnum, appendVarint(appendBytes(nil, 1, column), 2, uint64(uint32(number))))
}
