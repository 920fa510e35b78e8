package pskc_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"

	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
)

const enc, enc11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"

// encrypted is a document with one value in one element of Data, and with the
// plain seed as the secret where that is another one.
func encrypted(algorithm, element string, ciphertext, mac []byte, macURI string) string {
	value := fmt.Sprintf(`<EncryptedValue><xenc:EncryptionMethod Algorithm="%s"/><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></EncryptedValue>`,
		algorithm, base64.StdEncoding.EncodeToString(ciphertext))
	if mac != nil {
		value += "<ValueMAC>" + base64.StdEncoding.EncodeToString(mac) + "</ValueMAC>"
	}
	data := "<" + element + ">" + value + "</" + element + ">"
	if element != "Secret" {
		data = "<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>" + data
	}
	method := ""
	if macURI != "" {
		method = fmt.Sprintf(`<MACMethod Algorithm="%s"/>`, macURI)
	}
	return `<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:xenc="` + enc + `" Version="1.0"><EncryptionKey/>` + method +
		`<KeyPackage><Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><Data>` + data + `</Data></Key></KeyPackage></KeyContainer>`
}

// AES key wrap with the vectors of its two RFCs.
func TestKeyWrapVectors(t *testing.T) {
	const kek192 = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"
	for name, c := range map[string]struct{ algorithm, kek, plain, wrapped string }{
		"RFC 3394 4.1": {enc + "kw-aes128", "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		"RFC 3394 4.6": {enc + "kw-aes256", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
			"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
		"RFC 5649 20 octets": {enc11 + "kw-aes-192-pad", kek192, "c37b7e6492584340bed12207808941155068f738",
			"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		"RFC 5649 7 octets": {enc + "kw-aes192", kek192, "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		t.Run(name, func(t *testing.T) {
			wrapped := unhex(t, c.wrapped).Reveal()
			o := pskc.Options{Key: unhex(t, c.kek)}
			keys := mustRead(t, encrypted(c.algorithm, "Secret", wrapped, nil, ""), o)
			if got := hex.EncodeToString([]byte(keys[0].Revealed)); got != c.plain || !keys[0].Encrypted {
				t.Errorf("unwrapped to %s", got)
			}
			for i := range wrapped { // it proves itself: no octet may change
				wrapped[i] ^= 1
				if err := refused(t, encrypted(c.algorithm, "Secret", wrapped, nil, ""), o); !errors.Is(err, pskc.ErrKey) {
					t.Errorf("octet %d changed: %v", i, err)
				}
				wrapped[i] ^= 1
			}
			for _, n := range []int{0, 8, len(wrapped) - 1, len(wrapped) - 8} {
				if err := refused(t, encrypted(c.algorithm, "Secret", wrapped[:n], nil, ""), o); !errors.Is(err, pskc.ErrKey) {
					t.Errorf("cut to %d: %v", n, err)
				}
			}
		})
	}
}

// cbc encrypts by hand, with any padding.
func cbc(block cipher.Block, plain, padding []byte) []byte {
	iv := bytes.Repeat([]byte{0x5A}, block.BlockSize())
	body := append(append([]byte{}, plain...), padding...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
	return append(iv, body...)
}

func macOf(h func() hash.Hash, key, b []byte) []byte {
	m := hmac.New(h, key)
	m.Write(b)
	return m.Sum(nil)
}

const macSHA1 = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"

// Of the padding only the last octet counts, as XML Encryption has it; and
// without a MACKey the encryption key is the MAC's.
func TestPadding(t *testing.T) {
	key := unhex(t, figure6Key)
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		length  int
		padding string
		opens   bool
	}{
		"PKCS":           {20, "0c0c0c0c0c0c0c0c0c0c0c0c", true},
		"any octets":     {20, "00ff17a56b3c9d0044aa550c", true},
		"a whole block":  {16, "00000000000000000000000000000010", true},
		"none":           {16, "", false}, // the last octet of the seed is no length
		"zero":           {20, "000000000000000000000000", false},
		"over a block":   {20, "0c0c0c0c0c0c0c0c0c0c0c11", false},
		"a negative one": {20, "0c0c0c0c0c0c0c0c0c0c0cff", false},
	} {
		t.Run(name, func(t *testing.T) {
			plain := (seed + seed)[:c.length]
			b := cbc(block, []byte(plain), unhex(t, c.padding).Reveal())
			document := encrypted(enc+"aes128-cbc", "Secret", b, macOf(sha1.New, key.Reveal(), b), macSHA1)
			if !c.opens {
				if err := refused(t, document, pskc.Options{Key: key}); !errors.Is(err, pskc.ErrKey) {
					t.Error(err)
				}
				return
			}
			if keys := mustRead(t, document, pskc.Options{Key: key}); keys[0].Revealed != plain {
				t.Errorf("got %q", keys[0].Revealed)
			}
		})
	}
}

// A MAC over the vector alone, the body alone or the plaintext is none.
func TestMACCoversVectorAndCiphertext(t *testing.T) {
	key := unhex(t, figure6Key)
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	b := cbc(block, []byte(seed), bytes.Repeat([]byte{12}, 12))
	for name, covered := range map[string][]byte{"the vector": b[:16], "the body": b[16:], "the plaintext": []byte(seed), "nothing": nil} {
		document := encrypted(enc+"aes128-cbc", "Secret", b, macOf(sha1.New, key.Reveal(), covered), macSHA1)
		if err := refused(t, document, pskc.Options{Key: key}); !errors.Is(err, pskc.ErrKey) {
			t.Errorf("over %s: %v", name, err)
		}
	}
	document := encrypted(enc+"aes128-cbc", "Secret", b, macOf(sha512.New, key.Reveal(), b), "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512")
	if keys := mustRead(t, document, pskc.Options{Key: key}); keys[0].Revealed != seed {
		t.Errorf("HMAC-SHA512: %+v", keys)
	}
}

func TestTripleDESWithTwoKeys(t *testing.T) {
	key := unhex(t, figure6Key)
	block, err := des.NewTripleDESCipher(append(append([]byte{}, key.Reveal()...), key.Reveal()[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	b := cbc(block, []byte(seed), []byte{9, 9, 9, 4})
	keys := mustRead(t, encrypted(enc+"tripledes-cbc", "Secret", b, macOf(sha1.New, key.Reveal(), b), macSHA1), pskc.Options{Key: key})
	if keys[0].Revealed != seed {
		t.Errorf("got %q", keys[0].Revealed)
	}
}

// Encrypted numbers are big-endian octets.
func TestEncryptedNumbers(t *testing.T) {
	key := unhex(t, figure6Key)
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		element, octets string
		want            pskc.Key
		problem         string
	}{
		{element: "TimeInterval", octets: "1e", want: pskc.Key{Interval: 30}},
		{element: "TimeInterval", octets: "0000003c", want: pskc.Key{Interval: 60}},
		{element: "TimeInterval", octets: "00000000", problem: "its interval is not a number in its range"},
		{element: "TimeInterval", octets: "", problem: "its interval is not a number in its range"},
		{element: "TimeInterval", octets: "00000000000000001e", problem: "its interval is not a number in its range"},
		{element: "TimeDrift", octets: "fffffffe", want: pskc.Key{Drift: -2}},
		{element: "Counter", octets: "000000000000012c", want: pskc.Key{Counter: 300}},
		{element: "Counter", octets: "ffffffffffffffff", problem: "its counter is not a number in its range"},
	} {
		plain := unhex(t, c.octets).Reveal()
		n := 16 - len(plain)%16
		b := cbc(block, plain, bytes.Repeat([]byte{byte(n)}, n))
		document := encrypted(enc+"aes128-cbc", c.element, b, macOf(sha1.New, key.Reveal(), b), macSHA1)
		k := mustRead(t, document, pskc.Options{Key: key})[0]
		if k.Problem != c.problem || k.Interval != c.want.Interval || k.Drift != c.want.Drift || k.Counter != c.want.Counter {
			t.Errorf("%s %s: %+v", c.element, c.octets, k)
		}
		if k.Encrypted {
			t.Errorf("%s: the secret, which stood in the clear, counts as proven", c.element)
		}
		altered := encrypted(enc+"aes128-cbc", c.element, b, macOf(sha1.New, key.Reveal(), b[16:]), macSHA1)
		if err := refused(t, altered, pskc.Options{Key: key}); !errors.Is(err, pskc.ErrKey) {
			t.Errorf("%s with another MAC: %v", c.element, err)
		}
	}
}

// Both namespaces of PBKDF2's parameters, its other identifiers, and no length.
func TestSpellingsOfPBKDF2(t *testing.T) {
	seven := load(t, "rfc6030-figure7.xml")
	o := pskc.Options{Passphrase: secret.FromString(figure7Phrase)}
	for name, document := range map[string]string{
		"parameters of XML Encryption":  alter(t, seven, "pkcs5:PBKDF2-params", "xenc11:PBKDF2-params"),
		"qualified salt":                alter(t, alter(t, seven, "Salt>", "pkcs5:Salt>"), "Specified>", "pkcs5:Specified>"),
		"identifier of XML Encryption":  alter(t, seven, "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2", enc11+"pbkdf2"),
		"identifier in the RFC's prose": alter(t, seven, "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2", "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5#pbkdf2"),
		"no key length":                 alter(t, seven, "<KeyLength>16</KeyLength>", ""),
		"function by name":              alter(t, seven, "<PRF/>", `<PRF Algorithm="`+macSHA1+`"/>`),
		"function as text":              alter(t, seven, "<PRF/>", "<PRF>"+macSHA1+"</PRF>"),
	} {
		if keys := mustRead(t, document, o); keys[0].Revealed != seed {
			t.Errorf("%s: %+v", name, keys)
		}
	}
}

func TestOtherNamespacesOfDrafts(t *testing.T) {
	values := load(t, "draft-values.xml")
	secretContainer := alter(t, values, "urn:ietf:params:xml:ns:keyprov:container", "http://www.openauthentication.org/OATH/2006/08/PSKC")
	for old, new := range map[string]string{"KeyContainer": "SecretContainer", "<Key ": "<Secret ", "</Key>": "</Secret>", "KeyAlgorithm": "SecretAlgorithm", "KeyId": "SecretId"} {
		secretContainer = alter(t, secretContainer, old, new)
	}
	for name, document := range map[string]string{
		"a vendor's":                           alter(t, values, "keyprov:container", "keyprov:container:1.0"),
		"the first draft's":                    secretContainer,
		"the second's, in the RFC's namespace": alter(t, load(t, "draft-devices.xml"), "keyprov:pskc:1.0", "keyprov:pskc"),
	} {
		keys := mustRead(t, document, pskc.Options{})
		if len(keys) != 1 || keys[0].Revealed != seed || keys[0].Problem != "" || keys[0].Digits != 6 || keys[0].ID == "" {
			t.Errorf("%s: %+v", name, keys)
		}
	}
	if err := refused(t, alter(t, secretContainer, "SecretContainer", "KeyContainer"), pskc.Options{}); !strings.Contains(err.Error(), "is no PSKC container") {
		t.Error(err)
	}
}
