// Package xmlpull reads XML 1.0 with namespaces as a stream of three kinds of
// tokens: the start of an element, its end, and the text between tags.
//
//	r := xmlpull.NewReader(file, xmlpull.Options{})
//	for {
//		t, err := r.Next()
//		if err == io.EOF {
//			break
//		}
//		…
//	}
//
// It is made for exports and answers that nobody vouches for. A document is
// read in one pass and in bounded memory; in the common case a token costs no
// allocation. What is read is what encoding/xml reads, token for token, which a
// fuzz test holds; whatever encoding/xml refuses is refused here. More is
// refused than there, by name:
//
//   - a DOCTYPE, and with it every entity but the five of XML itself;
//   - encodings other than UTF-8 (with or without a byte order mark);
//   - prefixes that are not declared, attributes that are there twice;
//   - names of elements and attributes outside ASCII;
//   - text outside the one root element, or no root element;
//   - anything beyond the limits that are constants of this package.
//
// Comments and processing instructions are passed over. An error of a document
// is an [*Error] with line and column; it never quotes the document.
package xmlpull
