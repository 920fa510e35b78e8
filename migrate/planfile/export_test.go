package planfile

// Seams for the fuzz targets.
var (
	ParseTrailer  = parseTrailer
	ParseResults  = parseResults
	AppendResults = appendResults
	EncodeValues  = encodeValues
	DecodeValues  = decodeValues
)

// ParseKey tells whether b is a key, and returns it written again.
func ParseKey(b []byte) ([]byte, error) {
	k, err := parseKey(b)
	if err != nil {
		return nil, err
	}
	return k.marshal(), nil
}
